//! Who races for what, and what must be so afterwards.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use countersign::admin::v1::{self as admin, AuthenticationMethod, GrantType, RefreshKey};
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, AuthorizeDeviceRequest, PushAuthorizationRequest,
};
use countersign::token::v1::client_authentication::Credential;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::{
    AuthorizationCode, ClientAuthentication, ClientCredentials, DeviceCode, IssueTokenRequest,
    RotateTokenRequest,
};
use countersign_dpop::{Limits, NonceKey};
use countersign_guard::{Freshness, Ledger, NonceMode, Sharing};
use countersign_issuer::authorize::Named;
use countersign_issuer::model::{Epoch, FamilyId, Generation, RecordId, TokenId};
use countersign_issuer::register::NewClient;
use countersign_issuer::{
    Actor, Fresh, Handle, HandleKind, Issuer, IssuerName, Lifetimes, MacKey, MacKeyId, MacKeys,
    Revoking,
};
use countersign_jose::{
    Algorithm, PublishedKey, SigningKey, Thumbprint, UnixTime, base64url, jwks, sha256,
};
use countersign_login::Address;
use countersign_store::{Key, MemoryStore, Store as _};
use shuttle::future::{block_on, spawn};
use zeroize::Zeroizing;

use super::yielding::Yielding;
use crate::audit::Audit;
use crate::config::Config;
use crate::desk::Asked;
use crate::engine::Engine;
use crate::operation::authorize::{Approve, Push};
use crate::operation::device::{AuthorizeDevice, user_codes};
use crate::operation::issue::Issue;
use crate::operation::redeem::Redeem;
use crate::operation::register::{CreateClient, EnsureOwnResource};
use crate::operation::revoke::Revoke;
use crate::operation::rotate::Rotate;
use crate::overload::{Overload, Share};
use crate::proof::Proofs;
use crate::records::Records;
use crate::wire;

const ISSUER: &str = "http://localhost:7443";
const CALLBACK: &str = "https://shop.example.com/callback";
const SCOPE: &str = "introspect";
const VERIFIER: [u8; 32] = [5; 32];
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// Racers of each race: two would do, three also show what a loser's second attempt does.
const RACERS: u8 = 3;

/// What is raced for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Race {
    /// One refresh token, each racer with a key of its own.
    Rotation,
    /// One code.
    Redemption,
    /// One device code that a person approved.
    Device,
    /// One client assertion.
    Assertion,
    /// One family: the first racer revokes it, the others rotate.
    Revocation,
}

/// What stands in the store before a race, and what the racers show.
#[derive(Clone)]
pub(super) struct Setting {
    race: Race,
    records: Vec<(Key, Bytes)>,
    client: ClientAuthentication,
    code: String,
    device_code: String,
    refresh_token: String,
}

/// A clock that stands still.
struct Still;

impl countersign_client::clock::Clock for Still {
    fn now(&self) -> UnixTime {
        NOW
    }
}

impl Setting {
    pub(super) fn of(race: Race) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(prepare(race))
    }

    /// One race, by one schedule; a fault panics.
    pub(super) fn race(&self, naive: bool) {
        let setting = self.clone();
        block_on(async move {
            let store = Yielding::with(&setting.records, naive).await;
            let engine = engine(Records::new(Arc::new(store)));
            let racers: Vec<_> = (0..RACERS)
                .map(|racer| {
                    let (engine, setting) = (engine.clone(), setting.clone());
                    spawn(async move { setting.run(&engine, racer).await })
                })
                .collect();
            let mut won = Vec::new();
            for racer in racers {
                won.extend(racer.await.expect("it came to its end"));
            }
            setting.judge(&engine, &won).await;
        });
    }

    /// What one racer does. Returns the refresh token that it got, if it got something.
    async fn run(&self, engine: &Engine, racer: u8) -> Option<String> {
        match (self.race, racer) {
            (Race::Redemption | Race::Device, _) => self.redeem(engine, racer).await,
            (Race::Assertion, _) => self.issue(engine, racer).await,
            (Race::Revocation, 0) => self.revoke(engine).await,
            (Race::Rotation | Race::Revocation, _) => {
                self.rotate(engine, &self.refresh_token, racer).await
            }
        }
    }

    /// What must be so when all racers are through.
    async fn judge(&self, engine: &Engine, won: &[String]) {
        match self.race {
            Race::Rotation | Race::Redemption | Race::Device => {
                assert_eq!(won.len(), 1, "one wins, and only one");
                let late = self.rotate(engine, &won[0], 0).await;
                assert_eq!(late, None, "after reuse the family is dead");
            }
            Race::Assertion => assert_eq!(won.len(), 1, "an assertion is spent once"),
            Race::Revocation => {
                let newest = won.first().unwrap_or(&self.refresh_token);
                let late = self.rotate(engine, newest, 1).await;
                assert_eq!(late, None, "a revoked family is dead");
            }
        }
    }

    async fn rotate(&self, engine: &Engine, token: &str, racer: u8) -> Option<String> {
        let message = RotateTokenRequest {
            client: Some(self.client.clone()),
            refresh_token: token.to_owned(),
            ..RotateTokenRequest::default()
        };
        let read = wire::token::rotation(&message, &engine.issuer());
        let Ok(Asked::Refresh(caller, rotation)) = read else {
            panic!("not a rotation");
        };
        let rotate = Rotate {
            caller,
            rotation,
            proof: key(racer),
            token: TokenId::from_bytes([racer; 16]),
        };
        let issued = engine.decide(&rotate).await.ok()?.answer;
        Some(issued.refresh_token?.reveal().to_owned())
    }

    async fn redeem(&self, engine: &Engine, racer: u8) -> Option<String> {
        let message = self.ask(match self.race {
            Race::Device => Grant::DeviceCode(DeviceCode {
                device_code: self.device_code.clone(),
            }),
            _ => Grant::AuthorizationCode(AuthorizationCode {
                code: self.code.clone(),
                redirect_uri: CALLBACK.to_owned(),
                code_verifier: base64url::encode(VERIFIER),
            }),
        });
        let Ok(Asked::Code(caller, redemption)) = wire::token::asked(&message, &engine.issuer())
        else {
            panic!("not a redemption");
        };
        let redeem = Redeem {
            caller,
            redemption,
            proof: key(racer),
            fresh: Fresh {
                token: TokenId::from_bytes([racer; 16]),
                family: FamilyId::new(RecordId::from_bytes([racer; 16])),
            },
        };
        let issued = engine.decide(&redeem).await.ok()?.answer;
        Some(issued.refresh_token?.reveal().to_owned())
    }

    async fn issue(&self, engine: &Engine, racer: u8) -> Option<String> {
        let message = self.ask(Grant::ClientCredentials(ClientCredentials {}));
        let Ok(Asked::Credentials(caller, ask)) = wire::token::asked(&message, &engine.issuer())
        else {
            panic!("not a request of a client's own");
        };
        let issue = Issue {
            caller,
            ask,
            proof: key(racer),
            token: TokenId::from_bytes([racer; 16]),
        };
        engine.decide(&issue).await.ok().map(|_| String::new())
    }

    async fn revoke(&self, engine: &Engine) -> Option<String> {
        let keys = std::iter::empty::<PublishedKey<'_>>();
        let read = Revoking::token(&self.refresh_token, keys, &engine.issuer());
        let revoke = Revoke {
            caller: wire::caller(Some(&self.client)).expect("a client"),
            revoking: read.expect("a revocation"),
            proof: Some(key(0)),
            revoked_tokens: &Share::new(0),
        };
        engine.decide(&revoke).await.expect("revoked");
        None
    }

    fn ask(&self, grant: Grant) -> IssueTokenRequest {
        IssueTokenRequest {
            client: Some(self.client.clone()),
            grant: Some(grant),
            ..IssueTokenRequest::default()
        }
    }
}

/// The key of a racer's proof.
fn key(racer: u8) -> Thumbprint {
    Thumbprint::from_bytes([racer; 32])
}

fn engine(records: Records) -> Engine {
    let limits = Limits::default();
    let nonce_key = NonceKey::new([1; 32]);
    let freshness = Freshness::new(NonceMode::Off, &nonce_key, Sharing::Private, &limits, NOW);
    let issuer = Issuer {
        name: IssuerName::parse(ISSUER).expect("an issuer"),
        lifetimes: Lifetimes::default(),
        mac_keys: mac_keys(),
        epoch: Epoch::new(1),
        set_back_at: None,
    };
    Engine {
        records,
        issuer: Arc::new(arc_swap::ArcSwap::from_pointee(issuer)),
        proofs: Arc::new(Proofs {
            origins: Vec::new(),
            limits,
            freshness: Arc::new(freshness),
            ledger: Arc::new(Ledger::default()),
        }),
        clock: Arc::new(Still),
        steady: Arc::default(),
        audit: Audit::new(Config::default().audit),
    }
}

fn mac_keys() -> MacKeys {
    MacKeys::new(MacKey::new(MacKeyId::new([1; 4]), &[1; 32]), Vec::new())
}

fn handle(kind: HandleKind, record: RecordId) -> String {
    let generation = Generation::FIRST;
    let handle = Handle {
        kind,
        record,
        generation,
    };
    handle.text(&mac_keys()).reveal().to_owned()
}

/// A client with an approved code, redeemed where the race is about the refresh token.
async fn prepare(race: Race) -> Setting {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(Records::new(store.clone()));
    engine.decide(&EnsureOwnResource).await.expect("registered");
    let client = register(&engine, race == Race::Assertion).await;
    let id = RecordId::from_bytes([7; 16]);
    let mut setting = Setting {
        race,
        records: Vec::new(),
        client,
        code: handle(HandleKind::Code, id),
        device_code: handle(HandleKind::Device, id),
        refresh_token: String::new(),
    };
    match race {
        Race::Assertion => {}
        Race::Device => {
            let request_uri = wait(&engine, &setting.client, id).await;
            approve(&engine, &request_uri).await;
        }
        Race::Rotation | Race::Redemption | Race::Revocation => {
            let request_uri = push(&engine, &setting.client, id).await;
            approve(&engine, &request_uri).await;
        }
    }
    if matches!(race, Race::Rotation | Race::Revocation) {
        let token = setting.redeem(&engine, RACERS).await;
        setting.refresh_token = token.expect("redeemed");
    }
    let everything = Key::new([""; 0]);
    let page = store.scan(&everything, None, 1000).await.expect("read");
    setting.records = page
        .records
        .into_iter()
        .map(|(key, found)| (key, found.value))
        .collect();
    setting
}

async fn register(engine: &Engine, signs: bool) -> ClientAuthentication {
    let signing = SigningKey::generate_es256([3; 32]).expect("a scalar");
    let method = match signs {
        true => AuthenticationMethod::PrivateKeyJwt,
        false => AuthenticationMethod::ClientSecret,
    };
    let mut client = admin::Client {
        client_id: "shop".to_owned(),
        authentication_method: method.into(),
        grant_types: [
            GrantType::ClientCredentials,
            GrantType::AuthorizationCode,
            GrantType::DeviceCode,
            GrantType::RefreshToken,
        ]
        .map(i32::from)
        .into(),
        redirect_uris: vec![CALLBACK.to_owned()],
        permissions: vec![admin::Permission {
            resource: ISSUER.to_owned(),
            scopes: vec![SCOPE.to_owned()],
            details_types: Vec::new(),
        }],
        refresh_key: RefreshKey::Client.into(),
        ..admin::Client::default()
    };
    if signs {
        client.jwks = jwks::publish(&[PublishedKey {
            kid: "key",
            algorithm: Algorithm::Es256,
            key: signing.public(),
        }]);
    }
    let form = wire::admin::client_form(Some(client)).expect("a form");
    let create = CreateClient {
        new: NewClient::parse(&form, [2; 16]).expect("a client"),
        random: Zeroizing::new([4; 32]),
        actor: Actor::Operator { uid: 0 },
    };
    let registered = engine.decide(&create).await.expect("registered").answer;
    let credential = match registered.secret {
        Some(secret) => Credential::ClientSecret(secret.reveal().to_owned()),
        None => Credential::ClientAssertion(assertion(&signing)),
    };
    ClientAuthentication {
        client_id: "shop".to_owned(),
        credential: Some(credential),
    }
}

fn assertion(key: &SigningKey) -> String {
    let claims = serde_json::json!({
        "iss": "shop",
        "sub": "shop",
        "aud": ISSUER,
        "jti": "once",
        "exp": NOW.plus(Duration::from_secs(60)).as_secs(),
    });
    key.sign_compact(
        br#"{"alg":"ES256","kid":"key"}"#,
        claims.to_string().as_bytes(),
    )
    .expect("signs")
}

/// Lodges a request for a code; its name.
async fn push(engine: &Engine, client: &ClientAuthentication, id: RecordId) -> String {
    let overload = Overload::new(&Config::default().limits);
    let message = PushAuthorizationRequest {
        client: Some(client.clone()),
        redirect_uri: CALLBACK.to_owned(),
        code_challenge: base64url::encode(sha256(&[base64url::encode(VERIFIER).as_bytes()])),
        code_challenge_method: "S256".to_owned(),
        ..PushAuthorizationRequest::default()
    };
    let (caller, lodging) = wire::authorization::pushed(&message).expect("a request");
    let push = Push {
        caller,
        lodging,
        proof: None,
        id,
        visitor: overload.strangers.visitor(Address::of_peer(None)),
    };
    let lodged = engine.decide(&push).await.expect("lodged").answer;
    lodged.request_uri.reveal().to_owned()
}

/// A device waits; the name of its request.
async fn wait(engine: &Engine, client: &ClientAuthentication, id: RecordId) -> String {
    let message = AuthorizeDeviceRequest {
        client: Some(client.clone()),
        ..AuthorizeDeviceRequest::default()
    };
    let (caller, ask) = wire::authorization::device(&message).expect("a request");
    let overload = Overload::new(&Config::default().limits);
    let waits = AuthorizeDevice {
        caller,
        ask,
        // Whoever redeems it first has the tokens bound to its key.
        proof: None,
        id,
        user_codes: user_codes(),
        visitor: overload.strangers.visitor(Address::of_peer(None)),
    };
    engine.decide(&waits).await.expect("it waits");
    handle(HandleKind::RequestUri, id)
}

async fn approve(engine: &Engine, request_uri: &str) {
    let named = Named::parse(request_uri, &mac_keys()).expect("a name");
    let approval = ApproveAuthorizationRequest {
        subject: "ada".to_owned(),
        ..ApproveAuthorizationRequest::default()
    };
    let approve = Approve {
        named,
        approving: wire::authorization::approving(&approval, NOW).expect("an approval"),
    };
    engine.decide(&approve).await.expect("approved");
}
