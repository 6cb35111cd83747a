//! When a connection is asked to end (GOAWAY), and when it is cut.

use std::time::Duration;

use tokio::time::Instant;

/// From `accept` to the end of the first whole request, handshakes and all. Honest callers connect
/// because they have something to ask.
const GREETING_DUE: Duration = Duration::from_secs(5);

/// The same, when places run short: the last quarter of the places turns over once a second, so
/// that silent peers must open a quarter of all places every second to keep honest ones out.
const GREETING_DUE_SHORT: Duration = Duration::from_secs(1);

/// A caller fetches a token every four minutes, or calls all the time. Between the two nothing is
/// won by waiting: after a minute the place goes to somebody else, well before balancers forget
/// the flow (from four minutes on).
const IDLE_DUE: Duration = Duration::from_secs(60);

/// The same, when places run short, and then an answer that goes on (a watch), or that nobody reads,
/// is no reason to stay. Who wants to hold a place must ask for something every five seconds, and
/// those are calls, which are limited.
const IDLE_DUE_SHORT: Duration = GREETING_DUE;

/// How often a connection is looked at, because places may run short meanwhile. A look costs some
/// microseconds: 10,000 connections take a hundredth of a core.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// After 5 minutes a connection is asked to end, or clients would stick to one replica for ever.
/// Each connection draws its own, within 10 %, so that not all of them ask at once.
const AGE_SECS: (u64, u64) = (270, 330);

/// Who was asked to end and has not by then never will: a request that does not end, a stream that
/// nobody reads. Three times what a call may take.
const GRACE: Duration = Duration::from_secs(30);

/// The same, when places run short, from the last answer on: long enough for one that is on its way.
const GRACE_SHORT: Duration = Duration::from_secs(1);

/// A peer that takes nothing of the answers that wait for it, for so long, is gone for us although
/// it answers pings.
const TAKEN_DUE: Duration = Duration::from_secs(30);

/// The same for an operator, whose backup may go to a file server that starts anew: that takes
/// minutes.
const OPERATOR_TAKEN_DUE: Duration = Duration::from_secs(600);

/// Who connects.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Peers {
    /// Anybody.
    Callers,
    /// Operators, let in by their account. Nobody spreads them over replicas, and a backup takes
    /// as long as it takes: their connections do not age, and an answer that goes on is a reason to
    /// stay.
    Operators,
}

/// The time that a connection has for its first whole request.
#[derive(Copy, Clone, Debug)]
pub(super) struct Greeting {
    opened: Instant,
    takes: Duration,
}

/// The times of one connection.
#[derive(Clone, Debug)]
pub(super) struct Life {
    peers: Peers,
    opened: Instant,
    greeting: Greeting,
    age: Duration,
    /// When it was asked to end.
    asked: Option<Instant>,
    /// Since when the peer has taken nothing of what waits for it, and what it had taken then.
    stuck: Option<(Instant, u64)>,
}

/// What a connection did so far.
#[derive(Copy, Clone, Debug)]
pub(super) struct Seen {
    /// A request has come whole, or was answered.
    pub(super) whole: bool,
    /// Since when no call is in flight; `None` while one is.
    pub(super) idle_since: Option<Instant>,
    /// Since when every call has an answer, or the head of one; `None` while one has not.
    pub(super) answered_since: Option<Instant>,
    /// A piece of an answer waits for the peer.
    pub(super) offers: bool,
    /// How many pieces it has taken.
    pub(super) taken: u64,
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

impl Greeting {
    /// When a connection that has not greeted is asked to end.
    fn ask_due(self) -> Instant {
        self.opened + self.takes * 4 / 5
    }

    /// When it is cut.
    pub(super) fn cut_due(self) -> Instant {
        self.opened + self.takes
    }

    /// How long the rest of a request may take whose head has come `now`. Who is late is told so before
    /// he is cut, and after he was asked to end: with the answer he leaves, and half a request is no way
    /// to stay. But a request that comes in one piece is read, however late it begins.
    pub(super) fn rest(self, now: Instant) -> Duration {
        let least = self.takes / 20;
        let left = self.ask_due() + least;
        left.saturating_duration_since(now).max(least)
    }
}

impl Life {
    /// Of a connection that was accepted at `opened`, when places may have been `scarce`. `draw` is
    /// any number: it decides how old the connection of a caller becomes.
    pub(super) fn new(peers: Peers, opened: Instant, scarce: bool, draw: u64) -> Self {
        let (least, most) = AGE_SECS;
        Self {
            peers,
            opened,
            greeting: Greeting {
                opened,
                takes: if scarce {
                    GREETING_DUE_SHORT
                } else {
                    GREETING_DUE
                },
            },
            age: Duration::from_secs(least + draw % (most - least + 1)),
            asked: None,
            stuck: None,
        }
    }

    /// How long it has to greet.
    pub(super) fn greeting(&self) -> Greeting {
        self.greeting
    }

    /// It was asked to end.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    /// What to do, given whether places are `scarce` now.
    pub(super) fn verdict(&mut self, seen: Seen, scarce: bool, now: Instant) -> Verdict {
        if !seen.whole {
            return self.before_greeting(now);
        }
        if self.is_stuck(seen, now) {
            return Verdict::Cut;
        }
        let (at, then) = match (self.asked, seen.answered_since) {
            (Some(asked), Some(answered)) if scarce => {
                (asked.max(answered) + GRACE_SHORT, Verdict::Cut)
            }
            (Some(asked), _) => (asked + GRACE, Verdict::Cut),
            (None, answered) => {
                let idle = seen.idle_since.unwrap_or(now);
                let old = self.opened + self.age;
                let end = match (self.peers, scarce) {
                    (Peers::Callers, false) => (idle + IDLE_DUE).min(old),
                    (Peers::Callers, true) => (answered.unwrap_or(now) + IDLE_DUE_SHORT).min(old),
                    (Peers::Operators, false) => idle + IDLE_DUE,
                    (Peers::Operators, true) => idle + IDLE_DUE_SHORT,
                };
                (end, Verdict::Ask)
            }
        };
        match due(at, then, now) {
            Verdict::Wait(until) => Verdict::Wait(until.min(now + LOOK_INTERVAL)),
            verdict => verdict,
        }
    }

    fn is_stuck(&mut self, seen: Seen, now: Instant) -> bool {
        let since = match self.stuck {
            Some((since, taken)) if seen.offers && taken == seen.taken => since,
            _ => now,
        };
        self.stuck = seen.offers.then_some((since, seen.taken));
        let due = match self.peers {
            Peers::Callers => TAKEN_DUE,
            Peers::Operators => OPERATOR_TAKEN_DUE,
        };
        now >= since + due
    }

    /// GOAWAY first, so that a caller that is about to speak after all knows where it stands: what
    /// is on its way still counts, and what is not goes to another connection.
    fn before_greeting(&self, now: Instant) -> Verdict {
        let cut = self.greeting.cut_due();
        if self.asked.is_none() && now < cut {
            return due(self.greeting.ask_due(), Verdict::Ask, now);
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

    /// A call is under way.
    const BUSY: Seen = Seen {
        whole: true,
        idle_since: None,
        answered_since: None,
        offers: false,
        taken: 0,
    };
    const SILENT: Seen = Seen {
        whole: false,
        ..BUSY
    };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_it_should() {
        let opened = Instant::now();
        // An answer goes on.
        let watches = |since| Seen {
            answered_since: Some(opened + secs(since)),
            ..BUSY
        };
        let idle = |since| Seen {
            idle_since: Some(opened + secs(since)),
            ..watches(since)
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
            // Looked at every five seconds.
            (BUSY, None, 5, wait(10)),
            (BUSY, None, 267, wait(270)),
            (BUSY, None, 270, Verdict::Ask),
            (BUSY, Some(270), 270, wait(275)),
            (BUSY, Some(270), 297, wait(300)),
            (BUSY, Some(270), 300, Verdict::Cut),
            (watches(10), None, 200, wait(205)),
            (idle(10), None, 20, wait(25)),
            (idle(10), None, 67, wait(70)),
            (idle(10), None, 70, Verdict::Ask),
            (idle(10), Some(70), 99, wait(100)),
            (idle(10), Some(70), 100, Verdict::Cut),
            // It greeted after it was asked.
            (BUSY, Some(4), 31, wait(34)),
        ] {
            check(false, seen, asked, age, expected);
        }
        // The same, when places run short.
        for (seen, asked, age, expected) in [
            (SILENT, None, 0, Verdict::Wait(opened + secs(4) / 5)),
            (SILENT, None, 1, Verdict::Cut),
            (BUSY, None, 200, wait(205)),
            (BUSY, None, 270, Verdict::Ask),
            (watches(10), None, 12, wait(15)),
            (watches(10), None, 15, Verdict::Ask),
            (idle(10), None, 15, Verdict::Ask),
            (watches(10), Some(15), 15, wait(16)),
            (watches(10), Some(15), 16, Verdict::Cut),
            // Its answer may be on its way.
            (watches(20), Some(15), 20, wait(21)),
            (BUSY, Some(15), 44, wait(45)),
            (BUSY, Some(15), 45, Verdict::Cut),
        ] {
            check(true, seen, asked, age, expected);
        }
    }

    #[track_caller]
    fn check(scarce: bool, seen: Seen, asked: Option<u64>, age: u64, expected: Verdict) {
        let opened = Instant::now();
        let mut life = Life::new(Peers::Callers, opened, scarce, 0);
        if let Some(asked) = asked {
            life.asked(opened + secs(asked));
        }
        assert_eq!(
            life.verdict(seen, scarce, opened + secs(age)),
            expected,
            "{seen:?}, asked at {asked:?}, {age} s old"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_late_with_his_first_request_is_told_before_he_is_cut() {
        let opened = Instant::now();
        // Whether places run short; when the head comes, and how long the rest may take.
        for (scarce, head_millis, expected_millis) in [
            (false, 0, 4_250),
            (false, 1_500, 2_750),
            (false, 4_000, 250),
            (false, 4_900, 250),
            (false, 6_000, 250),
            (true, 0, 850),
            (true, 900, 50),
        ] {
            let life = Life::new(Peers::Callers, opened, scarce, 0);
            let head = opened + Duration::from_millis(head_millis);
            let rest = life.greeting().rest(head);
            assert_eq!(rest.as_millis(), expected_millis, "{scarce} {head_millis}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_for_half_a_minute_is_cut() {
        let opened = Instant::now();
        let mut life = Life::new(Peers::Callers, opened, false, 0);
        // Whether a piece waits, how many were taken, the age of the connection.
        for (offers, taken, age, cut) in [
            (true, 1, 10, false),
            (true, 1, 39, false),
            (true, 2, 41, false),
            (false, 2, 60, false),
            (true, 2, 80, false),
            (true, 2, 109, false),
            (true, 2, 110, true),
        ] {
            let seen = Seen {
                offers,
                taken,
                ..BUSY
            };
            let verdict = life.verdict(seen, false, opened + secs(age));
            assert_eq!(verdict == Verdict::Cut, cut, "{age} s old");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_stays_while_an_answer_goes_on() {
        let opened = Instant::now();
        let streams = |taken| Seen {
            answered_since: Some(opened),
            offers: true,
            taken,
            ..BUSY
        };
        for scarce in [false, true] {
            let mut life = Life::new(Peers::Operators, opened, scarce, 0);
            // A disk that takes a piece every minute.
            for minute in 0..600 {
                let now = opened + secs(60 * minute);
                let verdict = life.verdict(streams(minute), scarce, now);
                assert_eq!(verdict, Verdict::Wait(now + secs(5)), "minute {minute}");
            }
            // One that takes nothing more is gone in the end.
            for (minute, cut) in [(608, false), (609, true)] {
                let verdict = life.verdict(streams(599), scarce, opened + secs(60 * minute));
                assert_eq!(verdict == Verdict::Cut, cut, "minute {minute}");
            }
            // Who asks for nothing is asked to end, as everybody is.
            let mut life = Life::new(Peers::Operators, opened, scarce, 0);
            let idle = Seen {
                idle_since: Some(opened),
                answered_since: Some(opened),
                ..BUSY
            };
            let due = if scarce { 5 } else { 60 };
            assert_eq!(life.verdict(idle, scarce, opened + secs(due)), Verdict::Ask);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ages_differ_by_a_tenth() {
        let opened = Instant::now();
        let ages: Vec<_> = (0..61)
            .map(|draw| Life::new(Peers::Callers, opened, false, draw).age.as_secs())
            .collect();
        assert_eq!(ages.iter().min(), Some(&270));
        assert_eq!(ages.iter().max(), Some(&330));
    }
}
