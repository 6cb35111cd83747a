//! The only place that decides and commits: load, decide, spend the proof, commit; and when the
//! commit lost a race, load and decide again.

#[cfg(test)]
mod scheduled;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use countersign_client::clock::Clock;
use countersign_dpop::VerifiedProof;
use countersign_issuer::model::ClientId;
use countersign_issuer::{
    AuthenticationCause, Decision, Issuer, Lifetimes, MacKeys, Refusal, Version,
};
use countersign_jose::UnixTime;
use http::HeaderMap;

use crate::audit::Audit;
use crate::called::Called;
use crate::overload::Visit;
use crate::proof::Proofs;
use crate::records::{Outcome, Records};
use crate::refused::{Fault, Refused};
use crate::steady::Steady;

/// Racers of one record win one after the other: so many in a row means that something else is
/// wrong, and the caller may try again later.
const ATTEMPTS_MAX: usize = 8;

/// Decides and commits.
#[derive(Clone)]
pub(crate) struct Engine {
    pub(crate) records: Records,
    /// Exchanged when the configuration is read again.
    pub(crate) issuer: Arc<ArcSwap<Issuer>>,
    pub(crate) proofs: Arc<Proofs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) steady: Arc<Steady>,
    pub(crate) audit: Arc<Audit>,
}

/// What a decision may know besides the request and the records.
#[derive(Copy, Clone)]
pub(crate) struct Moment<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) now: UnixTime,
    /// Charged when the caller has shown who it is.
    pub(crate) visit: Option<&'a Visit<'a>>,
}

/// One thing that can be asked of the issuer. Asked again when its commit lost a race, so it holds
/// what must not change between attempts: random identifiers above all.
#[tonic::async_trait]
pub(crate) trait Operation: Send + Sync {
    /// What is answered when it is granted.
    type Answer: Send;

    /// The client that asks, as it says: it is known when the decision authenticates it.
    fn caller(&self) -> Option<&ClientId> {
        None
    }

    /// Loads what the decision needs, and decides.
    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<Self::Answer>, Refused>;
}

/// What was decided, and committed.
#[derive(Debug)]
pub(crate) struct Decided<T> {
    pub(crate) answer: T,
    /// The version of the records that were written.
    pub(crate) version: Option<Version>,
}

impl<T> Decided<T> {
    /// The version of the records that were written, where something always is.
    pub(crate) fn written(&self) -> Result<Version, Refused> {
        self.version.ok_or(Refused::Fault(Fault::NothingWritten))
    }
}

impl Engine {
    /// The time now, at this edge. It stands still while a clock that was set back a little
    /// catches up.
    pub(crate) fn now(&self) -> UnixTime {
        self.steady.at(self.clock.now())
    }

    /// The time that proofs are judged by: the clock's own, since callers go by theirs. The ledger
    /// sees to it that none is accepted twice.
    pub(crate) fn proof_time(&self) -> UnixTime {
        self.clock.now()
    }

    /// On whose behalf decisions are made. Its name never changes.
    pub(crate) fn issuer(&self) -> Guard<Arc<Issuer>> {
        self.issuer.load()
    }

    /// Things that are made from now on live so long. A decision under way ends with what it began
    /// with.
    pub(crate) fn replace_lifetimes(&self, lifetimes: Lifetimes) {
        self.issuer.rcu(|issuer| Issuer {
            lifetimes,
            ..Issuer::clone(issuer)
        });
    }

    /// Handles are made and recognised with these keys from now on. A call under way ends with
    /// those that it began with.
    pub(crate) fn replace_mac_keys(&self, mac_keys: &MacKeys) {
        self.issuer.rcu(|issuer| Issuer {
            mac_keys: mac_keys.clone(),
            ..Issuer::clone(issuer)
        });
    }

    /// Decides and commits, for a caller that somebody else has let in.
    pub(crate) async fn decide<O: Operation>(
        &self,
        operation: &O,
    ) -> Result<Decided<O::Answer>, Refused> {
        self.decide_for(None, operation, None).await
    }

    /// Verifies the one proof in `headers`. It is not spent yet.
    pub(crate) fn proof(
        &self,
        headers: &HeaderMap,
        called: &Called,
    ) -> Result<VerifiedProof, Refused> {
        let now = self.proof_time();
        let verified = self.proofs.verify(headers, called, now);
        // Whose it is nobody knows yet.
        verified.inspect_err(|refused| self.audit.refused(None, refused, now))
    }

    /// As [`Self::proof`], where a proof may also be absent.
    pub(crate) fn proof_if_any(
        &self,
        headers: &HeaderMap,
        called: &Called,
    ) -> Result<Option<VerifiedProof>, Refused> {
        let now = self.proof_time();
        let verified = self.proofs.verify_if_any(headers, called, now);
        verified.inspect_err(|refused| self.audit.refused(None, refused, now))
    }

    /// Decides, spends `proof` where there is one, charges `visit`, and commits.
    pub(crate) async fn decide_for<O: Operation>(
        &self,
        visit: Option<&Visit<'_>>,
        operation: &O,
        proof: Option<&VerifiedProof>,
    ) -> Result<Decided<O::Answer>, Refused> {
        let mut has_event = false;
        let decided = self.attempt(visit, operation, proof, &mut has_event).await;
        if let Err(refused) = &decided
            && !has_event
            && let Some(caller) = operation.caller()
        {
            self.audit.refused(Some(caller), refused, self.now());
        }
        decided
    }

    /// `has_event`: a refusal that is committed with an event of its own need not be counted.
    async fn attempt<O: Operation>(
        &self,
        visit: Option<&Visit<'_>>,
        operation: &O,
        proof: Option<&VerifiedProof>,
        has_event: &mut bool,
    ) -> Result<Decided<O::Answer>, Refused> {
        let mut unspent = proof;
        // Once: attempts that lost a race decide by the same rules.
        let issuer = self.issuer.load_full();
        for _ in 0..ATTEMPTS_MAX {
            let now = self.now();
            let at = Moment {
                issuer: &issuer,
                now,
                visit,
            };
            let decision = operation.decide(&self.records, at).await?;
            // A refusal that writes nothing leaves the proof unspent: it changed nothing, and
            // refused strangers fill no ledger.
            let nothing_happens = decision.answer.is_err() && decision.change.is_empty();
            if !nothing_happens && let Some(proof) = unspent.take() {
                self.proofs.spend(proof, now)?;
            }
            // Nobody else can have spent it, so it pays, also for a question that has to be asked
            // again.
            if !nothing_happens && let Some(visit) = visit {
                visit.granted();
            }
            if decision.change.is_empty() {
                return Ok(Decided {
                    answer: decision.answer?,
                    version: None,
                });
            }
            match self.records.commit(&decision.change).await? {
                Outcome::Done(version) => {
                    *has_event = !decision.change.events.is_empty();
                    return Ok(Decided {
                        answer: decision.answer?,
                        version: Some(version),
                    });
                }
                Outcome::AssertionReplayed => {
                    let cause = AuthenticationCause::AssertionReplayed;
                    return Err(Refusal::ClientAuthentication(cause).into());
                }
                Outcome::Raced => {}
            }
        }
        Err(Refused::Contended)
    }
}
