//! How the cost of a call grows with what there is to keep: families, clients, spent proofs, tokens
//! seen, connections. And what a start takes with all of the families, and a rotation while the
//! janitor sweeps.
//!
//! What grows is the server's processor time for a call; it is compared within a round, with the
//! smallest size as reference.

mod curve;
mod dimensions;
mod plan;
mod report;
mod start;
mod streams;
mod sweep;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::sleep;

pub(crate) use self::curve::counted;
pub use self::curve::{Axis, Curve, GROWTH_MAX, Point};
pub use self::plan::{Plan, Sweep};
pub use self::report::Report;
pub use self::start::Starts;
use self::streams::Streams;
pub use self::sweep::Swept;
use crate::call::{Connection, Failures};
use crate::world::Setting;
use crate::{BenchError, Process};

/// Calls of each stream before the first round: caches and the allocator are warm then.
const WARM_CALLS: usize = 10;

/// A server at rest uses less than this part of a core: timers and the janitor,
const IDLE_SHARE: f64 = 0.005;
/// looked at for so long;
const LOOK: Duration = Duration::from_millis(500);
/// and with a million families it comes to rest within this time, or never.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);

/// Measures all of it. `progress` is told what begins.
///
/// # Errors
/// When it cannot be measured; wrong answers are in the report.
pub async fn run(
    setting: &Setting,
    plan: &Plan,
    mut progress: impl FnMut(&str),
) -> Result<Report, BenchError> {
    open_many_files();
    let mut run = Run {
        progress: &mut progress,
        curves: Vec::new(),
        failures: Failures::new(),
    };
    let largest = dimensions::families(setting, plan, &mut run).await?;
    let starts = match largest {
        Some((stand, families)) => {
            Some(start::time(setting, plan, stand, families, &mut run).await?)
        }
        None => None,
    };
    dimensions::clients(setting, plan, &mut run).await?;
    dimensions::spent(setting, plan, &mut run).await?;
    dimensions::tokens(setting, plan, &mut run).await?;
    dimensions::connections(setting, plan, &mut run).await?;
    let swept = sweep::measure(setting, &plan.sweep, &mut run).await?;
    Ok(Report {
        curves: run.curves,
        starts,
        swept,
        failures: run.failures,
    })
}

/// A run that is under way.
struct Run<'a> {
    progress: &'a mut dyn FnMut(&str),
    curves: Vec<Curve>,
    failures: Failures,
}

impl Run<'_> {
    fn begins(&mut self, what: impl AsRef<str>) {
        (self.progress)(what.as_ref());
    }

    /// Waits until a server is at rest; what it does by itself after its start is no call's cost.
    async fn rested<'p>(
        &mut self,
        axis: Axis,
        size: u64,
        server: &'p mut Process,
    ) -> Result<Rested<'p>, BenchError> {
        if !settled(server).await? {
            let (name, size) = (axis.name, counted(size));
            self.begins(format!("{name}: the server with {size} is busy by itself"));
        }
        Ok(Rested { size, server })
    }

    /// Measures a curve: in every round each site once, forwards and backwards in turn, so that no
    /// site always comes after the same other.
    async fn curve(
        &mut self,
        axis: Axis,
        plan: &Plan,
        mut sites: Vec<Site<'_>>,
    ) -> Result<(), BenchError> {
        self.begins(axis.name);
        for site in &mut sites {
            site.streams.run(WARM_CALLS, &mut self.failures).await?;
        }
        let mut rounds = Vec::with_capacity(plan.rounds);
        for round in 0..plan.rounds {
            let mut costs = vec![f64::NAN; sites.len()];
            let mut turns: Vec<usize> = (0..sites.len()).collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for turn in turns {
                costs[turn] = sites[turn].cost(plan.calls, &mut self.failures).await?;
            }
            rounds.push(costs);
        }
        let sizes: Vec<u64> = sites.iter().map(|site| site.size).collect();
        let curve = Curve::of(axis, &sizes, &rounds);
        self.begins(curve.to_string());
        self.curves.push(curve);
        Ok(())
    }
}

/// Waits until a server that nobody calls does next to nothing: after its start it reads what is in
/// its store, and that is no call's cost. `false`: it did not come to rest.
async fn settled(server: &mut Process) -> Result<bool, BenchError> {
    let begun = Instant::now();
    while begun.elapsed() < SETTLED_WITHIN {
        let before = server.used()?;
        sleep(LOOK).await;
        let used = server.used()?.since(before).processor;
        if used.as_secs_f64() < IDLE_SHARE * LOOK.as_secs_f64() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A server that has come to rest. Only to such a one are connections opened: those that are open
/// while it is waited for have no calls, and a server closes what is idle for a minute.
struct Rested<'a> {
    size: u64,
    server: &'a mut Process,
}

impl<'a> Rested<'a> {
    fn url(&self) -> &str {
        &self.server.facts().url
    }

    async fn connect(&self, count: usize) -> Result<Vec<Connection>, BenchError> {
        Connection::open_many(self.url(), count).await
    }

    fn site(self, streams: Streams) -> Site<'a> {
        Site {
            size: self.size,
            server: self.server,
            streams,
        }
    }
}

/// What is measured at one size.
struct Site<'a> {
    size: u64,
    server: &'a mut Process,
    streams: Streams,
}

impl Site<'_> {
    /// The processor time of a call, in µs.
    async fn cost(&mut self, calls: usize, failures: &mut Failures) -> Result<f64, BenchError> {
        self.streams.reopen().await?;
        let before = self.server.used()?;
        let made = self.streams.run(calls, failures).await?;
        let used = self.server.used()?.since(before);
        Ok(used.processor.as_secs_f64() * 1e6 / made.max(1) as f64)
    }
}

/// Thousands of connections need as many files; the usual soft limit is 1,024. Servers are started
/// by this process, and begin with its limits.
fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it is refused, connections that cannot be opened say so.
    let _ = setrlimit(Resource::Nofile, highest);
}
