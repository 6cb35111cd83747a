//! When a device asks again (RFC 8628 §3.5). Pure: the time is an argument.

use std::time::Duration;

/// RFC 8628 §3.5: each `slow_down` adds this, for good.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// RFC 8628 §3.2: an interval is in whole seconds. Less would be a flood, whoever says so.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// A server that is away may be back any moment, and the person is waiting: no pause grows longer
/// unless the interval is.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// A device's questions, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polling {
    interval: Duration,
    ends: Duration,
    /// Questions without an answer since the last that had one.
    away: u32,
}

/// What came of a question.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nobody has decided yet (`authorization_pending`).
    Pending,
    /// The same, and the questions come too fast (`slow_down`).
    SlowDown,
    /// Nothing: the server cannot be reached, or has no time.
    Nothing,
}

/// What to do next.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask again after this time.
    Ask(Duration),
    /// The device code ends before another question may be asked.
    Expired,
}

impl Polling {
    /// For a device code that was given at `now` and lives for `expires_in`. All times are by one
    /// clock that never jumps. An interval below a second is taken for one.
    pub fn new(interval: Duration, expires_in: Duration, now: Duration) -> Self {
        Self {
            interval: interval.max(INTERVAL_MIN),
            ends: now.saturating_add(expires_in),
            away: 0,
        }
    }

    /// The first question: nobody decides before the interval is over.
    pub fn first(&self, now: Duration) -> Next {
        self.after(self.interval, now)
    }

    /// The question after one that came to this at `now`. A server that asks for more time than is
    /// due, with `retry_after`, gets it.
    pub fn heard(&mut self, heard: Heard, retry_after: Option<Duration>, now: Duration) -> Next {
        match heard {
            Heard::Pending => self.away = 0,
            Heard::SlowDown => {
                self.away = 0;
                self.interval = self.interval.saturating_add(SLOW_DOWN);
            }
            Heard::Nothing => self.away = self.away.saturating_add(1),
        }
        let pause = self.pause().max(retry_after.unwrap_or_default());
        self.after(pause, now)
    }

    /// Without answers twice as long each time, as RFC 8628 §3.5 recommends.
    fn pause(&self) -> Duration {
        let longer = self.interval.saturating_mul(2u32.saturating_pow(self.away));
        longer.min(AWAY_MAX).max(self.interval)
    }

    fn after(&self, pause: Duration, now: Duration) -> Next {
        match now.saturating_add(pause) < self.ends {
            true => Next::Ask(pause),
            false => Next::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Lives through a device code of ten minutes in virtual time: what is heard, one after the
    /// other, at which second each question is asked.
    #[track_caller]
    fn check(heard: &[(Heard, Option<u64>)], asked: &[u64], expired: bool) {
        let begun = secs(1_000);
        let mut now = begun;
        let mut polling = Polling::new(secs(5), secs(600), now);
        let mut next = polling.first(now);
        let mut times = Vec::new();
        for (heard, retry_after) in heard {
            let Next::Ask(pause) = next else { break };
            now += pause;
            times.push((now - begun).as_secs());
            next = polling.heard(*heard, retry_after.map(secs), now);
        }
        assert_eq!(times, asked, "{heard:?}");
        assert_eq!(next == Next::Expired, expired, "{heard:?}");
    }

    use Heard::{Nothing, Pending, SlowDown};

    #[test]
    fn it_asks_by_the_interval() {
        check(&[(Pending, None); 4], &[5, 10, 15, 20], false);
        check(&[(Pending, Some(5)); 3], &[5, 10, 15], false);
    }

    #[test]
    fn no_interval_is_a_flood() {
        for interval in [Duration::ZERO, Duration::from_nanos(1)] {
            let mut polling = Polling::new(interval, secs(600), secs(0));
            assert_eq!(polling.first(secs(0)), Next::Ask(secs(1)));
            assert_eq!(polling.heard(Pending, None, secs(1)), Next::Ask(secs(1)));
        }
    }

    #[test]
    fn each_slow_down_adds_five_seconds_for_good() {
        check(
            &[
                (Pending, None),
                (SlowDown, None),
                (Pending, None),
                (SlowDown, Some(15)),
                (Pending, None),
                (Pending, None),
            ],
            &[5, 10, 20, 30, 45, 60],
            false,
        );
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it() {
        check(
            &[(Pending, Some(40)), (Pending, None), (Pending, Some(1))],
            &[5, 45, 50],
            false,
        );
    }

    #[test]
    fn without_an_answer_it_asks_less_and_less_often() {
        // 5, then 10, 20, 40, 60 and no more; with an answer it is the interval again.
        check(
            &[
                (Nothing, None),
                (Nothing, None),
                (Nothing, None),
                (Nothing, None),
                (Nothing, None),
                (Pending, None),
                (Pending, None),
            ],
            &[5, 15, 35, 75, 135, 195, 200],
            false,
        );
        // What it was slowed down to stays.
        check(
            &[
                (SlowDown, None),
                (Nothing, None),
                (Pending, None),
                (Pending, None),
            ],
            &[5, 15, 35, 45],
            false,
        );
    }

    #[test]
    fn it_ends_with_the_code() {
        let mut polling = Polling::new(secs(5), secs(20), secs(0));
        assert_eq!(polling.first(secs(0)), Next::Ask(secs(5)));
        assert_eq!(polling.heard(Pending, None, secs(10)), Next::Ask(secs(5)));
        assert_eq!(polling.heard(Pending, None, secs(15)), Next::Expired);
        assert_eq!(
            polling.heard(Pending, Some(secs(9)), secs(11)),
            Next::Expired
        );
        assert_eq!(
            Polling::new(secs(5), secs(5), secs(0)).first(secs(0)),
            Next::Expired
        );
        check(
            &[(Pending, None); 200],
            &(1..120).map(|n| n * 5).collect::<Vec<_>>(),
            true,
        );
    }
}
