//! The latest time seen, so that a clock which is set back revives no token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_dpop::Limits;
use countersign_jose::UnixTime;

/// Longer than any proof is remembered by the usual limits: a nonce's three
/// minutes, one more for it to be minted ahead, and one to spare.
const REACH_MIN: Duration = Duration::from_secs(300);

/// Beyond what a proof is remembered by its own time.
const SPARE: Duration = Duration::from_secs(60);

/// The latest time seen. Never goes back, whatever the clock does.
pub(crate) struct Horizon {
    latest_millis: AtomicU64,
    /// When the clock is set back further than this, the ledger refuses every
    /// proof as one that it may have forgotten. That refusal makes no client
    /// ask for another token, which could not help.
    reach: Duration,
}

impl Horizon {
    pub(crate) fn new(limits: &Limits) -> Self {
        let window = limits.age.saturating_add(limits.skew);
        Self {
            latest_millis: AtomicU64::new(0),
            reach: window.saturating_add(SPARE).max(REACH_MIN),
        }
    }

    /// It is `now`.
    pub(crate) fn saw(&self, now: UnixTime) {
        // Written only when time goes on: many calls share a millisecond.
        if self.latest_millis.load(Ordering::Relaxed) < now.as_millis() {
            self.latest_millis
                .fetch_max(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// Whether what ends then had ended already, before the clock was set back
    /// to `now`.
    pub(crate) fn has_passed(&self, end: UnixTime, now: UnixTime) -> bool {
        let latest = UnixTime::from_millis(self.latest_millis.load(Ordering::Relaxed));
        end <= latest && latest.since(now) <= self.reach
    }
}
