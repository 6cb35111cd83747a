//! What becomes of a service that is asked for twice what it can do, and of one that is flooded
//! with proofs that are worth nothing.
//!
//! Capacity and the time of an unloaded call are measured first, in the same run, so that goals are
//! ratios. Then calls come at twice the capacity, timed from when they were due; proofs are signed
//! beforehand, and the run says so if the load could not keep up.

mod bystanders;
mod flood;
mod memory;
mod report;

use std::time::Duration;

use bytes::Bytes;
use countersign::token::v1::IssueTokenResponse;

use self::bystanders::Asking;
pub use self::bystanders::Bystanders;
pub use self::flood::Flood;
pub use self::memory::Memory;
pub use self::report::{Capacity, Overloaded, Report};
use crate::call::{Batch, Connection, Failed, decode};
use crate::load::{Arrivals, PATIENCE, Tally};
use crate::stand::{Callers, Population, Stand, check_issued};
use crate::stats::Schedule;
use crate::world::Setting;
use crate::{BenchError, Measurement, load};

/// Streams of the closed loop that finds the capacity.
const STREAMS: usize = 32;

/// Clients that call: each stays below what one client may ask for by default, also together at
/// twice the capacity of a fast core.
const CLIENTS: usize = 64;

/// Connections of the load. A connection has 100 streams at once: 64 of them have more than the
/// service ever takes on, so it is the service that says no, and nobody waits at the load for a
/// stream.
const CONNECTIONS: usize = 64;

/// The part of the capacity at which a service is not loaded.
const UNLOADED: f64 = 0.2;

/// Calls of the first look at the capacity.
const PILOT: usize = 2_000;

/// How long what is done.
#[derive(Copy, Clone, Debug)]
pub struct Plan {
    /// The closed loop.
    pub capacity: Duration,
    /// The open loop without load.
    pub unloaded: Duration,
    /// The open loop with too much of it. A proof is good for 60 s, and all of them are signed
    /// before.
    pub overload: Duration,
    /// What is asked for, in the capacity.
    pub factor: f64,
    /// The flood of bad proofs; memory that grows with it shows over a minute.
    pub flood: Duration,
}

impl Plan {
    /// Enough of everything for a p99 that stands still.
    pub const FULL: Self = Self {
        capacity: Duration::from_secs(4),
        unloaded: Duration::from_secs(5),
        overload: Duration::from_secs(20),
        factor: 2.0,
        flood: Duration::from_secs(60),
    };

    /// To see that it works.
    pub const QUICK: Self = Self {
        capacity: Duration::from_secs(1),
        unloaded: Duration::from_secs(1),
        overload: Duration::from_secs(3),
        factor: 2.0,
        flood: Duration::from_secs(2),
    };
}

/// Measures all of it. `progress` is told what begins.
///
/// # Errors
/// When it cannot be measured; wrong answers are in the report.
pub async fn run(
    setting: &Setting,
    plan: &Plan,
    mut progress: impl FnMut(&str),
) -> Result<Report, BenchError> {
    let population = Population {
        clients: CLIENTS,
        families: 1,
        expired: 0,
    };
    // As it is by default: a limit that is too low shows here.
    let overrides = [("proofs.remembered_max", "1000000")];
    let mut stand = Stand::start(setting, &population, &overrides).await?;
    let callers = stand.callers();
    let url = stand.url().to_owned();

    progress("capacity");
    let capacity = capacity(&callers, &url, plan.capacity).await?;
    let rate = capacity.per_sec;
    progress(&format!("capacity: {rate:.0} calls/s"));

    let calls = signed(&callers, rate * UNLOADED, plan.unloaded)?;
    let unloaded = calls.made(&url).await?;

    let due = rate * plan.factor;
    progress(&format!("{due:.0} calls/s: proofs are signed"));
    let calls = signed(&callers, due, plan.overload)?;
    progress(&format!(
        "{due:.0} calls/s, {} times the capacity",
        plan.factor
    ));
    let apart = Connection::open(&url).await?;
    let asking = Asking::of(&stand, &apart).await?;
    let (made, memory) = memory::during(stand.process(), async {
        tokio::try_join!(
            calls.made(&url),
            bystanders::call(&asking, &apart, plan.overload)
        )
    })
    .await?;
    let (tally, bystanders) = made?;

    progress("a flood of bad proofs");
    let flooding = flood::flood(&callers, &url, plan.flood);
    let (flood, flood_memory) = memory::during(stand.process(), flooding).await?;

    Ok(Report {
        cores: setting.cores,
        capacity,
        unloaded,
        overloaded: Overloaded {
            rate: due,
            factor: plan.factor,
            tally,
            memory,
            bystanders,
        },
        flood: flood?,
        flood_memory,
    })
}

async fn capacity(callers: &Callers, url: &str, span: Duration) -> Result<Capacity, BenchError> {
    let closed = async |calls| {
        let batch = batch(callers, calls)?;
        Ok::<_, BenchError>(load::closed(&connect(url).await?, batch, STREAMS).await)
    };
    let pilot: Measurement = closed(PILOT).await?;
    let calls = (pilot.per_sec() * span.as_secs_f64()).ceil() as usize;
    let measured = closed(calls.max(PILOT)).await?;
    if measured.answered.count() == 0 {
        let why = measured.failures.into_keys().next();
        return Err(BenchError::Preparing {
            what: "the capacity",
            cause: why.map_or_else(|| "no answer".to_owned(), |failed| failed.to_string()),
        });
    }
    Ok(Capacity::of(&pilot, measured))
}

/// New connections: those that have been silent while calls were signed may have been closed.
async fn connect(url: &str) -> Result<Vec<Connection>, BenchError> {
    Connection::open_many(url, CONNECTIONS).await
}

fn batch(callers: &Callers, calls: usize) -> Result<Batch, BenchError> {
    let calls = (0..calls)
        .map(|nth| callers.issue(nth, &callers.issue_proof(nth)?))
        .collect::<Result<_, BenchError>>()?;
    Ok(Batch::of(calls, |answer| check_issued(&answer)))
}

/// Calls whose proofs are signed, at a rate.
struct Signed {
    callers: Callers,
    proofs: Vec<String>,
    schedule: Schedule,
}

fn signed(callers: &Callers, rate: f64, span: Duration) -> Result<Signed, BenchError> {
    let schedule = Schedule::per_sec(rate)
        .ok_or_else(|| BenchError::Asked(format!("{rate} calls a second are no rate")))?;
    let proofs = (0..schedule.calls_within(span))
        .map(|nth| callers.issue_proof(nth))
        .collect::<Result<_, _>>()?;
    Ok(Signed {
        callers: callers.clone(),
        proofs,
        schedule,
    })
}

impl Signed {
    async fn made(&self, url: &str) -> Result<Tally, BenchError> {
        let arrivals = Arrivals {
            connections: &connect(url).await?,
            schedule: self.schedule,
            calls: self.proofs.len(),
            patience: PATIENCE,
        };
        let check = |_, bytes: Bytes| -> Result<(), Failed> {
            check_issued(&decode::<IssueTokenResponse>(bytes)?)
        };
        arrivals
            .run(|nth| self.callers.issue(nth, &self.proofs[nth]), check)
            .await
    }
}
