//! How much was shed. A line for each would be a flood of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::warn;

/// One line in so long, at most.
const EVERY: Duration = Duration::from_secs(1);

/// Counts what was shed and limited.
#[derive(Default)]
pub(super) struct Tally {
    overloaded: AtomicU64,
    limited: AtomicU64,
    said: Mutex<Option<Instant>>,
}

impl Tally {
    pub(super) fn overloaded(&self) {
        self.overloaded.fetch_add(1, Ordering::Relaxed);
        self.say();
    }

    pub(super) fn limited(&self) {
        self.limited.fetch_add(1, Ordering::Relaxed);
        self.say();
    }

    /// Says how many there were since it last did, unless that was a moment ago.
    fn say(&self) {
        // Whoever finds it locked is not the one to speak.
        let Some(mut said) = self.said.try_lock() else {
            return;
        };
        let now = Instant::now();
        if said.is_some_and(|said| now < said + EVERY) {
            return;
        }
        *said = Some(now);
        drop(said);
        let overloaded = self.overloaded.swap(0, Ordering::Relaxed);
        let limited = self.limited.swap(0, Ordering::Relaxed);
        warn!(overloaded, limited, "calls were shed");
    }
}
