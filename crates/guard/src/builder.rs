//! Describing a guard.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::{Clock, SystemClock};
use countersign_client::random::{self, NoRandomness};
use countersign_client::transport::Transport;
use countersign_client::{ConnectError, Countersign, Credential};
use countersign_dpop::{Limits, NonceKey, Origin, OriginError};
use countersign_jose::{Algorithms, UnixTime};

use crate::authority::Authority;
use crate::authority::online::{Introspector, Online, TokenServiceIntrospection};
use crate::check::{Checks, Tally};
use crate::freshness::{Freshness, NonceMode, Sharing};
use crate::guard::Guard;
use crate::keys::{Fetched, KeyRing, KeySetFile, KeySource, TokenServiceKeys};
use crate::ledger::{Ledger, LedgerLimits};
use crate::observe::Observed;
use crate::readiness::Readiness;
use crate::respond::Responder;
use crate::revocations::{Kept, Knowledge, RevocationSource, TokenServiceRevocations, Watch};
use crate::routes::{Routes, RulesError, read_rules};

/// A new key is published long before it signs, so a token that names an
/// unknown one is nearly always forged; this is how often strangers can make
/// the guard ask.
const KEY_FETCH_INTERVAL: Duration = Duration::from_secs(10);

/// What a client of the token service needs to watch revocations.
const WATCH_SCOPE: &str = "revocations.watch";

/// Three heartbeats of the token service: one may be late.
const KNOWLEDGE_AGE_LEAST: Duration = Duration::from_secs(15);

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
        "no method has a rule: add the option countersign.policy.v1.rule to the rpcs, and give descriptors() a set encoded by protox or protoc (prost's own types drop options); or give rules_file() a file"
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
    /// The limit is shorter than the time between two signs of life.
    #[error(
        "knowledge_age_max is {0:?}: give at least 15 s, three times what the token service lets pass between two signs of life"
    )]
    KnowledgeAge(Duration),
    /// There is a limit, and nothing that it could be kept with.
    #[error(
        "knowledge_age_max is set, and revocations are not watched: call client(…), or revocation_source(…)"
    )]
    NoWatch,
    /// No nonce key could be made.
    #[error(
        "no nonce key could be made: {0}. Give one with nonce_key(…), or look why the system has no random bytes"
    )]
    Randomness(#[from] NoRandomness),
}

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
    /// ```
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
    /// [counted](Guard::would_have_refused), logged as a warning with reason and
    /// method, and noted in the trace.
    ///
    /// A handler gets a [`Permit`](crate::Permit) only where every check passed.
    /// Otherwise the request holds a [`WouldRefuse`](crate::WouldRefuse), and
    /// `request.permit()` fails with what the guard would have answered: so a
    /// handler that needs a permit refuses by itself, and one that does not goes
    /// on. Streams are not ended with their token, and that is not counted. Spent
    /// proofs are remembered, and nonces handed out, as always.
    pub fn observe(mut self) -> Self {
        self.observing = true;
        self
    }

    /// Accepts tokens that are bound to no key as bearer tokens
    /// (`authorization: Bearer …`) for one method (`/package.Service/Method`)
    /// until then, for callers that have no DPoP yet. Everything else about the
    /// token is checked. Whoever reads such a token on its way can use it: each
    /// one is [counted](crate::Counts::bearer_tokens_accepted) and logged as a
    /// warning. A token that is bound to a key stays refused as a bearer token.
    pub fn accept_bearer(mut self, method: impl Into<String>, until: UnixTime) -> Self {
        self.bearer.push((method.into(), until));
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

    /// Fetches the key set and starts the guard. A token service that does not
    /// answer is no error: the guard refuses with AUTHORITY_UNREACHABLE and is
    /// not [ready](Guard::readiness) until it does.
    ///
    /// # Errors
    /// When the configuration is wrong; see [`BuildError`].
    pub async fn connect(mut self) -> Result<Guard, BuildError> {
        let routes = self.routes()?;
        let (origins, resources) = self.served()?;
        let freshness = self.own_or_shared_freshness()?;
        let issuer = self
            .issuer
            .clone()
            .unwrap_or_else(|| self.token_service.clone());
        let countersign = self.countersign(&issuer).await?;
        let revocations = self.revocation_watch(&issuer, countersign.as_ref()).await?;
        let asked = self.asked(&issuer, countersign.as_ref()).await?;
        let source = match self.keys {
            Some(source) => source,
            None => Arc::new(TokenServiceKeys::new(
                self.transport.channel(&self.token_service)?,
            )),
        };
        let readiness = Arc::new(Readiness::default());
        let file = self.key_set_file.map(KeySetFile::new);
        let interval = self.key_fetch_interval;
        let keys = KeyRing::new(
            issuer.clone(),
            source,
            file,
            interval,
            Arc::clone(&readiness),
        );
        let kept = Kept {
            set: Arc::default(),
            streams: Arc::default(),
            knowledge: Arc::new(match revocations {
                Some(_) => Knowledge::new(self.knowledge_age_max),
                None => Knowledge::none(),
            }),
            horizon: Arc::default(),
            clock: Arc::clone(&self.clock),
            readiness: Arc::clone(&readiness),
        };
        let streams = Arc::clone(&kept.streams);
        let horizon = Arc::clone(&kept.horizon);
        let online = asked.map(|asked| {
            let knowledge = Arc::clone(&kept.knowledge);
            let watch_is_live = Box::new(move || knowledge.is_live());
            Online::new(asked, &issuer, Arc::clone(&self.clock), watch_is_live)
        });
        let authority = Authority::new(&issuer, self.token_algorithms, Arc::clone(&keys), &kept)
            .and_online(online);

        let first = keys.begin().await;
        if let Fetched::OfAnother(published) = first {
            return Err(BuildError::OtherIssuer {
                published,
                expected: issuer,
            });
        }
        keys.keep_fresh(&first);
        let watch = match revocations {
            Some(source) => Some(Watch::begin(source, kept).await),
            None => None,
        };
        if self.observing {
            tracing::warn!("observing: this guard refuses nothing");
        }
        for (method, until) in &self.bearer {
            let until_secs = until.as_secs();
            tracing::warn!(
                method,
                until_secs,
                over = self.clock.now() >= *until,
                "bearer tokens are accepted"
            );
        }
        let checks = Checks {
            routes,
            origins,
            resources,
            responder: Responder::new(self.limits.algorithms),
            limits: self.limits,
            freshness,
            authority,
            ledger: self.ledger.unwrap_or_default(),
            horizon,
            streams,
            stream_age_max: self.stream_age_max,
            clock: self.clock,
            tally: Tally::default(),
            _watch: watch,
            observing: self.observing.then(Observed::default),
        };
        Ok(Guard::new(checks, readiness.subscribe()))
    }

    /// Where revocations are learnt from, if they are.
    async fn revocation_watch(
        &self,
        issuer: &str,
        countersign: Option<&Countersign>,
    ) -> Result<Option<Arc<dyn RevocationSource>>, BuildError> {
        if let Some(age) = self.knowledge_age_max {
            if age < KNOWLEDGE_AGE_LEAST {
                return Err(BuildError::KnowledgeAge(age));
            }
            if countersign.is_none() && self.revocations.is_none() {
                return Err(BuildError::NoWatch);
            }
        }
        if let Some(source) = &self.revocations {
            return Ok(Some(Arc::clone(source)));
        }
        let Some(countersign) = countersign else {
            return Ok(None);
        };
        let channel = countersign
            .channel(&self.token_service)
            .origin(issuer)
            .resource(issuer)
            .scopes([WATCH_SCOPE])
            .connect()
            .await?;
        Ok(Some(Arc::new(TokenServiceRevocations::new(channel))))
    }

    /// Whom to ask about reference tokens, if there is somebody.
    async fn asked(
        &self,
        issuer: &str,
        countersign: Option<&Countersign>,
    ) -> Result<Option<Arc<dyn Introspector>>, BuildError> {
        if let Some(own) = &self.introspector {
            return Ok(Some(Arc::clone(own)));
        }
        let Some(countersign) = countersign else {
            return Ok(None);
        };
        let service = TokenServiceIntrospection::connect(countersign, &self.token_service, issuer);
        Ok(Some(Arc::new(service.await?)))
    }

    /// The guard as a client of the token service, if it is one.
    async fn countersign(&mut self, issuer: &str) -> Result<Option<Countersign>, BuildError> {
        let Some((id, credential)) = self.client.take() else {
            return Ok(None);
        };
        let client = countersign_client::Builder::new(&self.token_service)
            .issuer(issuer)
            // Its own name is one that it takes proofs for, however it is reached.
            .origin(issuer)
            .client(id, credential)
            .transport(self.transport.clone())
            .clock(Arc::clone(&self.clock));
        Ok(Some(client.connect().await?))
    }

    fn routes(&self) -> Result<Routes, BuildError> {
        let mut routes = Routes::default();
        for descriptors in &self.descriptors {
            routes.add(descriptors)?;
        }
        for rules in &self.rules {
            match rules {
                RuleText::Here(text) => routes.configure("rules", text)?,
                RuleText::In(path) => {
                    routes.configure(&path.display().to_string(), &read_rules(path)?)?;
                }
            }
        }
        if routes.is_empty() {
            return Err(BuildError::NoRules);
        }
        for name in &self.exempt {
            routes.exempt(name)?;
        }
        for (method, until) in &self.bearer {
            routes.accept_bearer(method, *until)?;
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
