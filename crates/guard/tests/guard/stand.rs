//! What the tests stand on: an issuer, a clock, a guarded server, and a caller
//! that can present anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign::example::v1::{CreateOrderRequest, CreateOrderResponse};
use countersign_client::clock::Clock;
use countersign_client::outcome::Refused;
use countersign_client::source::BoxFuture;
use countersign_dpop::Ath;
use countersign_guard::{Builder, Guard, KeySource, KeysUnavailable, NonceMode, PublishedKeys};
use countersign_jose::{Algorithms, Jwks, PublishedKey, SigningKey, UnixTime, base64url, jwks};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_types::{ErrorDetail, StatusExt as _};

use crate::http_stand;
use crate::orders::Orders;

pub(crate) const ORIGIN: &str = "https://orders.test:8443";
pub(crate) const ISSUER: &str = "https://tokens.test";
pub(crate) const SERVICE: &str = "/countersign.example.v1.OrderService/";

/// A clock that stands still until it is moved.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    pub(crate) fn go_back(&self, by: Duration) {
        self.0.fetch_sub(by.as_millis() as u64, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A key source that can be changed, fails on command, and counts.
pub(crate) struct TestKeys {
    pub(crate) published: Mutex<Option<PublishedKeys>>,
    pub(crate) fetches: AtomicU32,
    pub(crate) takes: Mutex<Duration>,
}

impl KeySource for TestKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        Box::pin(async {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            let takes = *self.takes.lock();
            tokio::time::sleep(takes).await;
            self.published
                .lock()
                .clone()
                .ok_or_else(|| KeysUnavailable::new("the test says so"))
        })
    }
}

pub(crate) fn es256(seed: u8) -> SigningKey {
    SigningKey::generate_es256([seed; 32]).unwrap()
}

pub(crate) fn published(keys: &[(&str, &SigningKey)]) -> PublishedKeys {
    let keys: Vec<_> = keys
        .iter()
        .map(|(kid, key)| PublishedKey {
            kid,
            algorithm: key.algorithm(),
            key: key.public(),
        })
        .collect();
    PublishedKeys {
        issuer: ISSUER.to_owned(),
        keys: Jwks::parse(jwks::publish(&keys).as_bytes()).unwrap(),
        max_age: Duration::from_secs(300),
    }
}

/// Where a guard stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// In front of a tonic service.
    Grpc,
    /// In front of an axum router that has CreateOrder at the same path.
    Http,
}

impl Edge {
    pub(crate) const BOTH: [Self; 2] = [Self::Grpc, Self::Http];
}

/// A guarded server, its issuer and its clock.
pub(crate) struct Stand {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) keys: Arc<TestKeys>,
    pub(crate) issuer_key: SigningKey,
    pub(crate) caller_key: SigningKey,
    pub(crate) guard: Guard,
    pub(crate) address: String,
    edge: Edge,
    jtis: AtomicU64,
}

impl Stand {
    /// Without nonces: most rows are about something else.
    pub(crate) async fn start() -> Self {
        Self::with(|builder| builder.nonces(NonceMode::Off)).await
    }

    /// The same at either edge.
    pub(crate) async fn at(edge: Edge) -> Self {
        Self::with_at(edge, |builder| builder.nonces(NonceMode::Off)).await
    }

    pub(crate) async fn with(configure: impl FnOnce(Builder) -> Builder) -> Self {
        Self::with_at(Edge::Grpc, configure).await
    }

    pub(crate) async fn with_at(edge: Edge, configure: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(1_760_000_000_000)));
        let issuer_key = es256(1);
        let keys = Arc::new(TestKeys {
            published: Mutex::new(Some(published(&[("k1", &issuer_key)]))),
            fetches: AtomicU32::new(0),
            takes: Mutex::new(Duration::ZERO),
        });
        let builder = match edge {
            Edge::Grpc => builder(&clock, &keys),
            Edge::Http => builder(&clock, &keys).rules(http_stand::rules()),
        };
        let guard = configure(builder).connect().await.unwrap();
        let address = serve_at(edge, &guard).await;
        Self {
            clock,
            keys,
            issuer_key,
            caller_key: es256(2),
            guard,
            address,
            edge,
            jtis: AtomicU64::new(0),
        }
    }

    /// Another instance of the same service: the same clock and keys.
    pub(crate) async fn restart(&mut self, configure: impl FnOnce(Builder) -> Builder) {
        let builder = configure(builder(&self.clock, &self.keys));
        self.restart_as(builder).await;
    }

    /// Another instance, described from the beginning.
    pub(crate) async fn restart_as(&mut self, builder: Builder) {
        self.guard = builder.connect().await.unwrap();
        self.address = serve_at(self.edge, &self.guard).await;
    }

    /// A guard that is not up yet.
    pub(crate) fn describe() -> Builder {
        let keys = TestKeys {
            published: Mutex::new(Some(published(&[("k1", &es256(1))]))),
            fetches: AtomicU32::new(0),
            takes: Mutex::new(Duration::ZERO),
        };
        let clock = TestClock(AtomicU64::new(1_760_000_000_000));
        builder(&Arc::new(clock), &Arc::new(keys))
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_secs()
    }

    pub(crate) fn client(&self) -> OrderServiceClient<Channel> {
        let endpoint = Channel::from_shared(self.address.clone()).unwrap();
        OrderServiceClient::new(endpoint.connect_lazy())
    }

    /// The claims of a good token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "sub": "checkout", "client_id": "checkout", "aud": ORIGIN,
            "exp": self.now() + 300, "iat": self.now(), "jti": "t1",
            "scope": "orders.read orders.write",
            "cnf": { "jkt": self.caller_key.public().thumbprint().to_string() },
        })
    }

    pub(crate) fn token(&self) -> String {
        self.token_of(&self.claims())
    }

    pub(crate) fn token_of(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
        sign(&self.issuer_key, &header, claims)
    }

    /// The claims of a good proof for `method` with `token`.
    pub(crate) fn proof_claims(&self, method: &str, token: &str) -> Value {
        let jti = self.jtis.fetch_add(1, Ordering::SeqCst);
        json!({
            "jti": format!("proof-{jti}"), "htm": "POST", "iat": self.now(),
            "htu": format!("{ORIGIN}{SERVICE}{method}"),
            "ath": Ath::of(token).to_string(),
        })
    }

    pub(crate) fn proof(&self, method: &str, token: &str) -> String {
        proof_of(&self.caller_key, &self.proof_claims(method, token))
    }

    /// Everything right for one call of CreateOrder.
    pub(crate) fn good(&self) -> Shown {
        let token = self.token();
        let proof = self.proof("CreateOrder", &token);
        Shown::new(&token, &proof)
    }

    pub(crate) async fn create(
        &self,
        shown: &Shown,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        let mut request = Request::new(CreateOrderRequest {
            item: "tea".to_owned(),
        });
        shown.onto(request.metadata_mut());
        self.client().create_order(request).await
    }

    /// Presents this to CreateOrder.
    pub(crate) async fn check(&self, row: &str, shown: &Shown, expected: Expected) {
        self.check_with(row, shown, expected, Algorithms::DEFAULT)
            .await;
    }

    /// The same, where a challenge names these algorithms.
    pub(crate) async fn check_with(
        &self,
        row: &str,
        shown: &Shown,
        expected: Expected,
        algorithms: Algorithms,
    ) {
        match self.edge {
            Edge::Grpc => expected.check_with(row, self.create(shown).await, algorithms),
            Edge::Http => {
                let answer = http_stand::create(&self.address, shown).await;
                expected.check_http(row, &answer, algorithms);
            }
        }
    }
}

fn builder(clock: &Arc<TestClock>, keys: &Arc<TestKeys>) -> Builder {
    Builder::new(ISSUER)
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .key_source(Arc::clone(keys) as Arc<dyn KeySource>)
}

async fn serve_at(edge: Edge, guard: &Guard) -> String {
    match edge {
        Edge::Grpc => serve(guard).await,
        Edge::Http => http_stand::serve(guard).await,
    }
}

async fn serve(guard: &Guard) -> String {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", incoming.local_addr().unwrap());
    let server = Server::builder()
        .layer(guard.layer())
        .add_service(OrderServiceServer::new(Orders));
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

pub(crate) fn sign(key: &SigningKey, header: &Value, claims: &Value) -> String {
    key.sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
        .unwrap()
}

pub(crate) fn proof_of(key: &SigningKey, claims: &Value) -> String {
    let jwk: Value = serde_json::from_str(&key.public().to_jwk()).unwrap();
    let header = json!({ "alg": key.algorithm().name(), "typ": "dpop+jwt", "jwk": jwk });
    sign(key, &header, claims)
}

/// A JWS with a signature that is none.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let signature = base64url::encode([7; 64]);
    let (header, claims) = (header.to_string(), claims.to_string());
    format!(
        "{}.{}.{signature}",
        base64url::encode(header),
        base64url::encode(claims)
    )
}

/// What a call presents, as it stands on the wire.
#[derive(Clone, Default)]
pub(crate) struct Shown(Vec<(&'static str, String)>);

impl Shown {
    pub(crate) fn new(token: &str, proof: &str) -> Self {
        Self::default()
            .and("authorization", &format!("DPoP {token}"))
            .and("dpop", proof)
    }

    pub(crate) fn and(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self
    }

    pub(crate) fn of(&self, name: &str) -> &str {
        &self.0.iter().find(|(known, _)| *known == name).unwrap().1
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    pub(crate) fn onto(&self, metadata: &mut MetadataMap) {
        for (name, value) in &self.0 {
            if name.ends_with("-bin") {
                metadata.append_bin(*name, BinaryMetadataValue::from_bytes(value.as_bytes()));
            } else {
                metadata.append(*name, value.parse().unwrap());
            }
        }
    }
}

/// What comes back; the letters are those of the list of attacks.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Ok,
    /// `invalid_dpop_proof`
    P,
    /// `invalid_dpop_proof`, because it was used before
    Spent,
    /// `invalid_token`
    T,
    /// `invalid_token`, because it has expired
    Expired,
    /// `invalid_token`, because it was revoked
    Revoked,
    /// `use_dpop_nonce`, and a nonce
    N,
    /// `invalid_request`
    R,
    /// RESOURCE_EXHAUSTED
    X,
    /// A challenge without an error
    Missing,
    /// `insufficient_scope`
    Scope,
    /// `insufficient_user_authentication`
    StepUp,
    NotOwner,
    NoRule,
    Deadline,
    Unreachable,
}

impl Expected {
    pub(crate) fn check<T>(self, row: &str, outcome: Result<Response<T>, Status>) {
        self.check_with(row, outcome, Algorithms::DEFAULT);
    }

    /// As [`Self::check`], where a challenge names these algorithms.
    pub(crate) fn check_with<T>(
        self,
        row: &str,
        outcome: Result<Response<T>, Status>,
        algorithms: Algorithms,
    ) {
        let status = match outcome {
            Ok(_) => return assert_eq!(self, Self::Ok, "{row}: was accepted"),
            Err(status) => status,
        };
        let refused = Refused::of(&status).unwrap_or_else(|| panic!("{row}: {status:?}"));
        let (code, reason, error) = self.wire();
        assert_eq!(refused.reason, reason, "{row}: {status:?}");
        assert_eq!(status.code() as i32, code, "{row}: {status:?}");
        assert_eq!(refused.oauth_error.as_deref(), error, "{row}");
        let details = status.get_error_details_vec();
        let infos = details.iter().filter_map(|detail| match detail {
            ErrorDetail::ErrorInfo(info) => Some(info.domain.as_str()),
            _ => None,
        });
        assert_eq!(Vec::from_iter(infos), ["countersign"], "{row}");
        let challenge = status
            .metadata()
            .get("www-authenticate")
            .map(|value| value.to_str().unwrap().to_owned());
        let algs = format!("algs=\"{algorithms}\"");
        let expected = match self {
            Self::Missing => Some(format!("DPoP {algs}")),
            Self::P | Self::Spent | Self::T | Self::Expired | Self::Revoked | Self::N => {
                Some(format!("DPoP error=\"{}\", {algs}", error.unwrap()))
            }
            Self::StepUp => Some(format!(
                "DPoP error=\"insufficient_user_authentication\", {}{algs}",
                asked(&refused)
            )),
            Self::Scope => Some(format!(
                "DPoP error=\"insufficient_scope\", scope=\"{}\", {algs}",
                refused.scopes_missing.join(" ")
            )),
            _ => None,
        };
        assert_eq!(challenge, expected, "{row}");
        let nonces = status.metadata().get_all("dpop-nonce").iter().count();
        assert_eq!(nonces, usize::from(self == Self::N), "{row}");
        let waits = matches!(self, Self::X | Self::Unreachable);
        assert_eq!(refused.retry_after.is_some(), waits, "{row}");
    }

    pub(crate) fn wire(self) -> (i32, Reason, Option<&'static str>) {
        match self {
            Self::Ok => (0, Reason::Unspecified, None),
            Self::P => (16, Reason::DpopProofInvalid, Some("invalid_dpop_proof")),
            Self::Spent => (16, Reason::DpopProofReplayed, Some("invalid_dpop_proof")),
            Self::T => (16, Reason::TokenInvalid, Some("invalid_token")),
            Self::Expired => (16, Reason::TokenExpired, Some("invalid_token")),
            Self::Revoked => (16, Reason::TokenRevoked, Some("invalid_token")),
            Self::N => (16, Reason::DpopNonceRequired, Some("use_dpop_nonce")),
            Self::R => (3, Reason::InvalidRequest, Some("invalid_request")),
            Self::X => (8, Reason::RateLimited, None),
            Self::Missing => (16, Reason::CredentialsMissing, None),
            Self::Scope => (7, Reason::ScopeInsufficient, Some("insufficient_scope")),
            Self::StepUp => (
                16,
                Reason::StepUpRequired,
                Some("insufficient_user_authentication"),
            ),
            Self::NotOwner => (7, Reason::NotOwner, None),
            Self::NoRule => (7, Reason::MethodNotAllowed, None),
            Self::Deadline => (4, Reason::DeadlinePassed, None),
            Self::Unreachable => (
                14,
                Reason::AuthorityUnreachable,
                Some("temporarily_unavailable"),
            ),
        }
    }
}

/// What a step-up asks, as it stands in the challenge.
fn asked(refused: &Refused) -> String {
    let mut asked = String::new();
    if !refused.acr_values.is_empty() {
        let values = refused.acr_values.join(" ");
        asked += &format!("acr_values=\"{values}\", ");
    }
    if let Some(max_age) = refused.max_age {
        asked += &format!("max_age=\"{}\", ", max_age.as_secs());
    }
    asked
}
