//! What a client's tokens have come to.

use std::sync::atomic::{AtomicU64, Ordering};

/// What has become of a client's tokens since it was made, over all its channels.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times that a token was at hand: the ordinary case, on every call.
    pub at_hand: u64,
    /// Times that a call had to wait for a token, whether one came or not.
    pub waited: u64,
    /// Times that a call was told the last failure again, because it was too early to ask anew.
    pub told_again: u64,
    /// Tokens that came while calls waited for them.
    pub fetched: u64,
    /// Tokens that came in the background, ahead of the end of the one before.
    pub renewed: u64,
    /// Requests for a token that failed.
    pub failed: u64,
    /// Times that a token was at hand whose renewal had failed: calls that went on while the
    /// token service was away.
    pub used_while_away: u64,
    /// Tokens that a guard did not accept any more.
    pub refused: u64,
}

/// Counts as they grow.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) at_hand: Count,
    pub(crate) waited: Count,
    pub(crate) told_again: Count,
    pub(crate) fetched: Count,
    pub(crate) renewed: Count,
    pub(crate) failed: Count,
    pub(crate) used_while_away: Count,
    pub(crate) refused: Count,
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            at_hand: self.at_hand.get(),
            waited: self.waited.get(),
            told_again: self.told_again.get(),
            fetched: self.fetched.get(),
            renewed: self.renewed.get(),
            failed: self.failed.get(),
            used_while_away: self.used_while_away.get(),
            refused: self.refused.get(),
        }
    }
}
