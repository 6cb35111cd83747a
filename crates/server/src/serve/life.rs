//! When a connection is asked to end (GOAWAY), and when it is cut.

use std::time::Duration;

use tokio::time::Instant;

/// From `accept` to the end of the first whole request, handshakes and all. Honest callers connect
/// because they have something to ask.
pub(crate) const GREETING_DUE: Duration = Duration::from_secs(5);

/// The same, when places run short: the last quarter of the places turns over once a second, so
/// that silent peers must open a quarter of all places every second to keep honest ones out.
pub(crate) const GREETING_DUE_SHORT: Duration = Duration::from_secs(1);

/// A caller fetches a token every four minutes, or calls all the time. Between the two nothing is
/// won by waiting: after a minute the place goes to somebody else, well before balancers forget
/// the flow (from four minutes on).
const IDLE_DUE: Duration = Duration::from_secs(60);

/// After 5 minutes a connection is asked to end, or clients would stick to one replica for ever.
/// Each connection draws its own, within 10 %, so that not all of them ask at once.
const AGE_SECS: (u64, u64) = (270, 330);

/// Who was asked to end and has not by then never will: a request that does not end, a stream that
/// nobody reads. Three times what a call may take.
const GRACE: Duration = Duration::from_secs(30);

/// The times of one connection.
#[derive(Clone, Debug)]
pub(super) struct Life {
    opened: Instant,
    greeting: Duration,
    age: Duration,
    /// When it was asked to end.
    asked: Option<Instant>,
}

/// What a connection did so far.
#[derive(Copy, Clone, Debug)]
pub(super) struct Seen {
    /// A request has come whole, or was answered.
    pub(super) whole: bool,
    /// Since when no call is in flight; `None` while one is.
    pub(super) idle_since: Option<Instant>,
}

/// What to do about a connection now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before then.
    Wait(Instant),
    /// Ask it to end.
    Ask,
    /// Cut it.
    Cut,
}

impl Life {
    /// Of a connection that was accepted at `opened` and must greet within `greeting`. `draw` is
    /// any number: it decides how old the connection becomes.
    pub(super) fn new(opened: Instant, greeting: Duration, draw: u64) -> Self {
        let (least, most) = AGE_SECS;
        Self {
            opened,
            greeting,
            age: Duration::from_secs(least + draw % (most - least + 1)),
            asked: None,
        }
    }

    /// When a connection that has not greeted is cut.
    pub(super) fn greeting_due(&self) -> Instant {
        self.opened + self.greeting
    }

    /// It was asked to end.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    pub(super) fn verdict(&self, seen: Seen, now: Instant) -> Verdict {
        if !seen.whole {
            return self.before_greeting(now);
        }
        if let Some(asked) = self.asked {
            return due(asked + GRACE, Verdict::Cut, now);
        }
        let old = self.opened + self.age;
        let idle = seen.idle_since.unwrap_or(now) + IDLE_DUE;
        due(old.min(idle), Verdict::Ask, now)
    }

    /// GOAWAY first, so that a caller that is about to speak after all knows where it stands: what
    /// is on its way still counts, and what is not goes to another connection.
    fn before_greeting(&self, now: Instant) -> Verdict {
        let cut = self.greeting_due();
        let ask = self.opened + self.greeting * 4 / 5;
        if self.asked.is_none() && now < cut {
            return due(ask, Verdict::Ask, now);
        }
        due(cut, Verdict::Cut, now)
    }
}

fn due(at: Instant, then: Verdict, now: Instant) -> Verdict {
    if now >= at { then } else { Verdict::Wait(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Seen = Seen {
        whole: false,
        idle_since: None,
    };
    const BUSY: Seen = Seen {
        whole: true,
        idle_since: None,
    };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_it_should() {
        let opened = Instant::now();
        let idle = |since| Seen {
            whole: true,
            idle_since: Some(opened + secs(since)),
        };
        let wait = |until| Verdict::Wait(opened + secs(until));
        // What was seen, when it was asked to end, the age of the connection, the verdict.
        for (seen, asked, age, expected) in [
            (SILENT, None, 0, wait(4)),
            (SILENT, None, 4, Verdict::Ask),
            (SILENT, Some(4), 4, wait(5)),
            (SILENT, Some(4), 5, Verdict::Cut),
            // It was not polled for a while.
            (SILENT, None, 5, Verdict::Cut),
            (SILENT, None, 400, Verdict::Cut),
            // A stop asks early; that makes nobody greet later.
            (SILENT, Some(1), 2, wait(5)),
            (BUSY, None, 5, wait(65)),
            (BUSY, None, 260, wait(270)),
            (BUSY, None, 270, Verdict::Ask),
            (BUSY, Some(270), 270, wait(300)),
            (BUSY, Some(270), 300, Verdict::Cut),
            (idle(10), None, 20, wait(70)),
            (idle(10), None, 70, Verdict::Ask),
            (idle(10), Some(70), 99, wait(100)),
            (idle(10), Some(70), 100, Verdict::Cut),
            // It greeted after it was asked.
            (BUSY, Some(4), 5, wait(34)),
        ] {
            let mut life = Life::new(opened, GREETING_DUE, 0);
            if let Some(asked) = asked {
                life.asked(opened + secs(asked));
            }
            assert_eq!(
                life.verdict(seen, opened + secs(age)),
                expected,
                "{seen:?}, asked at {asked:?}, {age} s old"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ages_differ_by_a_tenth() {
        let opened = Instant::now();
        let ages: Vec<_> = (0..61)
            .map(|draw| Life::new(opened, GREETING_DUE, draw).age.as_secs())
            .collect();
        assert_eq!(ages.iter().min(), Some(&270));
        assert_eq!(ages.iter().max(), Some(&330));
    }
}
