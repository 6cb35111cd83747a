//! How much was shed. A line for each would be a flood of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

/// One line in so long, while there is something to say.
const EVERY: Duration = Duration::from_secs(1);

/// Counts what was shed and limited, and says it.
pub(super) struct Tally(Arc<Counts>);

struct Counts {
    overloaded: AtomicU64,
    limited: AtomicU64,
    /// Somebody will say what is counted from now on.
    attended: AtomicBool,
    say: Say,
}

/// How it is said: so many overloaded, so many limited.
type Say = Box<dyn Fn(u64, u64) + Send + Sync>;

impl Default for Tally {
    fn default() -> Self {
        Self::said(Box::new(|overloaded, limited| {
            warn!(overloaded, limited, "calls were shed");
        }))
    }
}

impl Tally {
    fn said(say: Say) -> Self {
        Self(Arc::new(Counts {
            overloaded: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            attended: AtomicBool::new(false),
            say,
        }))
    }

    pub(super) fn overloaded(&self) {
        self.count(&self.0.overloaded);
    }

    pub(super) fn limited(&self) {
        self.count(&self.0.limited);
    }

    fn count(&self, what: &AtomicU64) {
        // Counted before it is seen that somebody attends, who looks once more when that is over:
        // so either of the two says it.
        what.fetch_add(1, Ordering::SeqCst);
        if !self.0.attended.load(Ordering::SeqCst) && !self.0.attended.swap(true, Ordering::SeqCst)
        {
            tokio::spawn(attend(Attendant(Arc::clone(&self.0))));
        }
    }
}

/// Ends with the first moment in which nothing was shed.
async fn attend(attendant: Attendant) {
    loop {
        sleep(EVERY).await;
        if !attendant.0.say() {
            return;
        }
    }
}

/// Whoever says it. Also gone when its runtime ends: then it says the rest.
struct Attendant(Arc<Counts>);

impl Drop for Attendant {
    fn drop(&mut self) {
        self.0.attended.store(false, Ordering::SeqCst);
        self.0.say();
    }
}

impl Counts {
    /// Says how many there were since it last did, if there were any.
    fn say(&self) -> bool {
        let overloaded = self.overloaded.swap(0, Ordering::SeqCst);
        let limited = self.limited.swap(0, Ordering::SeqCst);
        let any = overloaded + limited > 0;
        if any {
            (self.say)(overloaded, limited);
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tokio::runtime::Builder;

    use super::*;

    /// A tally, and what it said so far.
    fn tally() -> (Tally, impl Fn() -> Vec<(u64, u64)>) {
        let said: Arc<Mutex<Vec<_>>> = Arc::default();
        let hears = Arc::clone(&said);
        let tally = Tally::said(Box::new(move |overloaded, limited| {
            hears.lock().push((overloaded, limited));
        }));
        (tally, move || std::mem::take(&mut said.lock()))
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_was_shed_is_told_within_a_second() {
        let (tally, said) = tally();
        let soon = || sleep(EVERY + EVERY / 10);
        for _ in 0..1_000 {
            tally.overloaded();
        }
        tally.limited();
        assert_eq!(said(), []);
        soon().await;
        assert_eq!(said(), [(1_000, 1)]);
        tally.overloaded();
        soon().await;
        assert_eq!(said(), [(1, 0)]);
        // It is quiet for a while, and nobody attends.
        sleep(10 * EVERY).await;
        assert_eq!(said(), []);
        tally.limited();
        soon().await;
        assert_eq!(said(), [(0, 1)]);
    }

    #[test]
    fn what_is_left_when_a_worker_ends_is_told_then() {
        let (tally, said) = tally();
        let worker = Builder::new_current_thread().enable_time().build();
        let worker = worker.expect("a runtime");
        worker.block_on(async { tally.overloaded() });
        assert_eq!(said(), []);
        drop(worker);
        assert_eq!(said(), [(1, 0)]);
    }
}
