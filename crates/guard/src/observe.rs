//! A guard that only looks: what it would have refused, counted and told, while
//! every call goes on to its handler.

use std::collections::BTreeMap;
use std::fmt;

use countersign::error::v1::Reason;
use parking_lot::Mutex;

use crate::refusal::Refusal;

/// What an observing guard found wrong with a call that it let through: stands
/// in the request in the place of a permit.
#[derive(Clone)]
pub struct WouldRefuse {
    reason: Reason,
    refusal: Refusal,
}

impl WouldRefuse {
    pub(crate) fn new(reason: Reason, refusal: Refusal) -> Self {
        Self { reason, refusal }
    }

    pub(crate) fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// What the caller would have been told.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Which check would have refused: a fixed word, for people.
    pub fn cause(&self) -> &'static str {
        self.refusal.label()
    }
}

impl fmt::Debug for WouldRefuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WouldRefuse")
            .field("reason", &self.reason)
            .field("cause", &self.cause())
            .finish_non_exhaustive()
    }
}

/// How often a call would have been refused, by reason. There are as many
/// entries as reasons at most.
#[derive(Debug, Default)]
pub(crate) struct Observed(Mutex<BTreeMap<Reason, u64>>);

impl Observed {
    pub(crate) fn count(&self, reason: Reason) {
        *self.0.lock().entry(reason).or_default() += 1;
    }

    pub(crate) fn by_reason(&self) -> Vec<(Reason, u64)> {
        let counted = self.0.lock();
        counted.iter().map(|(reason, n)| (*reason, *n)).collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.lock().values().sum()
    }
}
