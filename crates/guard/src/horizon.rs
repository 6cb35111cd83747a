//! The latest time seen, so that a clock which is set back revives no token.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_jose::UnixTime;

/// The latest time seen. Never goes back, whatever the clock does.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    latest_millis: AtomicU64,
}

impl Horizon {
    /// It is `now`.
    pub(crate) fn saw(&self, now: UnixTime) {
        // Written only when time goes on: many calls share a millisecond.
        if self.latest_millis.load(Ordering::Relaxed) < now.as_millis() {
            self.latest_millis
                .fetch_max(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// The latest time seen.
    pub(crate) fn latest(&self) -> UnixTime {
        UnixTime::from_millis(self.latest_millis.load(Ordering::Relaxed))
    }

    /// Whether this moment has been.
    pub(crate) fn is_past(&self, moment: UnixTime) -> bool {
        moment.as_millis() <= self.latest_millis.load(Ordering::Relaxed)
    }
}
