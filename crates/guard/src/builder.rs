//! Describing a guard.

mod connect;
mod error;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::Credential;
use countersign_client::clock::{Clock, SystemClock};
use countersign_client::transport::Transport;
use countersign_dpop::{Limits, NonceKey};
use countersign_jose::{Algorithms, UnixTime};

pub use self::error::BuildError;
use crate::authority::online::Introspector;
use crate::freshness::{Freshness, NonceMode};
use crate::keys::KeySource;
use crate::ledger::{Ledger, LedgerLimits};
use crate::revocations::RevocationSource;

/// A new key is published long before it signs, so a token that names an
/// unknown one is nearly always forged; this is how often strangers can make
/// the guard ask.
const KEY_FETCH_INTERVAL: Duration = Duration::from_secs(10);

/// Rules from configuration.
enum RuleText {
    Here(String),
    In(PathBuf),
}

/// Describes a guard.
#[must_use]
pub struct Builder {
    token_service: String,
    issuer: Option<String>,
    /// Origins and their resources.
    origins: Vec<(String, String)>,
    descriptors: Vec<Vec<u8>>,
    rules: Vec<RuleText>,
    exempt: Vec<String>,
    bearer: Vec<(String, UnixTime)>,
    observing: bool,
    limits: Limits,
    token_algorithms: Algorithms,
    ledger: Option<Arc<Ledger>>,
    nonces: NonceMode,
    nonce_key: Option<NonceKey>,
    freshness: Option<Arc<Freshness>>,
    keys: Option<Arc<dyn KeySource>>,
    client: Option<(String, Credential)>,
    introspector: Option<Arc<dyn Introspector>>,
    key_set_file: Option<PathBuf>,
    key_fetch_interval: Duration,
    revocations: Option<Arc<dyn RevocationSource>>,
    knowledge_age_max: Option<Duration>,
    stream_age_max: Option<Duration>,
    transport: Transport,
    clock: Arc<dyn Clock>,
}

impl Builder {
    /// A guard for tokens of the token service at this URL.
    pub fn new(token_service_url: impl Into<String>) -> Self {
        Self {
            token_service: token_service_url.into(),
            issuer: None,
            origins: Vec::new(),
            descriptors: Vec::new(),
            rules: Vec::new(),
            exempt: Vec::new(),
            bearer: Vec::new(),
            observing: false,
            limits: Limits::default(),
            token_algorithms: Algorithms::DEFAULT,
            ledger: None,
            nonces: NonceMode::default(),
            nonce_key: None,
            freshness: None,
            keys: None,
            client: None,
            introspector: None,
            key_set_file: None,
            key_fetch_interval: KEY_FETCH_INTERVAL,
            revocations: None,
            knowledge_age_max: None,
            stream_age_max: None,
            transport: Transport::new(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The issuer's name as it stands in `iss`, where it is not the token
    /// service's URL.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Where clients reach this server: what their proofs are made for, and the
    /// resource that their tokens are for. Never taken from a request.
    pub fn serve(self, origin: impl Into<String>) -> Self {
        let origin = origin.into();
        let resource = origin.trim_end_matches('/').to_owned();
        self.serve_as(origin, resource)
    }

    /// As [`serve`](Self::serve), for a resource that was registered by another
    /// name.
    pub fn serve_as(mut self, origin: impl Into<String>, resource: impl Into<String>) -> Self {
        self.origins.push((origin.into(), resource.into()));
        self
    }

    /// The rules of the services in an encoded `FileDescriptorSet`. May be
    /// called for several.
    pub fn descriptors(mut self, encoded: impl Into<Vec<u8>>) -> Self {
        self.descriptors.push(encoded.into());
        self
    }

    /// The rules of a TOML file, for methods whose `.proto` cannot be changed, in
    /// the words of the option:
    ///
    /// ```toml
    /// ["/orders.v1.Orders/Create"]
    /// scopes = ["orders.write"]
    ///
    /// ["orders.v1.Orders"]
    /// resource = "https://orders.internal:8443"
    ///
    /// ["GET /orders/{id}"]
    /// scopes = ["orders.read"]
    /// ```
    ///
    /// The last is an HTTP route, for the [HTTP layer](crate::Guard::http_layer).
    /// Each answer of one ends with its token.
    ///
    /// A method has one rule: in its `.proto` or in one file. Where
    /// [`descriptors`](Self::descriptors) are given, they must have every method
    /// that a file names; where there are none, a unary call ends with its token,
    /// as a stream does, because nobody says which of them stream.
    pub fn rules_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.rules.push(RuleText::In(path.into()));
        self
    }

    /// Rules as in a [file](Self::rules_file), from a text.
    pub fn rules(mut self, toml: impl Into<String>) -> Self {
        self.rules.push(RuleText::Here(toml.into()));
        self
    }

    /// Only looks, for a service that gets its guard while it is in use:
    /// everything is checked, nothing is refused. What would have been refused is
    /// [counted](crate::Guard::would_have_refused), logged as a warning with reason and
    /// method, and noted in the trace.
    ///
    /// A handler gets a [`Permit`](crate::Permit) only where every check passed.
    /// Otherwise the request holds a [`WouldRefuse`](crate::WouldRefuse), and
    /// `request.permit()` fails with what the guard would have answered: so a
    /// handler that needs a permit refuses by itself, and one that does not goes
    /// on. No call waits longer than 250 ms for what has to be found out about its
    /// token. Streams, once open, are not ended, and that is not counted. Spent
    /// proofs are remembered, and nonces handed out, as always.
    pub fn observe(mut self) -> Self {
        self.observing = true;
        self
    }

    /// Accepts tokens that are bound to no key as bearer tokens
    /// (`authorization: Bearer …`) for one method (`/package.Service/Method`) or
    /// HTTP route (`GET /path`) until then, for callers that have no DPoP yet. Everything else about the
    /// token is checked. Whoever reads such a token on its way can use it: each
    /// one is [counted](crate::Counts::bearer_tokens_accepted) and logged as a
    /// warning. A token that is bound to a key stays refused as a bearer token.
    pub fn accept_bearer(mut self, method: impl Into<String>, until: UnixTime) -> Self {
        self.bearer.push((method.into(), until));
        self
    }

    /// Leaves a service (`grpc.health.v1.Health`), a method
    /// (`/package.Service/Method`), or an HTTP route (`GET /path`), alone, whatever
    /// its rule: calls are not checked, and answers not touched. An exempt method
    /// that answers with a challenge of its own asks callers that know DPoP to send
    /// the call again, as a token service does; one that passes on what a guard
    /// further down said would be run twice. Make it public by its rule instead.
    pub fn exempt(mut self, service_or_method: impl Into<String>) -> Self {
        self.exempt.push(service_or_method.into());
        self
    }

    /// Which proofs are accepted: how old, how far ahead, signed with what.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What access tokens may be signed with. ES256 and Ed25519 by default.
    pub fn token_algorithms(mut self, algorithms: Algorithms) -> Self {
        self.token_algorithms = algorithms;
        self
    }

    /// Remembers spent proofs in this ledger, which may be shared with other
    /// guards of the same process.
    pub fn ledger(mut self, ledger: Arc<Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Bounds the guard's own ledger.
    pub fn ledger_limits(self, limits: LedgerLimits) -> Self {
        self.ledger(Arc::new(Ledger::new(limits)))
    }

    /// When nonces are asked for.
    pub fn nonces(mut self, mode: NonceMode) -> Self {
        self.nonces = mode;
        self
    }

    /// Makes nonces with this key, which all replicas of the service share.
    /// Without it each instance makes a key of its own, and a client that
    /// changes instances is challenged once more.
    pub fn nonce_key(mut self, key: NonceKey) -> Self {
        self.nonce_key = Some(key);
        self
    }

    /// Decides about nonces together with something else that answers at the
    /// same origin: clients keep one nonce for each origin. Instead of
    /// [`nonces`](Self::nonces) and [`nonce_key`](Self::nonce_key).
    pub fn freshness(mut self, freshness: Arc<Freshness>) -> Self {
        self.freshness = Some(freshness);
        self
    }

    /// Takes the issuer's keys from here instead of asking the token service.
    pub fn key_source(mut self, keys: Arc<dyn KeySource>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Asks this what reference tokens say, instead of the token service.
    pub fn introspector(mut self, introspector: Arc<dyn Introspector>) -> Self {
        self.introspector = Some(introspector);
        self
    }

    /// Keeps the key set in this file, and starts with it while the token
    /// service is away. Whoever can write the file decides which tokens are
    /// accepted, so one that group or others can write is not read.
    pub fn key_set_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_set_file = Some(path.into());
        self
    }

    /// How often at most a token that names an unknown key makes the guard
    /// fetch the key set. 10 s by default.
    pub fn key_fetch_interval(mut self, interval: Duration) -> Self {
        self.key_fetch_interval = interval;
        self
    }

    /// Who the guard is when it calls the token service. With this it watches
    /// revocations: what is revoked is refused within a second, and streams of it
    /// end. The client must be registered for the scope `revocations.watch` of the
    /// token service's own API.
    ///
    /// With the scope `introspect`, and registered to serve the resources here, it
    /// is told what reference tokens (`csa_…`) say.
    ///
    /// Without a client, a JWT that was revoked is accepted until it ends, and
    /// reference tokens are not accepted.
    pub fn client(mut self, id: impl Into<String>, credential: Credential) -> Self {
        self.client = Some((id.into(), credential));
        self
    }

    /// Learns from here what was revoked, instead of asking the token service.
    pub fn revocation_source(mut self, revocations: Arc<dyn RevocationSource>) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Lets nobody in once the guard has not heard of revocations for so long: at
    /// least 15 s. Without a limit it goes by what it knows until tokens end.
    pub fn knowledge_age_max(mut self, age: Duration) -> Self {
        self.knowledge_age_max = Some(age);
        self
    }

    /// Ends streams that have been open for so long. Without a limit they end with
    /// their token.
    pub fn stream_age_max(mut self, age: Duration) -> Self {
        self.stream_age_max = Some(age);
        self
    }

    /// Trusts this certificate authority (PEM) instead of the system's when
    /// calling the token service.
    pub fn trust_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.transport = self.transport.trust_ca(pem);
        self
    }

    /// Calls a token service on another machine without TLS. Only where
    /// something else encrypts the connection: whoever can change its answers
    /// decides which tokens are accepted.
    pub fn allow_plaintext(mut self) -> Self {
        self.transport = self.transport.allow_plaintext();
        self
    }

    /// Tells the time by this clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}
