//! The checks of a guarded call, in their order: cheap ones first, signatures
//! after them, and the ledger last, so that strangers can neither fill it nor
//! burn somebody else's `jti`.

mod asked;
mod head;
mod verdict;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_client::deadline;
use countersign_dpop::{Ath, Call, Limits, NonceStanding, Origin, Paths, VerifiedProof};
use countersign_jose::UnixTime;
use countersign_telemetry::{Called, Deciding, spans};

use self::head::Edge;
pub(crate) use self::head::Head;
pub(crate) use self::verdict::{
    Decision, Found, Observation, OpenStream, Permitted, Proven, Question, Refused, Verdict,
};
use crate::authority::online::Asking;
use crate::authority::{Authority, Claims, Vouched};
use crate::certificate::PeerCertificate;
use crate::credentials::{self, Presented, Scheme};
use crate::freshness::Freshness;
use crate::horizon::Horizon;
use crate::ledger::{Ledger, LedgerRefusal};
use crate::observe::{Observed, WouldRefuse};
use crate::permit::Permit;
use crate::published::Published;
use crate::refusal::{Refusal, TokenRefusal};
use crate::respond::{Responder, reason};
use crate::revocations::Watch;
use crate::routes::{Guarded, Route, Routes};
use crate::streams::{EndCause, OpenStreams};

/// Everything that a guard checks with.
pub(crate) struct Checks {
    pub(crate) routes: Routes,
    pub(crate) origins: Vec<Origin>,
    /// The resource of each origin, in the same order.
    pub(crate) resources: Vec<Arc<str>>,
    pub(crate) limits: Limits,
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) authority: Authority,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) horizon: Arc<Horizon>,
    pub(crate) streams: Arc<OpenStreams>,
    pub(crate) stream_age_max: Option<Duration>,
    pub(crate) responder: Responder,
    /// What HTTP clients may know of the resources.
    pub(crate) published: Published,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tally: Tally,
    /// Goes on for as long as anybody is guarded.
    pub(crate) _watch: Option<Watch>,
    /// What would have been refused. `None`: it is refused.
    pub(crate) observing: Option<Observed>,
}

/// What was found that someone should look into.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) bound_as_bearer: AtomicU64,
    pub(crate) ledger_full: AtomicU64,
    pub(crate) introspections_full: AtomicU64,
    pub(crate) cut_off: AtomicU64,
    pub(crate) knowledge_too_old: AtomicU64,
    pub(crate) bearer_accepted: AtomicU64,
}

/// An observing guard does not hold up a call for longer than that: what is found out later serves
/// the calls that follow.
const OBSERVER_WAITS: Duration = Duration::from_millis(250);

impl Checks {
    pub(crate) fn check(&self, head: Head<'_>) -> Verdict {
        let deciding = Deciding::begin();
        let verdict = match self.route(head) {
            Some(Route::Exempt) => Verdict::Decided(Decision::Exempt),
            Some(Route::Public) => Verdict::Decided(Decision::Public),
            Some(Route::Guarded(asked)) => {
                let now = self.now();
                self.guarded(head, asked, deciding, now)
                    .unwrap_or_else(|refusal| Verdict::Decided(self.refused(head, &refusal, now)))
            }
            None => {
                let now = self.clock.now();
                Verdict::Decided(self.refused(head, &Refusal::MethodNotAllowed, now))
            }
        };
        if let Verdict::Decided(decision) = &verdict {
            decision.measure(deciding, head.edge);
        }
        verdict
    }

    /// Waits for the answer; where the guard only observes, not for long.
    pub(crate) async fn find_out(&self, question: Question) -> Found {
        let finding = async {
            match question {
                Question::Key => {
                    self.authority.look_again().await;
                    Found::Keys
                }
                Question::Reference(asking) => Found::Said(asking.answer().await),
            }
        };
        match &self.observing {
            None => finding.await,
            // Both go on in tasks of their own.
            Some(_) => tokio::time::timeout(OBSERVER_WAITS, finding)
                .await
                .unwrap_or(Found::NotInTime),
        }
    }

    /// Goes on with what was found out.
    pub(crate) fn resume(&self, head: Head<'_>, proven: Proven, found: Found) -> Decision {
        let now = self.now();
        let deciding = proven.deciding;
        let verdict = match self.route(head) {
            Some(Route::Guarded(asked)) => match found {
                Found::Keys => credentials::access_token(head.headers)
                    .and_then(|presented| self.admit(head, presented.token, proven, asked, now)),
                Found::Said(answer) => self
                    .authority
                    .said(answer, now)
                    .and_then(|claims| self.admit_as(head, claims, proven.proof, asked, now)),
                Found::NotInTime => Err(Refusal::NotWaitedFor),
            },
            _ => Err(Refusal::MethodNotAllowed),
        };
        let decision = match verdict {
            Ok(Verdict::Decided(decision)) => decision,
            Ok(Verdict::Open(..)) => self.refused(head, &TokenRefusal::UnknownKey.into(), now),
            Err(refusal) => self.refused(head, &refusal, now),
        };
        decision.measure(deciding, head.edge);
        decision
    }

    fn route(&self, head: Head<'_>) -> Option<&Route> {
        match head.edge {
            Edge::Grpc => self.routes.find(head.path),
            Edge::Http => self.ruled(head).map(|(_, route)| route),
        }
    }

    fn ruled(&self, head: Head<'_>) -> Option<(&str, &Route)> {
        self.routes.find_http(head.method.as_str(), head.path)
    }

    fn now(&self) -> UnixTime {
        let now = self.clock.now();
        self.horizon.saw(now);
        now
    }

    pub(crate) async fn fetch_keys(&self) {
        self.authority.fetch_keys().await;
    }

    fn guarded(
        &self,
        head: Head<'_>,
        asked: &Guarded,
        deciding: Deciding,
        now: UnixTime,
    ) -> Result<Verdict, Refusal> {
        let presented = credentials::access_token(head.headers)?;
        let proven = self.prove(head, presented, deciding, now)?;
        self.admit(head, presented.token, proven, asked, now)
    }

    /// Up to the proof's signature.
    fn prove(
        &self,
        head: Head<'_>,
        presented: Presented<'_>,
        deciding: Deciding,
        now: UnixTime,
    ) -> Result<Proven, Refusal> {
        // Before any cryptography. HTTP has no deadlines.
        if head.edge == Edge::Grpc
            && deadline::timeout(head.headers).is_some_and(|left| left.is_zero())
        {
            return Err(Refusal::DeadlinePassed);
        }
        let ath = Ath::of(presented.token);
        let proof = match presented.scheme {
            Scheme::Dpop => Some(self.proof(head, &ath, now)?),
            // Accepted only under a grace; what it is decides as what it is refused.
            Scheme::Bearer => None,
        };
        Ok(Proven {
            proof,
            ath,
            deciding,
        })
    }

    fn proof(&self, head: Head<'_>, ath: &Ath, now: UnixTime) -> Result<VerifiedProof, Refusal> {
        let proof = credentials::proof(head.headers)?;
        let call = Call {
            method: head.method.as_str(),
            origins: &self.origins,
            path: head.path,
            paths: match head.edge {
                Edge::Grpc => Paths::Plain,
                Edge::Http => Paths::Encoded,
            },
            ath: Some(ath),
        };
        let rule = self.freshness.rule(now);
        let verified = spans::proof_verify()
            .in_scope(|| countersign_dpop::verify(proof, &call, &self.limits, &rule, now))?;
        spans::note_jkt(&verified.jkt);
        Ok(verified)
    }

    /// From the token's signature on.
    fn admit(
        &self,
        head: Head<'_>,
        token: &str,
        proven: Proven,
        asked: &Guarded,
        now: UnixTime,
    ) -> Result<Verdict, Refusal> {
        let claims = match self.authority.vouch(token, &proven.ath, now)? {
            Vouched::For(claims) => claims,
            Vouched::KeyUnknown => return Ok(Verdict::Open(Question::Key, proven)),
            Vouched::ToBeAsked => {
                let asking = self.ask(token, &proven)?;
                return Ok(Verdict::Open(Question::Reference(asking), proven));
            }
        };
        self.admit_as(head, claims, proven.proof, asked, now)
    }

    /// Strangers make up proofs as they make up tokens, but each costs them a
    /// signature: without one nobody is asked.
    fn ask(&self, token: &str, proven: &Proven) -> Result<Asking, Refusal> {
        if let Some(proof) = &proven.proof {
            return self.authority.ask(token, &proven.ath, proof.jkt);
        }
        if !self.authority.once_knew(&proven.ath) {
            return Err(TokenRefusal::ReferenceAsBearer.into());
        }
        self.tally.bound_as_bearer.fetch_add(1, Ordering::Relaxed);
        Err(TokenRefusal::BoundAsBearer.into())
    }

    /// From what the token says on.
    fn admit_as(
        &self,
        head: Head<'_>,
        claims: Arc<Claims>,
        proof: Option<VerifiedProof>,
        asked: &Guarded,
        now: UnixTime,
    ) -> Result<Verdict, Refusal> {
        spans::note_client(&claims.client_id);
        self.note_knowledge();
        let proof = self.bound(&claims, proof, asked)?;
        shown(&claims, head)?;
        self.not_revived(&claims, proof.as_ref())?;
        let resource = self
            .resource(&claims, proof.as_ref(), asked)
            .ok_or(TokenRefusal::WrongAudience)?;
        asked::sufficient(&claims, &asked.needs, now, self.horizon.latest())?;
        match &proof {
            Some(proof) => self.ledger.spend(proof, now)?,
            None => self.accepted_bearer(&claims),
        }

        let stream =
            (asked.needs.streaming && self.observing.is_none()).then(|| self.open(&claims));
        let jkt = proof.as_ref().map(|proof| proof.jkt);
        Ok(Verdict::Decided(Decision::Permitted(Permitted {
            permit: Permit::new(claims, Arc::clone(resource), jkt),
            nonce: match proof.map(|proof| proof.nonce) {
                Some(NonceStanding::Expiring) => self.freshness.rule(now).mint(now),
                Some(NonceStanding::Fresh | NonceStanding::Absent) | None => None,
            },
            stream,
        })))
    }

    fn open(&self, claims: &Arc<Claims>) -> OpenStream {
        let authority = &self.authority;
        let place = self.streams.open(Arc::clone(claims), |claims| {
            authority.not_revoked(claims).is_ok() && authority.signer_stands(claims)
        });
        // Not by the clock, which may be set back: the stream would outlive its token.
        let left = claims.expires_at.since(self.horizon.latest());
        let (ends_in, cause) = match self.stream_age_max {
            Some(max) if max < left => (max, EndCause::TooOld),
            Some(_) | None => (left, EndCause::Expired),
        };
        OpenStream {
            ends_in,
            cause,
            place,
        }
    }

    /// Where revocations are not heard of as they happen, the call is counted, and
    /// its span says how old what is known of them is.
    fn note_knowledge(&self) {
        let knowledge = self.authority.knowledge();
        if knowledge.is_kept() && !knowledge.is_live() {
            self.tally.cut_off.fetch_add(1, Ordering::Relaxed);
            spans::note_knowledge_age(knowledge.age());
        }
    }

    /// The resource that is called, if the token is for it: the rule's, else that
    /// of the proof's origin. A bearer token proves no origin: then one of ours.
    fn resource<'a>(
        &'a self,
        claims: &Claims,
        proof: Option<&VerifiedProof>,
        asked: &'a Guarded,
    ) -> Option<&'a Arc<str>> {
        let is_for = |resource: &&Arc<str>| claims.is_for(resource);
        match (&asked.needs.resource, proof) {
            (Some(resource), _) => Some(resource).filter(is_for),
            (None, Some(proof)) => Some(&self.resources[proof.origin]).filter(is_for),
            (None, None) => self.resources.iter().find(is_for),
        }
    }

    /// Decides by the token, not by the scheme (RFC 9449 §6, §7.2).
    fn bound(
        &self,
        claims: &Claims,
        proof: Option<VerifiedProof>,
        asked: &Guarded,
    ) -> Result<Option<VerifiedProof>, TokenRefusal> {
        match (claims.jkt, proof) {
            (Some(jkt), Some(proof)) if jkt == proof.jkt => Ok(Some(proof)),
            (Some(_), Some(_)) => Err(TokenRefusal::OtherKey),
            (Some(_), None) => {
                self.tally.bound_as_bearer.fetch_add(1, Ordering::Relaxed);
                Err(TokenRefusal::BoundAsBearer)
            }
            // A clock that is set back does not begin the grace anew.
            (None, None)
                if asked
                    .bearer_until
                    .is_some_and(|until| !self.horizon.is_past(until)) =>
            {
                Ok(None)
            }
            (None, _) => Err(TokenRefusal::Unbound),
        }
    }

    fn accepted_bearer(&self, claims: &Claims) {
        self.tally.bearer_accepted.fetch_add(1, Ordering::Relaxed);
        countersign_telemetry::bearer_accepted(&claims.client_id);
    }

    /// A clock that is set back revives no token that had expired.
    fn not_revived(&self, claims: &Claims, proof: Option<&VerifiedProof>) -> Result<(), Refusal> {
        if !self.horizon.is_past(claims.expires_at) {
            return Ok(());
        }
        // The ledger would not take the proof either: say that, since "expired"
        // makes clients ask for another token, which would not help.
        if proof.is_some_and(|proof| self.horizon.is_past(proof.remember_until)) {
            return Err(LedgerRefusal::Forgotten.into());
        }
        Err(TokenRefusal::Expired.into())
    }

    fn refused(&self, head: Head<'_>, refusal: &Refusal, now: UnixTime) -> Decision {
        let tallied = match refusal {
            Refusal::Ledger(LedgerRefusal::Full | LedgerRefusal::KeyFull) => {
                Some(&self.tally.ledger_full)
            }
            Refusal::IntrospectionsFull | Refusal::IntrospectionsKeyFull => {
                Some(&self.tally.introspections_full)
            }
            Refusal::KnowledgeTooOld => Some(&self.tally.knowledge_too_old),
            _ => None,
        };
        if let Some(tally) = tallied {
            tally.fetch_add(1, Ordering::Relaxed);
        }
        let nonce = match refusal {
            Refusal::Proof(proof) if proof.asks_for_nonce() => self.freshness.rule(now).mint(now),
            _ => None,
        };
        match &self.observing {
            None => {
                countersign_telemetry::refused(reason(refusal).as_str_name(), refusal.label());
                Decision::Refused(Box::new(Refused {
                    refusal: refusal.clone(),
                    nonce,
                    resource: self.named_resource(head),
                }))
            }
            Some(observed) => {
                let found = WouldRefuse::new(reason(refusal), refusal.clone());
                observed.count(found.reason());
                let reason = found.reason().as_str_name();
                countersign_telemetry::would_refuse(self.name(head), reason, found.cause());
                Decision::Observed(Box::new(Observation { found, nonce }))
            }
        }
    }

    /// The resource that the rule of a request names.
    fn named_resource(&self, head: Head<'_>) -> Option<Arc<str>> {
        match self.route(head) {
            Some(Route::Guarded(guarded)) => guarded.needs.resource.clone(),
            Some(Route::Exempt | Route::Public) | None => None,
        }
    }

    /// What a call is named in logs. An HTTP path may name a person or a secret: its rule is named
    /// instead.
    fn name<'a>(&'a self, head: Head<'a>) -> Called<'a> {
        match head.edge {
            Edge::Grpc => Called::Path(head.path),
            Edge::Http => Called::Rule(self.ruled(head).map_or("no rule", |(name, _)| name)),
        }
    }
}

/// RFC 8705 §3: a token that is bound to a certificate is worth nothing over a connection without that
/// very one, whatever key its proof has.
fn shown(claims: &Claims, head: Head<'_>) -> Result<(), TokenRefusal> {
    match claims.certificate {
        None => Ok(()),
        Some(bound) if PeerCertificate::among(head.extensions) == Some(bound) => Ok(()),
        Some(_) => Err(TokenRefusal::OtherCertificate),
    }
}
