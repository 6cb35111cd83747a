//! What clients ask of the service, whichever protocol it came by: charge the caller's share, have
//! the proof checked, decide through the engine, sign. A protocol's edge parses before and words
//! the answer after; what is decided, and in which order, stands here once.

mod authorization;
mod browser;
mod introspection;
mod token;

use std::sync::Arc;

use countersign_dpop::VerifiedProof;
use http::HeaderMap;

use crate::called::Called;
use crate::engine::Engine;
use crate::operation::Caller;
use crate::overload::{Overload, Share, Visit};
use crate::refused::Refused;
use crate::signer::KeySet;
pub(crate) use browser::{Handover, Onward};
pub(crate) use token::{Asked, Granted, Target};

/// Serves clients.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) keys: Arc<KeySet>,
    pub(crate) overload: Arc<Overload>,
}

/// What came along with a request: its header fields, and what a proof among them must name.
#[derive(Copy, Clone)]
pub(crate) struct Along<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) called: &'a Called,
}

/// An answer, with a nonce for the next proof where there is one (RFC 9449 §8.2).
pub(crate) struct Answered<T> {
    pub(crate) answer: T,
    pub(crate) nonce: Option<String>,
}

/// Whether a request must carry a proof.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum ProofIs {
    /// It must.
    Required,
    /// One that is there must be right.
    Optional,
}

impl Desk {
    /// Begins a caller's visit with the proof that came along, if it is right.
    fn receive<'v>(
        share: &'v Share,
        engine: &Engine,
        caller: &Caller<'_>,
        along: Along<'_>,
        proof: ProofIs,
    ) -> Result<(Visit<'v>, Option<VerifiedProof>), Refused> {
        Self::visit(share, caller, || match proof {
            ProofIs::Required => engine.proof(along.headers, along.called).map(Some),
            ProofIs::Optional => engine.proof_if_any(along.headers, along.called),
        })
    }

    /// The same with what `verified` finds. Whose share is used up already is told so before anything is
    /// verified.
    fn visit<'v, P>(
        share: &'v Share,
        caller: &Caller<'_>,
        verified: impl FnOnce() -> Result<P, Refused>,
    ) -> Result<(Visit<'v>, P), Refused>
    where
        for<'p> &'p P: Into<Option<&'p VerifiedProof>>,
    {
        let visit = share.visit(caller)?;
        let proof = verified()?;
        let visit = match (&proof).into() {
            Some(proof) => visit.with_key(proof.jkt)?,
            None => visit,
        };
        Ok((visit, proof))
    }

    fn answered<T>(&self, answer: T, proof: Option<&VerifiedProof>) -> Answered<T> {
        let proofs = &self.engine.proofs;
        Answered {
            answer,
            nonce: proof.and_then(|proof| proofs.next_nonce(proof, self.engine.proof_time())),
        }
    }
}
