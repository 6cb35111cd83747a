//! Load: the calls of a batch, in a closed or an open loop.

mod awake;
mod open;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

pub(crate) use self::awake::Awake;
pub(crate) use self::open::{Arrivals, PATIENCE, is_shed};
pub use self::open::{Tally, open};
use crate::call::{Batch, Failed, Failures, Link, count_in};
use crate::stats::Latencies;

/// What became of the calls of one round.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// How long all of it took.
    pub wall: Duration,
    /// Calls that were answered rightly: how long they took.
    pub answered: Latencies,
    /// Calls that failed: how long that took.
    pub failed: Latencies,
    /// Why they failed.
    pub failures: Failures,
    /// The bytes of the messages sent.
    pub request_bytes: u64,
    /// The bytes of the messages that came back.
    pub answer_bytes: u64,
}

impl Measurement {
    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.answered.count() + self.failed.count()
    }

    /// Calls a second that were answered rightly.
    pub fn per_sec(&self) -> f64 {
        self.answered.count() as f64 / self.wall.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Counts another round, as if it had come after this one.
    pub fn add(&mut self, other: &Self) {
        self.wall += other.wall;
        self.request_bytes += other.request_bytes;
        self.answer_bytes += other.answer_bytes;
        self.answered.add(&other.answered);
        self.failed.add(&other.failed);
        count_in(&mut self.failures, &other.failures);
    }

    /// Counts what became of every call, when the clock has stopped.
    pub(crate) fn of(outcomes: impl IntoIterator<Item = Outcome>, wall: Duration) -> Self {
        let mut measurement = Self {
            wall,
            ..Self::default()
        };
        for outcome in outcomes {
            measurement.request_bytes += outcome.request_bytes as u64;
            let answer = outcome
                .answer
                .map(|bytes| measurement.answer_bytes += bytes as u64);
            measurement.record(outcome.took, answer);
        }
        measurement
    }

    pub(crate) fn record(&mut self, took: Duration, outcome: Result<(), Failed>) {
        match outcome {
            Ok(()) => self.answered.record(took),
            Err(failed) => {
                self.failed.record(took);
                *self.failures.entry(failed).or_default() += 1;
            }
        }
    }
}

/// A closed loop: so many streams, spread over the connections; each makes its
/// next call when the last one is answered, until the batch is used up.
pub async fn closed<L: Link>(
    connections: &[L],
    batch: Batch<L::Call>,
    streams: usize,
) -> Measurement {
    let batch = Arc::new(batch);
    let begun = Instant::now();
    let mut at_work = JoinSet::new();
    for (_, connection) in (0..streams).zip(connections.iter().cycle()) {
        at_work.spawn(stream(connection.clone(), Arc::clone(&batch)));
    }
    let done = at_work.join_all().await;
    Measurement::of(done.into_iter().flatten(), begun.elapsed())
}

/// What became of one call.
pub(crate) struct Outcome {
    pub(crate) took: Duration,
    /// The bytes of its message.
    pub(crate) request_bytes: usize,
    /// The bytes of the answer's message.
    pub(crate) answer: Result<usize, Failed>,
}

async fn stream<L: Link>(mut connection: L, batch: Arc<Batch<L::Call>>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while let Some((number, call)) = batch.take() {
        outcomes.push(answered(&mut connection, &batch, number, call).await);
    }
    outcomes
}

/// Makes a call and checks its answer.
async fn answered<L: Link>(
    connection: &mut L,
    batch: &Batch<L::Call>,
    number: usize,
    call: L::Call,
) -> Outcome {
    let begun = Instant::now();
    let request_bytes = L::message_bytes(&call);
    let answer = connection.call(call).await;
    let took = begun.elapsed();
    let answer = answer.and_then(|message| {
        let bytes = message.len();
        batch.check(number, message).map(|()| bytes)
    });
    Outcome {
        took,
        request_bytes,
        answer,
    }
}
