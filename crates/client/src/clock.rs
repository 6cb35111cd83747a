//! The clock: read at an edge, passed down as a number.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use countersign_jose::UnixTime;

/// Tells the time. Everything that needs to know it is given one at
/// construction, so that a test can say what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> UnixTime;

    /// The time since any fixed moment, by a clock that nobody sets: it never jumps. A clock that
    /// a test moves takes this along, unless the test is about jumps.
    fn steady(&self) -> Duration {
        Duration::from_millis(self.now().as_millis())
    }
}

/// When [`SystemClock::steady`] was asked first.
static BEGUN: OnceLock<Instant> = OnceLock::new();

/// The machine's clock.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everybody else asks"
    )]
    fn now(&self) -> UnixTime {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        UnixTime::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn steady(&self) -> Duration {
        BEGUN.get_or_init(Instant::now).elapsed()
    }
}
