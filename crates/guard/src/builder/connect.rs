//! Starting a guard as it was described.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::Countersign;
use countersign_client::random;
use countersign_dpop::{NonceKey, Origin, without_userinfo};
use countersign_jose::Algorithm;

use super::{BuildError, Builder, RuleText};
use crate::authority::Authority;
use crate::authority::online::{Introspector, Online, TokenServiceIntrospection};
use crate::check::{Checks, Tally};
use crate::freshness::{Freshness, Sharing};
use crate::guard::Guard;
use crate::keys::{Fetched, KeyRing, KeySetFile, TokenServiceKeys};
use crate::observe::Observed;
use crate::published::{Published, Terms};
use crate::readiness::Readiness;
use crate::respond::Responder;
use crate::revocations::{Kept, Knowledge, RevocationSource, TokenServiceRevocations, Watch};
use crate::routes::{Routes, read_rules};

/// What a client of the token service needs to watch revocations.
const WATCH_SCOPE: &str = "revocations.watch";

/// Three heartbeats of the token service: one may be late.
const KNOWLEDGE_AGE_LEAST: Duration = Duration::from_secs(15);

impl Builder {
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
        let terms = Terms {
            issuer: &issuer,
            algorithms: self.limits.algorithms.iter().map(Algorithm::name).collect(),
            bearer_too: !self.bearer.is_empty(),
        };
        let published = Published::of(&resources, &routes, &terms);
        let checks = Checks {
            published,
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
        Ok(Guard::new(checks, &readiness))
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
                uri: without_userinfo(uri).into_owned(),
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
