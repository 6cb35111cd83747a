//! A clock whose past is long enough.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign_client::clock::{Clock, SystemClock};
use countersign_jose::UnixTime;

/// Longer than a cold start.
const BEHIND: Duration = Duration::from_secs(120);

/// The machine's clock, except that it is behind until the server has started.
///
/// For as long as proofs from before a start could still be accepted, a server
/// asks for nonces. With this clock that time is over at the first call, and
/// what is measured is a server that has been up for a while.
#[derive(Debug, Default)]
pub(super) struct WarmClock {
    started: AtomicBool,
}

impl WarmClock {
    pub(super) fn started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }
}

impl Clock for WarmClock {
    fn now(&self) -> UnixTime {
        let now = SystemClock.now();
        match self.started.load(Ordering::Relaxed) {
            true => now,
            false => now.minus(BEHIND),
        }
    }
}
