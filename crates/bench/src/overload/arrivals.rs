//! Calls that come when they are due, whatever becomes of the earlier ones, and what became of
//! each: served, shed, or anything else, which is a failure.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::call::{Call, Connection, Failed, Failures};
use crate::stats::{Latencies, Schedule};

/// tokio's timer has steps of 1 ms; the last stretch is waited for awake.
const AWAKE: Duration = Duration::from_millis(3);

/// So many calls that are late are made in one go, before those that are answered get their turn.
const IN_ONE_GO: usize = 8;

/// Whoever has no answer so long after the last call was made gets none.
const PATIENCE: Duration = Duration::from_secs(30);

/// The reasons of a refusal that says: not now.
const SHED: [&str; 2] = ["REASON_OVERLOADED", "REASON_RATE_LIMITED"];

/// What became of calls.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answered rightly: how long it took from the instant at which the call was due.
    pub served: Latencies,
    /// Shed: how long that took from the instant at which the call was made, which is when the
    /// server could first know of it.
    pub shed: Latencies,
    /// The same from the instant at which it was due.
    pub shed_from_due: Latencies,
    /// Why they were shed.
    pub shed_reasons: Failures,
    /// Whatever else was answered.
    pub failures: Failures,
    /// How much later than due calls were made.
    pub late: Latencies,
    /// Calls that were made.
    pub made: u64,
    /// The most calls under way at once.
    pub under_way_most: u64,
    /// From the first call to the last that was made.
    pub span: Duration,
    /// From the first call to the last answer.
    pub wall: Duration,
}

impl Tally {
    /// Calls without an answer.
    pub fn unanswered(&self) -> u64 {
        self.made - self.answered()
    }

    /// Calls a second that were made.
    pub fn made_per_sec(&self) -> f64 {
        per_sec(self.made, self.span)
    }

    /// Calls a second that were answered rightly, until the last answer.
    pub fn served_per_sec(&self) -> f64 {
        per_sec(self.served.count(), self.wall)
    }

    fn answered(&self) -> u64 {
        self.served.count() + self.shed.count() + self.failures.values().sum::<u64>()
    }

    fn record(&mut self, since_due: Duration, since_made: Duration, outcome: Result<(), Failed>) {
        match outcome {
            Ok(()) => self.served.record(since_due),
            Err(failed) if is_shed(&failed) => {
                self.shed.record(since_made);
                self.shed_from_due.record(since_due);
                *self.shed_reasons.entry(failed).or_default() += 1;
            }
            Err(failed) => *self.failures.entry(failed).or_default() += 1,
        }
    }
}

/// Whether an answer says that the call was refused for want of room, and may come again.
pub(crate) fn is_shed(failed: &Failed) -> bool {
    matches!(failed, Failed::Refused(reason) if SHED.contains(&reason.as_str()))
}

/// Calls that come.
pub(super) struct Arrivals<'a> {
    /// Over these connections, in turn.
    pub connections: &'a [Connection],
    /// When they are due.
    pub schedule: Schedule,
    /// How many.
    pub calls: usize,
}

/// What is told of a tally that is still growing.
#[derive(Default)]
struct Board {
    tally: Mutex<Tally>,
    changed: Notify,
}

impl Arrivals<'_> {
    /// Makes the calls, each by `make` from its number when it is due, and checks their answers.
    /// Stops early where `make` has none.
    pub(super) async fn run(
        &self,
        mut make: impl FnMut(usize) -> Option<Call>,
        check: impl Fn(usize, Bytes) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Tally {
        let board = Arc::new(Board::default());
        let check = Arc::new(check);
        let begun = Instant::now();
        for (number, connection) in (0..self.calls).zip(self.connections.iter().cycle()) {
            let Some(call) = make(number) else {
                break;
            };
            let due = begun + self.schedule.due(number);
            until(due, number).await;
            let connection = connection.clone();
            let (board, check) = (Arc::clone(&board), Arc::clone(&check));
            let made = Instant::now();
            board.made(made - due);
            tokio::spawn(async move {
                let answer = connection.call(call).await;
                let now = Instant::now();
                let outcome = answer.and_then(|bytes| check(number, bytes));
                board.answered(now - due, now - made, outcome);
            });
        }
        let span = begun.elapsed();
        // What is not answered by then is counted as such.
        let _ = timeout(PATIENCE, board.all_answered()).await;
        let mut tally = std::mem::take(&mut *board.tally());
        (tally.span, tally.wall) = (span, begun.elapsed());
        tally
    }
}

impl Board {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self, late: Duration) {
        let mut tally = self.tally();
        tally.made += 1;
        tally.late.record(late);
        tally.under_way_most = tally.under_way_most.max(tally.unanswered());
    }

    fn answered(&self, since_due: Duration, since_made: Duration, outcome: Result<(), Failed>) {
        self.tally().record(since_due, since_made, outcome);
        self.changed.notify_one();
    }

    async fn all_answered(&self) {
        while self.tally().unanswered() > 0 {
            self.changed.notified().await;
        }
    }
}

async fn until(due: Instant, number: usize) {
    let ahead = due.saturating_duration_since(Instant::now());
    if ahead > AWAKE {
        sleep(ahead - AWAKE).await;
    }
    if number.is_multiple_of(IN_ONE_GO) {
        yield_now().await;
    }
    while Instant::now() < due {
        yield_now().await;
    }
}

fn per_sec(count: u64, span: Duration) -> f64 {
    count as f64 / span.as_secs_f64().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn refused(reason: &str) -> Result<(), Failed> {
        Err(Failed::Refused(reason.to_owned()))
    }

    #[test]
    fn only_what_says_not_now_is_shed() {
        let mut tally = Tally {
            made: 7,
            ..Tally::default()
        };
        tally.record(2 * MS, MS, Ok(()));
        tally.record(2 * MS, MS, refused("REASON_OVERLOADED"));
        tally.record(2 * MS, MS, refused("REASON_RATE_LIMITED"));
        tally.record(2 * MS, MS, refused("REASON_DPOP_PROOF_INVALID"));
        tally.record(2 * MS, MS, Err(Failed::Status("8: too many".to_owned())));
        tally.record(2 * MS, MS, Err(Failed::Connection("reset".to_owned())));
        assert_eq!(tally.served.count(), 1);
        assert_eq!(tally.shed.count(), 2);
        assert_eq!(tally.failures.values().sum::<u64>(), 3);
        assert_eq!(tally.unanswered(), 1);
    }

    #[test]
    fn an_accepted_call_is_timed_from_when_it_was_due() {
        let mut tally = Tally::default();
        tally.record(200 * MS, MS, Ok(()));
        assert!(tally.served.micros_at(0.5) > 190_000.0);
    }
}
