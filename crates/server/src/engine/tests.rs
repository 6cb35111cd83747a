//! What a call is charged for that does not come to its end.

use countersign::admin::v1::{self as admin, AuthenticationMethod, GrantType};
use countersign::authorization::v1::PushAuthorizationRequest;
use countersign::token::v1::ClientAuthentication;
use countersign::token::v1::client_authentication::Credential;
use countersign_client::clock::SystemClock;
use countersign_issuer::Actor;
use countersign_issuer::model::RecordId;
use countersign_issuer::register::NewClient;
use countersign_jose::{Thumbprint, base64url};
use futures_util::poll;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::config::Config;
use crate::health::Health;
use crate::operation::authorize::Push;
use crate::operation::register::CreateClient;
use crate::overload::Share;
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
    let platform = start::platform(&config, clock, records, opened, ISSUER, health, now);
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
