//! A flood of proofs that are worth nothing, and somebody who means well in the middle of it.

use std::time::{Duration, Instant};

use countersign::token::v1::IssueTokenResponse;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::call::{Connection, Failed, Failures, count_in, decode};
use crate::load::is_shed;
use crate::stand::{Callers, check_issued};
use crate::stats::Latencies;
use crate::{BenchError, Measurement};

/// Bad calls at once: more than the service lets wait, so that it sheds.
const STREAMS: usize = 256;

/// Over so many connections: four streams each.
const CONNECTIONS: usize = 64;

/// A bad proof is used again and again, since none is ever spent, until it is so old. Older than
/// 60 s it would be refused for its age, before its signature costs anything.
const PROOF_AGE_MAX: Duration = Duration::from_secs(20);

/// A call that means well comes so often,
const EVERY: Duration = Duration::from_millis(20);
/// tries again so soon after it was shed,
const AGAIN: Duration = Duration::from_millis(20);
/// and is not served if it was not within this time.
const SERVED_WITHIN: Duration = Duration::from_secs(2);

/// Whoever has no answer for so long gets none.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a bad proof is answered with.
const BAD: &str = "REASON_DPOP_PROOF_INVALID";

/// What became of a flood.
#[derive(Clone, Debug, Default)]
pub struct Flood {
    /// Bad calls that were refused for what they are.
    pub refused: Latencies,
    /// Bad calls that were shed before that.
    pub shed: Latencies,
    /// Whatever else was answered to them.
    pub wrong: Failures,
    /// How long it went on.
    pub wall: Duration,
    /// Calls that meant well, with all of their attempts.
    pub served: Measurement,
    /// Attempts that were shed.
    pub attempts_shed: u64,
}

impl Flood {
    /// Bad calls a second.
    pub fn per_sec(&self) -> f64 {
        let answered = self.refused.count() + self.shed.count();
        answered as f64 / self.wall.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The part of the calls that meant well that was served, in percent.
    pub fn served_percent(&self) -> f64 {
        let all = self.served.calls();
        match all {
            0 => f64::NAN,
            all => 100.0 * self.served.answered.count() as f64 / all as f64,
        }
    }

    fn record(&mut self, took: Duration, outcome: Result<(), Failed>) {
        match outcome {
            Err(Failed::Refused(reason)) if reason == BAD => self.refused.record(took),
            Err(failed) if is_shed(&failed) => self.shed.record(took),
            Err(failed) => *self.wrong.entry(failed).or_default() += 1,
            Ok(()) => {
                let accepted = Failed::Wrong("a bad proof was accepted");
                *self.wrong.entry(accepted).or_default() += 1;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.refused.add(&other.refused);
        self.shed.add(&other.shed);
        count_in(&mut self.wrong, &other.wrong);
    }
}

/// Floods for `span`; whoever means well has a connection apart.
pub(super) async fn flood(
    callers: &Callers,
    url: &str,
    span: Duration,
) -> Result<Flood, BenchError> {
    let connections = Connection::open_many(url, CONNECTIONS).await?;
    let apart = Connection::open(url).await?;
    let begun = Instant::now();
    let until = begun + span;
    let mut streams = JoinSet::new();
    for (first, connection) in (0..STREAMS).zip(connections.iter().cycle()) {
        streams.spawn(stream(callers.clone(), connection.clone(), first, until));
    }
    let mut flood = well_meant(callers, &apart, until).await?;
    while let Some(joined) = streams.join_next().await {
        let done = joined.map_err(BenchError::preparing("a flood"))?;
        flood.add(&done?);
    }
    flood.wall = begun.elapsed();
    Ok(flood)
}

async fn stream(
    callers: Callers,
    connection: Connection,
    first: usize,
    until: Instant,
) -> Result<Flood, BenchError> {
    let mut flood = Flood::default();
    let bad = || callers.issue_proof(first).map(|proof| spoilt(&proof));
    let (mut proof, mut signed) = (bad()?, Instant::now());
    for nth in first.. {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        if begun - signed > PROOF_AGE_MAX {
            (proof, signed) = (bad()?, begun);
        }
        let call = callers.issue(nth, &proof)?;
        let outcome = connection.call_within(PATIENCE, call).await.map(drop);
        flood.record(begun.elapsed(), outcome);
    }
    Ok(flood)
}

/// Calls at a low rate; each tries again while it is shed.
async fn well_meant(
    callers: &Callers,
    connection: &Connection,
    until: Instant,
) -> Result<Flood, BenchError> {
    let mut flood = Flood::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    for nth in 0.. {
        ticks.tick().await;
        if Instant::now() >= until {
            break;
        }
        under_way.spawn(persistent(callers.clone(), connection.clone(), nth));
    }
    while let Some(joined) = under_way.join_next().await {
        let (took, shed, outcome) = joined.map_err(BenchError::preparing("a call"))??;
        flood.attempts_shed += shed;
        flood.served.wall += took;
        flood.served.record(took, outcome);
    }
    Ok(flood)
}

type Persisted = (Duration, u64, Result<(), Failed>);

async fn persistent(
    callers: Callers,
    connection: Connection,
    nth: usize,
) -> Result<Persisted, BenchError> {
    let begun = Instant::now();
    for shed in 0.. {
        let call = callers.issue(nth, &callers.issue_proof(nth)?)?;
        let outcome = connection
            .call_within(PATIENCE, call)
            .await
            .and_then(decode::<IssueTokenResponse>)
            .and_then(|answer| check_issued(&answer));
        let again = matches!(&outcome, Err(failed) if is_shed(failed));
        if !again || begun.elapsed() >= SERVED_WITHIN {
            return Ok((begun.elapsed(), shed, outcome));
        }
        sleep(AGAIN).await;
    }
    Err(BenchError::Asked(
        "more attempts than there are numbers".to_owned(),
    ))
}

/// A proof whose signature is one of something else: as long, and as well formed.
fn spoilt(proof: &str) -> String {
    let Some((signed, signature)) = proof.rsplit_once('.') else {
        return proof.to_owned();
    };
    // Neither the first nor the last character: of those not all bits count.
    let spoilt: String = signature
        .chars()
        .enumerate()
        .map(|(at, character)| match (at, character) {
            (10, 'A') => 'B',
            (10, _) => 'A',
            (_, character) => character,
        })
        .collect();
    format!("{signed}.{spoilt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoilt_proof_has_another_signature_of_the_same_length() {
        let proof = "header.claims.abcdefghijklmnopqrstuvwxyz";
        let bad = spoilt(proof);
        assert_ne!(bad, proof);
        assert_eq!(bad.len(), proof.len());
        assert!(bad.starts_with("header.claims.abcdefghijAlmn"));
    }

    #[test]
    fn a_bad_proof_that_is_accepted_is_wrong() {
        let mut flood = Flood::default();
        let took = Duration::from_millis(1);
        flood.record(took, Ok(()));
        flood.record(took, Err(Failed::Refused(BAD.to_owned())));
        flood.record(took, Err(Failed::Refused("REASON_OVERLOADED".to_owned())));
        flood.record(
            took,
            Err(Failed::Refused("REASON_DPOP_PROOF_REPLAYED".to_owned())),
        );
        assert_eq!((flood.refused.count(), flood.shed.count()), (1, 1));
        assert_eq!(flood.wrong.values().sum::<u64>(), 2);
    }
}
