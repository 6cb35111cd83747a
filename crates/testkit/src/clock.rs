use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use countersign_client::clock::{Clock, SystemClock};
use countersign_jose::UnixTime;

/// The system's clock, moved by as much as a test likes.
///
/// It runs on by itself, so that what is signed by other clocks a moment later
/// is not from the future.
#[derive(Debug, Default)]
pub struct MovableClock {
    moved_millis: AtomicI64,
}

impl MovableClock {
    /// A clock that shows the true time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock ahead.
    pub fn advance(&self, by: Duration) {
        self.moved_millis.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Moves the clock back.
    pub fn turn_back(&self, by: Duration) {
        self.moved_millis.fetch_sub(millis(by), Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> UnixTime {
        let moved = self.moved_millis.load(Ordering::SeqCst);
        let now = SystemClock.now().as_millis();
        UnixTime::from_millis(now.saturating_add_signed(moved))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
