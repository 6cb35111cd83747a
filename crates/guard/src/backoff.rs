//! How long to wait before the next attempt.

use std::time::Duration;

/// Soon at first, then seldom enough that many guards do not keep an ailing token service down.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The pauses between attempts that fail: each twice as long as the one before, up to half a
/// minute.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(PAUSE_MIN)
    }
}

impl Backoff {
    /// The next pause, up to a quarter shorter, so that guards that failed together do not come
    /// back together.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (self.0 * 2).min(PAUSE_MAX);
        jittered(pause)
    }
}

/// Up to a quarter earlier, so that guards that started together drift apart.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause - at_random_within(pause / 4)
}

/// A time up to this one, another for each caller. None, where the system has no randomness.
pub(crate) fn at_random_within(longest: Duration) -> Duration {
    let part =
        countersign_client::random::bytes().map_or(0, |bytes| u32::from(u16::from_be_bytes(bytes)));
    longest * part / u32::from(u16::MAX)
}
