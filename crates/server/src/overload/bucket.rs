//! What may be had at once, and earned again with time.

use std::time::Duration;

use tokio::time::Instant;

/// So many at once, and one more in each interval. What somebody had is the time until when it has to
/// be earned.
#[derive(Copy, Clone)]
pub(super) struct Bucket {
    pub(super) interval: Duration,
    pub(super) burst: u32,
}

impl Bucket {
    /// As many at once as are earned in a minute; one at least.
    pub(super) fn per_min(number: u32) -> Self {
        let burst = number.max(1);
        Self {
            interval: Duration::from_secs(60) / burst,
            burst,
        }
    }

    /// How long it is until one more can be had.
    pub(super) fn late(self, until: Option<Instant>, now: Instant) -> Duration {
        let next = until.map_or(now, |until| until.max(now)) + self.interval;
        next.saturating_duration_since(now + self.interval * self.burst)
    }

    /// With one more.
    pub(super) fn charged(self, until: Option<Instant>, now: Instant) -> Instant {
        until.map_or(now, |until| until.max(now)) + self.interval
    }
}
