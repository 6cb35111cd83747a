//! What a call is charged for that does not come to its end.

use std::time::Duration;

use countersign::admin::v1::{self as admin, AuthenticationMethod, GrantType};
use countersign::authorization::v1::PushAuthorizationRequest;
use countersign::token::v1::ClientAuthentication;
use countersign::token::v1::client_authentication::Credential;
use countersign_client::clock::SystemClock;
use countersign_issuer::IssuerName;
use countersign_issuer::introspect::Recognised;
use countersign_issuer::model::{FamilyId, RecordId, Scopes, Subject, TokenId};
use countersign_issuer::register::NewClient;
use countersign_issuer::{Actor, Claims, Revoking};
use countersign_jose::{Thumbprint, base64url};
use countersign_login::Address;
use futures_util::poll;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::config::Config;
use crate::health::Health;
use crate::operation::authorize::Push;
use crate::operation::register::CreateClient;
use crate::operation::revoke::Revoke;
use crate::overload::{Overload, Share};
use crate::{opening, random, record, start, wire};

const ISSUER: &str = "http://localhost:7443";
const CALLBACK: &str = "https://shop.example.com/callback";
const SCOPE: &str = "introspect";

async fn engine(folder: &TempDir) -> Engine {
    let mut config = Config::default();
    config.store.directory = folder.path().join("data");
    start::make_directory(&config.store.directory).expect("made");
    let store = start::open_store(&config).await.expect("opened");
    let records = Records::new(store);
    let now = SystemClock.now();
    let (place, schedules) = (config.key_place(), config.schedules());
    let opened = opening::open(&records, &config.store.directory, &place, schedules, now);
    let opened = opened.await.expect("opened");
    let health = Health::serving(&[]).await;
    let clock = Arc::new(SystemClock);
    let name = IssuerName::parse(ISSUER).unwrap();
    let platform = start::platform(&config, clock, records, opened, &name, None, health, now);
    let (platform, _) = platform.await.expect("a platform");
    let registered = opening::register_itself(&platform.engine, folder.path()).await;
    registered.expect("registered");
    platform.engine
}

/// Registers a client, and returns how it authenticates.
async fn client(engine: &Engine, id: &str, by: AuthenticationMethod) -> ClientAuthentication {
    let form = wire::admin::client_form(Some(admin::Client {
        client_id: id.to_owned(),
        authentication_method: by.into(),
        grant_types: vec![GrantType::AuthorizationCode.into()],
        redirect_uris: vec![CALLBACK.to_owned()],
        permissions: vec![admin::Permission {
            resource: ISSUER.to_owned(),
            scopes: vec![SCOPE.to_owned()],
            details_types: Vec::new(),
        }],
        ..admin::Client::default()
    }));
    let create = CreateClient {
        new: NewClient::parse(&form.expect("a form"), random::bytes()).expect("a client"),
        random: Zeroizing::new(random::bytes()),
        actor: Actor::Operator { uid: 0 },
    };
    let registered = engine.decide(&create).await.expect("registered").answer;
    let secret = registered.secret.map(|secret| secret.reveal().to_owned());
    ClientAuthentication {
        client_id: id.to_owned(),
        credential: secret.map(Credential::ClientSecret),
    }
}

fn push(client: &ClientAuthentication, scope: &str) -> PushAuthorizationRequest {
    PushAuthorizationRequest {
        client: Some(client.clone()),
        redirect_uri: CALLBACK.to_owned(),
        scopes: vec![scope.to_owned()],
        resources: vec![ISSUER.to_owned()],
        code_challenge: base64url::encode([7; 32]),
        code_challenge_method: "S256".to_owned(),
        ..PushAuthorizationRequest::default()
    }
}

/// How a call ended that its caller did not wait for.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It was taken back while its change was on the way to the disk.
    Cancelled,
    Refused,
}

/// The clock stands still: nobody earns anything.
#[tokio::test(start_paused = true)]
async fn who_cancels_is_charged_and_strangers_charge_nobody() {
    let folder = TempDir::new().expect("a folder");
    let engine = engine(&folder).await;
    let shop = client(&engine, "shop", AuthenticationMethod::ClientSecret).await;
    let app = client(&engine, "app", AuthenticationMethod::None).await;
    let stranger = ClientAuthentication {
        credential: Some(Credential::ClientSecret("wrong".to_owned())),
        ..shop.clone()
    };
    for (what, caller, scope, end, charged) in [
        ("a client", &shop, SCOPE, End::Cancelled, true),
        ("a key", &app, SCOPE, End::Cancelled, true),
        ("a refused client", &shop, "x", End::Refused, true),
        ("a refused key", &app, "x", End::Refused, false),
        ("a stranger", &stranger, SCOPE, End::Refused, false),
    ] {
        let share = Share::new(1);
        let overload = Overload::new(&Config::default().limits);
        let message = push(caller, scope);
        let visit = || {
            let (caller, _) = wire::authorization::pushed(&message)?;
            let key = Thumbprint::from_bytes([1; 32]);
            share.visit(&caller)?.with_key(key)
        };
        let (caller, lodging) = wire::authorization::pushed(&message).expect("a request");
        let push = Push {
            caller,
            lodging,
            proof: None,
            id: RecordId::from_bytes(random::bytes()),
            visitor: overload.strangers.visitor(Address::of_peer(None)),
        };
        let first = visit().expect("let in");
        let mut call = Box::pin(engine.decide_for(Some(&first), &push, None));
        // A disk takes longer than the way to this line.
        let found = match poll!(&mut call) {
            std::task::Poll::Pending => End::Cancelled,
            std::task::Poll::Ready(answer) => answer.err().map(|_| End::Refused).expect("refused"),
        };
        drop(call);
        assert_eq!(found, end, "{what}");
        assert_eq!(visit().is_err(), charged, "{what}");
    }
}

/// 100,000 of them: what a stranger leaves in the audit log is a row, and no name.
#[tokio::test]
async fn a_flood_of_made_up_clients_leaves_one_row() {
    let folder = TempDir::new().expect("a folder");
    let engine = engine(&folder).await;
    let app = client(&engine, "app", AuthenticationMethod::ClientSecret).await;
    let records = engine.records.clone();
    let log = record::AUDIT;
    let overload = Overload::new(&Config::default().limits);
    let before = records.store().last_number(log).await.expect("a number");
    for nth in 0..100_000 {
        let stranger = ClientAuthentication {
            client_id: format!("made-up-{nth}"),
            credential: Some(Credential::ClientSecret("wrong".to_owned())),
        };
        let message = push(&stranger, SCOPE);
        let (caller, lodging) = wire::authorization::pushed(&message).expect("a request");
        let push = Push {
            caller,
            lodging,
            proof: None,
            id: RecordId::from_bytes(random::bytes()),
            visitor: overload.strangers.visitor(Address::of_peer(None)),
        };
        assert!(engine.decide_for(None, &push, None).await.is_err());
    }
    // Of one that is registered, the name is known.
    let wrong = ClientAuthentication {
        credential: Some(Credential::ClientSecret("wrong".to_owned())),
        ..app
    };
    let message = push(&wrong, SCOPE);
    let (caller, lodging) = wire::authorization::pushed(&message).expect("a request");
    let refused = Push {
        caller,
        lodging,
        proof: None,
        id: RecordId::from_bytes(random::bytes()),
        visitor: overload.strangers.visitor(Address::of_peer(None)),
    };
    assert!(engine.decide_for(None, &refused, None).await.is_err());

    engine.audit.run(&records, &engine.clock);
    engine.audit.close().await;
    let entries = records
        .store()
        .entries(log, before + 1, 100)
        .await
        .expect("entries");
    let mut told: Vec<_> = entries
        .iter()
        .flat_map(|entry| record::told(log, &entry.bytes).expect("read"))
        .map(|told| (told.reason, told.client, told.actor, told.count))
        .collect();
    told.sort();
    let row = |reason: &str, client: &str, count| {
        (reason.to_owned(), client.to_owned(), String::new(), count)
    };
    let expected = [
        row("client_unknown", "", 100_000),
        row("client_wrong_secret", "app", 1),
    ];
    assert_eq!(told, expected);
}

/// An access token of this client, as it would be read from its text.
fn token_of(client: &str, number: u8, now: UnixTime) -> Revoking {
    let id = ClientId::parse(client).expect("a name");
    Revoking::Token(Recognised::Access(Box::new(Claims {
        subject: Subject::of_client(&id),
        audience: Vec::new(),
        client: id,
        scopes: Scopes::default(),
        jkt: Thumbprint::from_bytes([1; 32]),
        certificate: None,
        issued_at: now,
        expires_at: now.plus(Duration::from_secs(900)),
        id: TokenId::from_bytes([number; 16]),
        family: None,
        auth_time: None,
        acr: None,
        details: Default::default(),
    })))
}

/// Guards have room for so many revocations, and refuse everybody when it is taken: a client must
/// not be able to take it all. The clock stands still: nobody earns anything.
#[tokio::test(start_paused = true)]
async fn a_client_that_revokes_its_tokens_one_by_one_has_its_share_of_what_guards_remember() {
    let folder = TempDir::new().expect("a folder");
    let engine = engine(&folder).await;
    let shop = client(&engine, "shop", AuthenticationMethod::ClientSecret).await;
    let app = client(&engine, "other", AuthenticationMethod::ClientSecret).await;
    let share = Share::new(2);
    let revoke = async |by: &ClientAuthentication, revoking: Revoking| {
        let caller = wire::caller(Some(by)).expect("a client");
        let revoke = Revoke {
            caller,
            revoking,
            proof: None,
            revoked_tokens: &share,
        };
        let decided = engine.decide(&revoke).await;
        decided.map(|_| ()).map_err(|refused| refused.label())
    };
    let now = engine.now();
    let token = |number| token_of("shop", number, now);
    // Another's token is refused before it counts.
    let another = token_of("other", 9, now);
    for _ in 0..5 {
        assert!(revoke(&shop, another.clone()).await.is_err());
    }
    assert_eq!(revoke(&shop, token(1)).await, Ok(()));
    assert_eq!(
        revoke(&shop, token(1)).await,
        Ok(()),
        "nothing is told of it"
    );
    assert_eq!(revoke(&shop, token(2)).await, Ok(()));
    assert_eq!(revoke(&shop, token(3)).await, Err("rate_limited"));
    assert_eq!(revoke(&shop, token(3)).await, Err("rate_limited"));
    // What is dead already costs nothing, and neither does a family, nor does it cost others.
    assert_eq!(revoke(&shop, token(2)).await, Ok(()));
    let family = Revoking::Family(FamilyId::new(RecordId::from_bytes([1; 16])));
    assert_eq!(revoke(&shop, family).await, Ok(()));
    assert_eq!(revoke(&app, another).await, Ok(()));
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(revoke(&shop, token(3)).await, Ok(()), "it has earned one");
}
