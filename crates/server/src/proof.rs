//! DPoP at the token service (RFC 9449 §5): every token request carries one proof, made for one of
//! the service's own origins. Here no access token is presented, so `ath` is ignored.

use std::sync::Arc;

use countersign_dpop::{
    Call, Limits, NonceStanding, Origin, Paths, Refusal, VerifiedProof, sole_proof,
};
use countersign_guard::{Freshness, Ledger};
use countersign_jose::UnixTime;
use countersign_telemetry::spans;
use http::HeaderMap;

use crate::called::Called;
use crate::refused::{Challenge, Refused};

/// What proofs are judged by, and where spent ones are remembered.
pub(crate) struct Proofs {
    pub(crate) origins: Vec<Origin>,
    pub(crate) limits: Limits,
    /// Nonces and the cold start: what was spent before a restart asks for a nonce after it.
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Proofs {
    /// Verifies the one proof in `headers`. It is not spent yet.
    pub(crate) fn verify(
        &self,
        headers: &HeaderMap,
        called: &Called,
        now: UnixTime,
    ) -> Result<VerifiedProof, Refused> {
        spans::proof_verify().in_scope(|| {
            let proof = self
                .judge(headers, called, now)
                .map_err(|refusal| self.refuse(refusal, now))?;
            spans::note_jkt(&proof.jkt);
            Ok(proof)
        })
    }

    /// As [`Self::verify`], where a proof may also be absent.
    pub(crate) fn verify_if_any(
        &self,
        headers: &HeaderMap,
        called: &Called,
        now: UnixTime,
    ) -> Result<Option<VerifiedProof>, Refused> {
        if headers.contains_key("dpop") || headers.contains_key("dpop-bin") {
            self.verify(headers, called, now).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Spends a proof: the last step before anything is written or answered, so that nobody can
    /// fill the ledger, or burn another's `jti`, with a request that is refused anyway.
    pub(crate) fn spend(&self, proof: &VerifiedProof, now: UnixTime) -> Result<(), Refused> {
        self.ledger.spend(proof, now).map_err(Refused::Ledger)
    }

    /// The nonce to hand out with a success: one ahead of time, when the client's is about to end.
    pub(crate) fn next_nonce(&self, proof: &VerifiedProof, now: UnixTime) -> Option<String> {
        match proof.nonce {
            NonceStanding::Expiring => self.freshness.rule(now).mint(now),
            NonceStanding::Absent | NonceStanding::Fresh => None,
        }
    }

    fn judge(
        &self,
        headers: &HeaderMap,
        called: &Called,
        now: UnixTime,
    ) -> Result<VerifiedProof, Refusal> {
        // A binary header is decoded by some stacks and not by others: what one checks, another
        // may not see. Alone it is no proof.
        if headers.contains_key("dpop") && headers.contains_key("dpop-bin") {
            return Err(Refusal::SeveralProofs);
        }
        // RFC 9449 §4.3 (1): not more than one field.
        let proof = sole_proof(headers.get_all("dpop").iter().map(|value| value.as_bytes()))?;
        let call = Call {
            method: called.method(),
            origins: &self.origins,
            path: called.path(),
            paths: Paths::Plain,
            ath: None,
        };
        let rule = self.freshness.rule(now);
        countersign_dpop::verify(proof, &call, &self.limits, &rule, now)
    }

    fn refuse(&self, refusal: Refusal, now: UnixTime) -> Refused {
        let challenge = refusal
            .asks_for_nonce()
            .then(|| self.freshness.rule(now).mint(now))
            .flatten()
            .map(|nonce| Challenge {
                nonce,
                algorithms: self.limits.algorithms,
            });
        Refused::Proof { refusal, challenge }
    }
}
