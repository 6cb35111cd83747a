//! The open loop: calls come when they are due, as from the outside world,
//! whatever became of the earlier ones.
//!
//! A call's time runs from the instant at which it was due. Were it to run from
//! when the call was made, a server that stands still for a second would be
//! charged with one slow call, and not with all those that had to wait
//! (*coordinated omission*).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use super::{Measurement, answered};
use crate::call::{Batch, Connection};
use crate::stats::Schedule;

/// tokio's timer has steps of 1 ms, so the last stretch is waited for awake:
/// the load has its core to itself.
const AWAKE: Duration = Duration::from_millis(3);

/// Makes every call of the batch when it is due, on the connections in turn,
/// and waits for all of the answers.
pub async fn open(connections: &[Connection], batch: Batch, schedule: Schedule) -> Measurement {
    open_for(connections, batch, schedule, None).await
}

/// As [`open`], but waits only so long for answers after the last call was made;
/// calls that have none by then are given up and not counted.
pub async fn open_for(
    connections: &[Connection],
    batch: Batch,
    schedule: Schedule,
    patience: Option<Duration>,
) -> Measurement {
    let batch = Arc::new(batch);
    let mut under_way = JoinSet::new();
    let begun = Instant::now();
    for connection in connections.iter().cycle() {
        let Some((number, call)) = batch.take() else {
            break;
        };
        let due = begun + schedule.due(number);
        until(due).await;
        let (connection, batch) = (connection.clone(), Arc::clone(&batch));
        under_way.spawn(async move { answered(&connection, &batch, number, call, due).await });
    }
    let mut outcomes = Vec::with_capacity(under_way.len());
    let gather = async {
        while let Some(joined) = under_way.join_next().await {
            // A task that panicked has no outcome, and is missed in the count.
            outcomes.extend(joined.ok());
        }
    };
    match patience {
        Some(patience) => {
            // Whoever is not back by then is given up.
            let _ = tokio::time::timeout(patience, gather).await;
        }
        None => gather.await,
    }
    Measurement::of(outcomes, begun.elapsed())
}

async fn until(due: Instant) {
    let ahead = due.saturating_duration_since(Instant::now());
    if ahead > AWAKE {
        sleep(ahead - AWAKE).await;
    }
    while Instant::now() < due {
        yield_now().await;
    }
}
