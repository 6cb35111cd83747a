//! The open loop: calls come when they are due, as from the outside world, whatever became of the
//! earlier ones. What became of each: served, shed, or anything else, which is a failure.
//!
//! A call's time runs from the instant at which it was due. Were it to run from when the call was
//! made, a server that stands still for a second would be charged with one slow call, and not with
//! all those that had to wait (*coordinated omission*).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::BenchError;
use crate::call::{Batch, Call, Connection, Failed, Failures, count_in};
use crate::stats::{Latencies, Schedule};

/// tokio's timer has steps of 1 ms; the last stretch is waited for awake.
const AWAKE: Duration = Duration::from_millis(3);

/// So many calls that are late are made in one go, before those that are answered get their turn.
const IN_ONE_GO: usize = 8;

/// Whoever has no answer so long after the last call was made gets none.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The load kept up if it made so much of what was due,
const MADE_PERCENT_MIN: f64 = 99.0;
/// and made nearly all of it within so many ms: a tenth of what a shed may take.
const LATE_MS_MAX: f64 = 5.0;

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

    /// What was not answered rightly, for whatever reason: where nothing should be shed.
    pub fn all_failures(&self) -> Failures {
        let mut all = self.failures.clone();
        count_in(&mut all, &self.shed_reasons);
        if self.unanswered() > 0 {
            all.insert(Failed::Unanswered, self.unanswered());
        }
        all
    }

    /// Whether calls came as they were due, at `rate` a second.
    ///
    /// # Errors
    /// What the load did instead: then the times say how long *it* took.
    pub fn kept_up(&self, rate: f64) -> Result<(), String> {
        let made = 100.0 * self.made_per_sec() / rate;
        let late = self.late.micros_at(0.99) / 1e3;
        match made >= MADE_PERCENT_MIN && late <= LATE_MS_MAX {
            true => Ok(()),
            false => Err(format!(
                "the load could not keep up: it made {made:.1} % of what was due, the slowest \
                 hundredth {late:.1} ms late or later"
            )),
        }
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

/// Makes every call of the batch when it is due, on the connections in turn, and waits for the
/// answers.
///
/// # Errors
/// When calls are missing.
pub async fn open(
    connections: &[Connection],
    batch: Batch,
    schedule: Schedule,
) -> Result<Tally, BenchError> {
    let arrivals = Arrivals {
        connections,
        schedule,
        calls: batch.len(),
        patience: PATIENCE,
    };
    let batch = Arc::new(batch);
    let checks = Arc::clone(&batch);
    let gone = || BenchError::Asked("a call was taken before".to_owned());
    arrivals
        .run(
            |_| batch.take().map(|(_, call)| call).ok_or_else(gone),
            move |number, bytes| checks.check(number, bytes),
        )
        .await
}

/// Calls that come.
pub(crate) struct Arrivals<'a> {
    /// Over these connections, in turn.
    pub connections: &'a [Connection],
    /// When they are due.
    pub schedule: Schedule,
    /// How many.
    pub calls: usize,
    /// For how long answers are waited for when the last call was made.
    pub patience: Duration,
}

/// What is told of a tally that is still growing.
#[derive(Default)]
struct Board {
    tally: Mutex<Tally>,
    changed: Notify,
}

impl Arrivals<'_> {
    /// Makes the calls, each by `make` from its number when it is due, and checks their answers.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) async fn run(
        &self,
        mut make: impl FnMut(usize) -> Result<Call, BenchError>,
        check: impl Fn(usize, Bytes) -> Result<(), Failed> + Send + Sync + 'static,
    ) -> Result<Tally, BenchError> {
        let board = Arc::new(Board::default());
        let check = Arc::new(check);
        let begun = Instant::now();
        for (number, connection) in (0..self.calls).zip(self.connections.iter().cycle()) {
            let call = make(number)?;
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
        let _ = timeout(self.patience, board.all_answered()).await;
        let mut tally = std::mem::take(&mut *board.tally());
        (tally.span, tally.wall) = (span, begun.elapsed());
        Ok(tally)
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
    use http::{HeaderMap, HeaderValue, Response};
    use tokio::net::TcpListener;

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

    /// A server that answers the calls of these numbers, and lets all others hang.
    async fn server(answers: impl Fn(usize) -> bool + Send + 'static) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.expect("a caller");
            let mut calls = h2::server::handshake(socket).await.expect("HTTP/2");
            let mut hanging = Vec::new();
            let mut number = 0;
            while let Some(Ok((_, mut respond))) = calls.accept().await {
                if answers(number) {
                    let head = Response::new(());
                    let mut stream = respond.send_response(head, false).expect("sent");
                    let empty = Bytes::from_static(&[0; 5]);
                    stream.send_data(empty, false).expect("sent");
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", HeaderValue::from_static("0"));
                    stream.send_trailers(trailers).expect("sent");
                } else {
                    hanging.push(respond);
                }
                number += 1;
            }
        });
        Connection::open(&url).await.expect("connected")
    }

    async fn arrived(connection: Connection, check: fn(usize) -> Result<(), Failed>) -> Tally {
        let arrivals = Arrivals {
            connections: &[connection],
            schedule: Schedule::per_sec(200.0).expect("a rate"),
            calls: 20,
            patience: Duration::from_secs(2),
        };
        let make = |_| Ok(Call::new("/s/m", &()));
        let tally = arrivals.run(make, move |number, _| check(number)).await;
        tally.expect("run")
    }

    #[tokio::test]
    async fn a_lane_that_hangs_has_failed_and_has_no_time() {
        let tally = arrived(server(|_| false).await, |_| Ok(())).await;
        assert_eq!((tally.made, tally.unanswered()), (20, 20));
        assert_eq!(tally.all_failures().get(&Failed::Unanswered), Some(&20));
        assert!(tally.served.micros_at_of(0.99, tally.made).is_nan());
    }

    #[tokio::test]
    async fn one_call_that_hangs_holds_up_no_other() {
        let tally = arrived(server(|number| number != 0).await, |_| Ok(())).await;
        assert_eq!((tally.served.count(), tally.unanswered()), (19, 1));
        assert!(tally.served.micros_at_of(0.99, tally.made).is_nan());
    }

    #[tokio::test]
    async fn a_call_whose_check_panics_has_failed() {
        let tally = arrived(server(|_| true).await, |number| {
            assert_ne!(number, 3, "as it must not be");
            Ok(())
        })
        .await;
        assert_eq!(tally.served.count(), 19);
        let failed: u64 = tally.all_failures().values().sum();
        assert_eq!(failed, 1);
    }

    #[test]
    fn a_load_that_is_late_or_makes_too_few_calls_did_not_keep_up() {
        let of = |made, late| {
            let mut tally = Tally {
                made,
                span: 1_000 * MS,
                ..Tally::default()
            };
            tally.late.record(late);
            tally.kept_up(100.0)
        };
        assert!(of(100, MS).is_ok());
        assert!(of(90, MS).is_err());
        assert!(of(100, 20 * MS).is_err());
    }

    #[test]
    fn an_accepted_call_is_timed_from_when_it_was_due() {
        let mut tally = Tally::default();
        tally.record(200 * MS, MS, Ok(()));
        assert!(tally.served.micros_at(0.5) > 190_000.0);
    }
}
