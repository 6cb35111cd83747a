//! A guard that is up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign::error::v1::Reason;
use tokio::sync::watch;

use crate::check::Checks;
use crate::layer::GuardLayer;
use crate::layer::http::HttpGuardLayer;
use crate::observe::Observed;
use crate::readiness::Readiness;

/// A guard: hands out the layer that goes in front of handlers. Cheap to clone;
/// clones and their layers share everything.
#[derive(Clone)]
pub struct Guard {
    checks: Arc<Checks>,
    ready: watch::Receiver<bool>,
    hears: watch::Receiver<bool>,
}

/// What a guard has come across since it started.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bound tokens that were presented as bearer tokens: someone may have
    /// stolen them.
    pub bound_tokens_as_bearer: u64,
    /// Calls refused because spent proofs could not be remembered.
    pub ledger_full: u64,
    /// Spent proofs that are remembered now.
    pub ledger_entries: usize,
    /// Calls with reference tokens refused because too many tokens were being
    /// asked about, in all or of one key.
    pub introspections_full: u64,
    /// Calls decided while revocations were not heard of as they happened: by
    /// [knowledge](Guard::knowledge) that may have been out of date.
    pub decided_cut_off: u64,
    /// Calls refused because [knowledge](Guard::knowledge) was too old.
    pub knowledge_too_old: u64,
    /// Streams that are open now.
    pub open_streams: usize,
    /// Revocations that could still hit a token.
    pub revocations: usize,
    /// Bearer tokens that were accepted: see
    /// [`Builder::accept_bearer`](crate::Builder::accept_bearer).
    pub bearer_tokens_accepted: u64,
    /// Calls that an [observing](crate::Builder::observe) guard let through and
    /// would have refused.
    pub would_have_refused: u64,
}

/// What a guard knows of revocations.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Knowledge {
    /// They are told as they happen.
    pub live: bool,
    /// How long ago all that was revoked was known. Up to the heartbeat of the
    /// watch (5 s) while it is live.
    pub age: Duration,
}

impl Guard {
    pub(crate) fn new(checks: Checks, readiness: &Readiness) -> Self {
        Self {
            checks: Arc::new(checks),
            ready: readiness.subscribe(),
            hears: readiness.subscribe_to_hearing(),
        }
    }

    /// The layer for `tonic::transport::Server::layer`, or for one service.
    pub fn layer(&self) -> GuardLayer {
        GuardLayer(Arc::clone(&self.checks))
    }

    /// The layer for HTTP handlers: for `axum::Router::layer` of the whole router, or any other
    /// tower service. It goes by the rules of HTTP routes, and answers requests for the metadata
    /// of its resources (RFC 9728).
    pub fn http_layer(&self) -> HttpGuardLayer {
        HttpGuardLayer(Arc::clone(&self.checks))
    }

    /// True once there is a key set to verify tokens with, and while what is known
    /// of revocations is not [too old](crate::Builder::knowledge_age_max): for the
    /// server's health service.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.clone()
    }

    /// True while revocations are told as they happen: for a health service of a
    /// name of its own (`revocations`), since a guard without
    /// [`knowledge_age_max`](crate::Builder::knowledge_age_max) serves on without
    /// them. Looked at every second. False for good where it does not watch them.
    pub fn hears_revocations(&self) -> watch::Receiver<bool> {
        self.hears.clone()
    }

    /// Fetches the key set now, and goes by it when this returns: for a
    /// service that knows that its keys have changed. Where the source does not
    /// answer, the last good set stays.
    pub async fn fetch_keys(&self) {
        self.checks.fetch_keys().await;
    }

    /// What it knows of revocations; `None` where it does not watch them.
    pub fn knowledge(&self) -> Option<Knowledge> {
        let knowledge = self.checks.authority.knowledge();
        knowledge.is_kept().then(|| Knowledge {
            live: knowledge.is_live(),
            age: knowledge.age(),
        })
    }

    /// What it has come across.
    pub fn counts(&self) -> Counts {
        let tally = &self.checks.tally;
        Counts {
            bound_tokens_as_bearer: tally.bound_as_bearer.load(Ordering::Relaxed),
            ledger_full: tally.ledger_full.load(Ordering::Relaxed),
            ledger_entries: self.checks.ledger.entries(),
            introspections_full: tally.introspections_full.load(Ordering::Relaxed),
            decided_cut_off: tally.cut_off.load(Ordering::Relaxed),
            knowledge_too_old: tally.knowledge_too_old.load(Ordering::Relaxed),
            open_streams: self.checks.streams.len(),
            revocations: self.checks.authority.revocations(),
            bearer_tokens_accepted: tally.bearer_accepted.load(Ordering::Relaxed),
            would_have_refused: self.checks.observing.as_ref().map_or(0, Observed::total),
        }
    }

    /// What an [observing](crate::Builder::observe) guard would have refused: how
    /// many calls for which reason. Empty where it is not observing.
    pub fn would_have_refused(&self) -> Vec<(Reason, u64)> {
        let observing = self.checks.observing.as_ref();
        observing.map(Observed::by_reason).unwrap_or_default()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
