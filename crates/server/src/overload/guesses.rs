//! How many wrong user codes are looked up (RFC 8628 §5.1): few enough that nobody finds a code by
//! trying, whoever they say they are.
//!
//! Counted are the failed attempts of a subject, those from a source, and all of them together. An
//! attempt is charged before the code is looked up, and given back when the code was right: of many
//! at once no more are let in than of as many in a row.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_issuer::authorize::Guesser;
use countersign_issuer::model::{ClientId, Subject};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::spread::{Spread, wait};
use crate::refused::Refused;

/// Wrong codes of one subject, or from one source, at once: fingers slip.
const EACH: u32 = 5;

/// In which one more is earned: in the life of a code they are fifteen, of 25,600,000,000.
const EACH_EARNED: Duration = Duration::from_secs(60);

/// The wrong codes that were looked up.
pub(crate) struct Guesses {
    total: ArcSwap<Bucket>,
    had: Mutex<Had>,
    spread: Spread,
}

/// Until when what was had has to be earned.
#[derive(Default)]
struct Had {
    total: Option<Instant>,
    /// No more than `total` lets in until they have earned everything.
    each: HashMap<Who, Instant>,
}

/// Whose attempts are counted together. A login application tells its own visitors apart.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Subject(ClientId, Subject),
    Source(ClientId, String),
}

/// An attempt, charged as a wrong one.
#[must_use = "an attempt that was right is given back"]
pub(crate) struct Attempt<'a> {
    guesses: &'a Guesses,
    who: Vec<Who>,
}

impl Guesses {
    /// `per_min` wrong codes a minute, of everybody together.
    pub(super) fn new(per_min: u32) -> Self {
        Self {
            total: ArcSwap::from_pointee(Bucket::per_min(per_min)),
            had: Mutex::default(),
            spread: Spread::default(),
        }
    }

    /// Another number from now on.
    pub(super) fn replace(&self, per_min: u32) {
        self.total.store(Arc::new(Bucket::per_min(per_min)));
    }

    /// Lets one code be looked up, for a visitor of that login application.
    ///
    /// # Errors
    /// When the visitor, or everybody together, has had too many wrong ones.
    pub(crate) fn attempt(
        &self,
        login: &ClientId,
        guesser: Guesser,
    ) -> Result<Attempt<'_>, Refused> {
        let who = Who::of(login, guesser);
        let (now, total) = (Instant::now(), **self.total.load());
        let mut had = self.had.lock();
        let late = who
            .iter()
            .map(|who| EACH_BUCKET.late(had.each.get(who).copied(), now))
            .chain([total.late(had.total, now)])
            .max()
            .unwrap_or_default();
        if !late.is_zero() {
            return Err(Refused::Guessing {
                retry_after: wait(self.spread.next(), late),
            });
        }
        had.total = Some(total.charged(had.total, now));
        had.each.retain(|_, until| *until > now);
        for who in &who {
            let until = EACH_BUCKET.charged(had.each.get(who).copied(), now);
            had.each.insert(who.clone(), until);
        }
        Ok(Attempt { guesses: self, who })
    }
}

impl Attempt<'_> {
    /// The code was right, or it could not be looked up: it was no wrong one.
    pub(crate) fn give_back(self) {
        let total = **self.guesses.total.load();
        let mut had = self.guesses.had.lock();
        had.total = had
            .total
            .and_then(|until| until.checked_sub(total.interval));
        for who in &self.who {
            if let Some(until) = had.each.get_mut(who)
                && let Some(before) = until.checked_sub(EACH_BUCKET.interval)
            {
                *until = before;
            }
        }
    }
}

impl Who {
    fn of(login: &ClientId, guesser: Guesser) -> Vec<Self> {
        let subject = guesser.subject.map(|of| Self::Subject(login.clone(), of));
        let source = guesser.source.map(|of| Self::Source(login.clone(), of));
        subject.into_iter().chain(source).collect()
    }
}

const EACH_BUCKET: Bucket = Bucket {
    interval: EACH_EARNED,
    burst: EACH,
};

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn login() -> ClientId {
        ClientId::parse("login").expect("a name")
    }

    fn guesser(subject: &str, source: &str) -> Guesser {
        Guesser::parse(subject, source).expect("somebody")
    }

    /// How many of so many wrong codes are looked up.
    fn wrong(guesses: &Guesses, subject: &str, source: &str, of: usize) -> usize {
        let attempt = |_| guesses.attempt(&login(), guesser(subject, source)).ok();
        (0..of).filter_map(attempt).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_visitor_has_five_and_then_one_a_minute() {
        let guesses = Guesses::new(1_000);
        assert_eq!(wrong(&guesses, "ann", "", 20), 5);
        assert_eq!(wrong(&guesses, "bob", "", 20), 5, "somebody else");
        assert_eq!(wrong(&guesses, "", "192.0.2.1", 20), 5);
        // As another subject from the same place, and from another place as the same subject.
        assert_eq!(wrong(&guesses, "eve", "192.0.2.1", 20), 0);
        assert_eq!(wrong(&guesses, "ann", "192.0.2.2", 20), 0);
        advance(MINUTE).await;
        assert_eq!(wrong(&guesses, "ann", "192.0.2.2", 20), 1);
        advance(100 * MINUTE).await;
        assert_eq!(wrong(&guesses, "ann", "", 20), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_have_their_number_wherever_they_come_from() {
        let guesses = Guesses::new(30);
        let looked_up = |from: usize| {
            let of = |at: usize| wrong(&guesses, "", &format!("192.0.2.{at}"), 1);
            (from..from + 100).map(of).sum::<usize>()
        };
        assert_eq!(looked_up(0), 30);
        advance(MINUTE / 2).await;
        assert_eq!(looked_up(100), 15);
        let Err(Refused::Guessing { retry_after }) =
            guesses.attempt(&login(), guesser("ann", "192.0.2.0"))
        else {
            panic!("let in");
        };
        assert!(retry_after >= MINUTE / 30, "{retry_after:?}");
        guesses.replace(1_000);
        advance(Duration::from_secs(3)).await;
        assert_eq!(looked_up(200), 50, "by another number");
    }

    #[tokio::test(start_paused = true)]
    async fn right_codes_cost_nothing_and_are_forgotten() {
        let guesses = Guesses::new(10);
        for number in 0..1_000 {
            let attempt = guesses.attempt(&login(), guesser("ann", &format!("session {number}")));
            attempt.expect("let in").give_back();
            advance(Duration::from_millis(1)).await;
        }
        assert!(guesses.had.lock().each.len() <= 3);
        assert_eq!(wrong(&guesses, "ann", "", 20), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn many_at_once_are_no_more_than_in_a_row() {
        let guesses = Guesses::new(1_000);
        let attempts: Vec<_> = (0..100)
            .filter_map(|_| guesses.attempt(&login(), guesser("ann", "")).ok())
            .collect();
        assert_eq!(attempts.len(), 5);
        // Those that turn out right make room for others.
        for attempt in attempts.into_iter().take(2) {
            attempt.give_back();
        }
        assert_eq!(wrong(&guesses, "ann", "", 20), 2);
    }
}
