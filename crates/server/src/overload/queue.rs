//! The calls that wait for one worker.
//!
//! They wait in the run queue of its runtime; here they are counted. A queue that empties again
//! within a moment is a burst, and all of it is served. A queue that stands makes everybody wait
//! for nothing: from then on only a few may wait, until nothing has been shed for a while. (The
//! difference is what controlled delay, RFC 8289, goes by.)

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a queue may stand before it is short. A burst that takes longer to serve than to
/// arrive has arrived by then.
const STANDING: Duration = Duration::from_millis(20);

/// How long a queue stays short after it last shed a call: an overload with gaps is one overload.
const SHORT: Duration = Duration::from_secs(1);

/// What waits for one worker in one lane.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: usize,
    /// When the first came of those that wait: since then it has not been empty.
    since: Option<Instant>,
    /// Until when it is short.
    short_until: Option<Instant>,
}

impl Queue {
    /// One more, unless the queue is short and has `max` already.
    pub(super) fn enter(&self, max: usize, now: impl FnOnce() -> Instant) -> bool {
        let mut state = self.0.lock();
        if state.waiting == 0 {
            state.since = Some(now());
        } else if state.waiting >= max {
            let now = now();
            let stands = state.since.is_some_and(|since| now >= since + STANDING);
            if stands || state.short_until.is_some_and(|until| now < until) {
                state.short_until = Some(now + SHORT);
                return false;
            }
        }
        state.waiting += 1;
        true
    }

    /// One that was let in begins, or is gone.
    pub(super) fn leave(&self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clocked {
        queue: Queue,
        now: Instant,
    }

    impl Clocked {
        fn enters(&self, max: usize) -> bool {
            self.queue.enter(max, || self.now)
        }

        fn later(&mut self, by: Duration) {
            self.now += by;
        }
    }

    #[tokio::test]
    async fn a_burst_is_served_and_a_standing_queue_is_short() {
        let mut queue = Clocked {
            queue: Queue::default(),
            now: Instant::now(),
        };
        assert!((0..500).all(|_| queue.enters(3)), "a burst");
        queue.later(STANDING);
        assert!(!queue.enters(3), "it stands");
        for _ in 0..498 {
            queue.queue.leave();
        }
        assert!(queue.enters(3), "two wait");
        assert!(!queue.enters(3), "three wait");
        // It empties, and fills at once: still the same overload.
        for _ in 0..3 {
            queue.queue.leave();
        }
        assert!((0..3).all(|_| queue.enters(3)));
        assert!(!queue.enters(3));
        // It has been calm for a while: the next burst is one again.
        for _ in 0..3 {
            queue.queue.leave();
        }
        queue.later(SHORT);
        assert!((0..500).all(|_| queue.enters(3)));
    }

    #[tokio::test]
    async fn one_that_always_waits_below_the_limit_sheds_nothing() {
        let mut queue = Clocked {
            queue: Queue::default(),
            now: Instant::now(),
        };
        assert!(queue.enters(3));
        for _ in 0..1_000 {
            assert!(queue.enters(3) && queue.enters(3));
            queue.queue.leave();
            queue.queue.leave();
            queue.later(STANDING);
        }
    }
}
