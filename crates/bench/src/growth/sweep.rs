//! Rotations while the janitor sweeps, against rotations while it has nothing to do.

use std::time::Duration;

use super::dimensions::OVERRIDES;
use super::{Run, Sweep};
use crate::BenchError;
use crate::call::{Batch, Connection, Failed, count_in, decode};
use crate::load;
use crate::stand::{Population, Stand};
use crate::stats::{Latencies, Schedule};
use crate::world::Setting;
use countersign::token::v1::RotateTokenResponse;

/// The p99 of rotations while the janitor sweeps, in that of a quiet service.
pub(super) const SLOWER_MAX: f64 = 3.0;

/// What became of rotations.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// With nothing to sweep.
    pub quiet: Latencies,
    /// With the janitor at work.
    pub sweeping: Latencies,
    /// Expired families that there were.
    pub expired: u64,
    /// Those that were swept while calls were timed.
    pub swept: u64,
}

/// A store that has to be swept is swept once, so every round has stores of its own; and only one
/// service is up at a time, since they share a core.
pub(super) async fn measure(
    setting: &Setting,
    plan: &Sweep,
    run: &mut Run<'_>,
) -> Result<Swept, BenchError> {
    let mut all = Swept::default();
    for round in 1..=plan.rounds {
        run.begins(format!("rotations with and without a sweep, round {round}"));
        let (quiet, _) = rotations(setting, plan, 0, run).await?;
        let (sweeping, swept) = rotations(setting, plan, plan.expired, run).await?;
        all.quiet.add(&quiet);
        all.sweeping.add(&sweeping);
        all.expired += plan.expired;
        all.swept += swept;
    }
    Ok(all)
}

/// How long rotations took, and how many expired families were swept meanwhile.
async fn rotations(
    setting: &Setting,
    plan: &Sweep,
    expired: u64,
    run: &mut Run<'_>,
) -> Result<(Latencies, u64), BenchError> {
    let schedule = Schedule::per_sec(plan.per_sec)
        .ok_or_else(|| BenchError::Asked(format!("{} is no rate", plan.per_sec)))?;
    let calls = schedule.calls_within(Duration::from_secs(plan.secs));
    let population = Population {
        clients: 1,
        families: calls,
        expired: expired as usize,
    };
    // The janitor begins with the service, so everything else is ready before it starts.
    let stand = Stand::start(setting, &population, &OVERRIDES).await?;
    let callers = stand.callers();
    let calls = callers
        .refresh_tokens()
        .iter()
        .map(|token| callers.rotate(token.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let families = calls.len() as u64;
    let batch = Batch::new(calls, |_, message| {
        match decode::<RotateTokenResponse>(message)?
            .refresh_token
            .is_empty()
        {
            false => Ok(()),
            true => Err(Failed::Wrong("no successor")),
        }
    });
    let connections = Connection::open_many(stand.url(), 1).await?;
    let measured = load::open(&connections, batch, schedule).await?;
    count_in(&mut run.failures, &measured.all_failures());
    drop(connections);
    let swept = match expired {
        0 => 0,
        expired => {
            let left = stand.families_left().await? as u64;
            expired.saturating_sub(left.saturating_sub(families))
        }
    };
    Ok((measured.served, swept))
}
