//! Describing a guard.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use countersign_client::clock::{Clock, SystemClock};
use countersign_client::random::{self, NoRandomness};
use countersign_client::transport::Transport;
use countersign_client::{ConnectError, Countersign, Credential};
use countersign_dpop::{Limits, NonceKey, Origin, OriginError};
use countersign_jose::Algorithms;

use crate::authority::Authority;
use crate::authority::online::{Introspector, Online, TokenServiceIntrospection};
use crate::check::{Checks, Tally};
use crate::freshness::{Freshness, NonceMode, Sharing};
use crate::guard::Guard;
use crate::horizon::Horizon;
use crate::keys::{Fetched, KeyRing, KeySetFile, KeySource, TokenServiceKeys};
use crate::ledger::{Ledger, LedgerLimits};
use crate::respond::Responder;
use crate::routes::{Routes, RulesError};

/// A new key is published long before it signs, so a token that names an
/// unknown one is nearly always forged; this is how often strangers can make
/// the guard ask.
const KEY_FETCH_INTERVAL: Duration = Duration::from_secs(10);

/// Why a guard does not start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It was not told where it is reached.
    #[error("no origin: call serve(\"https://…\") with the URL that clients call")]
    NoOrigin,
    /// It was told wrongly.
    #[error(
        "{uri:?} is not an origin: {cause}. Give scheme, host and port, such as https://orders.internal:8443"
    )]
    Origin {
        /// As given.
        uri: String,
        /// What is wrong with it.
        cause: OriginError,
    },
    /// The rules are wrong.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// No method has a rule, so every call would be refused.
    #[error(
        "no method has a rule: add the option countersign.policy.v1.rule to the rpcs, and give descriptors() a set encoded by protox or protoc (prost's own types drop options)"
    )]
    NoRules,
    /// The token service's URL is wrong.
    #[error("the token service: {0}")]
    TokenService(#[from] ConnectError),
    /// The token service's issuer is another one.
    #[error(
        "the token service is the issuer {published:?}, and {expected:?} was expected: call issuer({published:?}) if that is right"
    )]
    OtherIssuer {
        /// What it says.
        published: String,
        /// What it was expected to say.
        expected: String,
    },
    /// No nonce key could be made.
    #[error("no nonce key could be made: {0}")]
    Randomness(#[from] NoRandomness),
}

/// Describes a guard.
#[must_use]
pub struct Builder {
    token_service: String,
    issuer: Option<String>,
    /// Origins and their resources.
    origins: Vec<(String, String)>,
    descriptors: Vec<Vec<u8>>,
    exempt: Vec<String>,
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
            exempt: Vec::new(),
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

    /// Leaves a service (`grpc.health.v1.Health`) or a method
    /// (`/package.Service/Method`) alone, whatever its rule: calls are not
    /// checked, and answers not touched.
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

    /// Who the guard is where it asks the token service for more than keys, and
    /// how it shows it. Needed for reference tokens (`csa_…`): then the client
    /// must be registered to serve the resources here, with the scope
    /// `introspect` of the token service itself.
    pub fn client(mut self, id: impl Into<String>, credential: Credential) -> Self {
        self.client = Some((id.into(), credential));
        self
    }

    /// Asks this what reference tokens say, instead of the token service.
    pub fn introspector(mut self, introspector: Arc<dyn Introspector>) -> Self {
        self.introspector = Some(introspector);
        self
    }

    /// Keeps the key set in this file, and starts with it while the token
    /// service is away. Whoever can write the file decides which tokens are
    /// accepted.
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

    /// Fetches the key set and starts the guard. A token service that does not
    /// answer is no error: the guard refuses with AUTHORITY_UNREACHABLE and is
    /// not [ready](Guard::readiness) until it does.
    ///
    /// # Errors
    /// When the configuration is wrong; see [`BuildError`].
    pub async fn connect(self) -> Result<Guard, BuildError> {
        let routes = self.routes()?;
        let (origins, resources) = self.served()?;
        let freshness = self.own_or_shared_freshness()?;
        let issuer = self.issuer.unwrap_or_else(|| self.token_service.clone());
        let countersign = match self.client {
            Some((id, credential)) => Some(
                countersign_client::Builder::new(&self.token_service)
                    .client(id, credential)
                    .issuer(&issuer)
                    .origin(&issuer)
                    .transport(self.transport.clone())
                    .clock(Arc::clone(&self.clock))
                    .connect()
                    .await?,
            ),
            None => None,
        };
        let asked = asked(
            self.introspector,
            countersign.as_ref(),
            &self.token_service,
            &issuer,
        );
        // Nobody tells of revocations as they happen yet.
        let watch_is_live = Arc::<AtomicBool>::default();
        let online = asked
            .await?
            .map(|asked| Online::new(asked, &issuer, Arc::clone(&self.clock), watch_is_live));
        let source = match self.keys {
            Some(source) => source,
            None => Arc::new(TokenServiceKeys::new(
                self.transport.channel(&self.token_service)?,
            )),
        };
        let file = self.key_set_file.map(KeySetFile::new);
        let keys = KeyRing::new(issuer.clone(), source, file, self.key_fetch_interval);
        let authority =
            Authority::new(&issuer, self.token_algorithms, Arc::clone(&keys)).and_online(online);

        let first = keys.begin().await;
        if let Fetched::OfAnother(published) = first {
            return Err(BuildError::OtherIssuer {
                published,
                expected: issuer,
            });
        }
        keys.keep_fresh(&first);
        let checks = Checks {
            routes,
            origins,
            resources,
            responder: Responder::new(self.limits.algorithms),
            horizon: Horizon::default(),
            limits: self.limits,
            freshness,
            authority,
            ledger: self.ledger.unwrap_or_default(),
            clock: self.clock,
            tally: Tally::default(),
        };
        Ok(Guard::new(checks, keys.readiness()))
    }

    fn routes(&self) -> Result<Routes, BuildError> {
        let mut routes = Routes::default();
        for descriptors in &self.descriptors {
            routes.add(descriptors)?;
        }
        if routes.is_empty() {
            return Err(BuildError::NoRules);
        }
        for name in &self.exempt {
            routes.exempt(name)?;
        }
        Ok(routes)
    }

    fn served(&self) -> Result<(Vec<Origin>, Vec<Arc<str>>), BuildError> {
        if self.origins.is_empty() {
            return Err(BuildError::NoOrigin);
        }
        let parse = |(uri, resource): &(String, String)| {
            let origin = Origin::parse(uri).map_err(|cause| BuildError::Origin {
                uri: uri.clone(),
                cause,
            })?;
            Ok((origin, Arc::from(resource.as_str())))
        };
        self.origins.iter().map(parse).collect()
    }

    fn own_or_shared_freshness(&self) -> Result<Arc<Freshness>, BuildError> {
        if let Some(shared) = &self.freshness {
            return Ok(Arc::clone(shared));
        }
        let started = self.clock.now();
        let of = |key: &NonceKey, sharing| {
            Freshness::new(self.nonces, key, sharing, &self.limits, started)
        };
        Ok(Arc::new(match &self.nonce_key {
            Some(key) => of(key, Sharing::Replicas),
            None => of(&NonceKey::new(random::bytes()?), Sharing::Private),
        }))
    }
}

/// Whom to ask about reference tokens, if there is somebody.
async fn asked(
    own: Option<Arc<dyn Introspector>>,
    countersign: Option<&Countersign>,
    url: &str,
    issuer: &str,
) -> Result<Option<Arc<dyn Introspector>>, ConnectError> {
    match (own, countersign) {
        (Some(own), _) => Ok(Some(own)),
        (None, Some(countersign)) => {
            let service = TokenServiceIntrospection::connect(countersign, url, issuer).await?;
            Ok(Some(Arc::new(service)))
        }
        (None, None) => Ok(None),
    }
}
