//! A run: every cell, its two sides in turns.

use std::time::{Duration, Instant};

use nix::time::ClockId;
use tokio::time::{sleep, timeout};

use crate::call::{Connection, Failures, count_in};
use crate::child::Tracing;
use crate::collector::Collector;
use crate::plan::{Cell, Plan, Shape};
use crate::process::Used;
use crate::report::{Figure, OpenFigure, Sizes};
use crate::rows::{Row, Side, client_layer, guard_http, token_http};
use crate::stats::{Latencies, Schedule, Spread};
use crate::world::Setting;
use crate::{BenchError, Measurement, World, load};

/// Whoever waits longer has been forgotten by the server. A round is a second.
const ROUND_SECS_MAX: u64 = 120;

/// Before the first round, so that caches and the allocator are warm.
const WARM_CALLS: usize = 256;

/// Proofs are signed before the first call is due, and live for 60 s.
const PROOF_SECS_MAX: Duration = Duration::from_secs(57);

/// How long the first span may take: they leave in batches.
const SPANS_SECS_MAX: u64 = 20;

/// Fewer may be none, by chance.
const SPANS_DUE_MIN: f64 = 100.0;

/// One side, once.
#[derive(Clone, Debug)]
pub struct Round {
    /// What became of the calls.
    pub measurement: Measurement,
    /// What the measured process used.
    pub used: Used,
    /// The processor time of the load, which has a core to itself: where it
    /// comes near the time that passed, the load was the bottleneck.
    pub load: Duration,
    /// The memory of the measured process after the calls, in MiB.
    pub memory_mib: f64,
}

impl Round {
    /// Processor time of the measured process for a call, in µs.
    pub fn micros(&self) -> f64 {
        self.used.processor.as_secs_f64() * 1e6 / self.measurement.calls().max(1) as f64
    }
}

/// Measures all cells; `progress` is told of each as it is done.
///
/// # Errors
/// When something cannot be measured. Calls that failed are in the figures.
pub async fn closed(
    world: &mut World,
    plan: &Plan,
    mut progress: impl FnMut(&Progress<'_>),
) -> Result<Vec<Figure>, BenchError> {
    all(plan, &mut progress, async |side, cell| {
        round(world, cell, side).await
    })
    .await
}

/// Measures what tracing costs: on one side servers without it, on the other
/// the same servers with it, both of them ours.
///
/// # Errors
/// As [`closed`]; and when there was no span although many were due.
pub async fn traced(
    setting: &Setting,
    plan: &Plan,
    ratio: f64,
    mut progress: impl FnMut(&Progress<'_>),
) -> Result<Vec<Figure>, BenchError> {
    let collector = Collector::start().await?;
    let mut without = World::new(setting.clone());
    let mut with = World::new(setting.clone()).traced(Tracing {
        endpoint: collector.url().to_owned(),
        ratio,
    });
    let mut figures = all(plan, &mut progress, async |side, cell| match side {
        Side::Floor => round(&mut without, cell, Side::Ours).await,
        Side::Ours => round(&mut with, cell, Side::Ours).await,
    })
    .await?;
    let calls: usize = plan
        .cells
        .iter()
        .map(|cell| cell.calls * plan.repeats)
        .sum();
    arrived(&collector, calls as f64 * ratio).await?;
    for figure in &mut figures {
        figure.trace_ratio = Some(ratio);
    }
    Ok(figures)
}

/// Without a span, what was measured is not tracing.
async fn arrived(collector: &Collector, due: f64) -> Result<(), BenchError> {
    for _ in 0..SPANS_SECS_MAX {
        if collector.spans() > 0 || due < SPANS_DUE_MIN {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
    }
    Err(BenchError::Preparing {
        what: "spans",
        cause: format!("some {due:.0} calls were to be recorded, and no span has come"),
    })
}

async fn all(
    plan: &Plan,
    progress: &mut impl FnMut(&Progress<'_>),
    mut round: impl AsyncFnMut(Side, Cell) -> Result<Round, BenchError>,
) -> Result<Vec<Figure>, BenchError> {
    let mut figures = Vec::with_capacity(plan.cells.len());
    for (number, &cell) in plan.cells.iter().enumerate() {
        let mut told = |repeat| {
            progress(&Progress::Repeat {
                cell,
                repeat,
                repeats: plan.repeats,
            });
        };
        let figure = measured(cell, plan.repeats, &mut told, &mut round).await?;
        progress(&Progress::Done {
            figure: &figure,
            number: number + 1,
            of: plan.cells.len(),
        });
        figures.push(figure);
    }
    Ok(figures)
}

/// How far a run has come.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A repeat of a cell begins; the first is number 1.
    Repeat {
        /// The cell.
        cell: Cell,
        /// The repeat.
        repeat: usize,
        /// Of so many.
        repeats: usize,
    },
    /// A cell is done.
    Done {
        /// What came of it.
        figure: &'a Figure,
        /// The cell's number; the first is 1.
        number: usize,
        /// Of so many.
        of: usize,
    },
}

/// Takes turns between the two sides, each of which `round` measures once.
async fn measured(
    cell: Cell,
    repeats: usize,
    told: &mut impl FnMut(usize),
    mut round: impl AsyncFnMut(Side, Cell) -> Result<Round, BenchError>,
) -> Result<Figure, BenchError> {
    let mut failures = Failures::new();
    for side in [Side::Floor, Side::Ours] {
        let calls = cell.calls.min(WARM_CALLS);
        let warmed = round(side, Cell { calls, ..cell }).await?;
        // Not timed, but made: a wrong answer is one here as well.
        count_in(&mut failures, &warmed.measurement.failures);
    }
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for repeat in 1..=repeats {
        told(repeat);
        // Neither side always comes after the other.
        if repeat % 2 == 1 {
            floor.push(round(Side::Floor, cell).await?);
            ours.push(round(Side::Ours, cell).await?);
        } else {
            ours.push(round(Side::Ours, cell).await?);
            floor.push(round(Side::Floor, cell).await?);
        }
    }
    Ok(figure(cell, &floor, &ours, failures))
}

/// Measures one side of one cell once, with new connections and new calls.
///
/// # Errors
/// When it cannot be measured.
pub async fn round(world: &mut World, cell: Cell, side: Side) -> Result<Round, BenchError> {
    match cell.row {
        Row::ClientLayer => return client_layer::round(world, cell, side).await,
        Row::GuardHttp => return guard_http::round(world, cell, side).await,
        _ => {}
    }
    let http = cell.row.http();
    // Both sides of these: one writes for every answer, the other for many at once.
    let _awake = http.map(|_| load::Awake::begin());
    if let (Side::Ours, Some(version)) = (side, http) {
        return token_http::round(world, cell, version).await;
    }
    let batch = cell.row.batch(side, world, cell.calls).await?;
    let server = cell.row.server(side, world).await?;
    let connections = Connection::open_many(&server.facts().url, cell.shape.connections).await?;
    let before = (server.used()?, own_time()?);
    let mut measurement = within(
        cell.row,
        load::closed(&connections, batch, cell.shape.streams),
    )
    .await?;
    let after = (server.used()?, own_time()?);
    let memory_mib = server.memory_mib()?;
    let wrong = cell.row.aftermath(side, world).await?;
    count_in(&mut measurement.failures, &wrong);
    Ok(Round {
        measurement,
        used: after.0.since(before.0),
        load: after.1.saturating_sub(before.1),
        memory_mib,
    })
}

/// Calls come at this rate, for so long, whatever becomes of the earlier ones.
///
/// # Errors
/// When it cannot be measured.
pub async fn open(
    world: &mut World,
    row: Row,
    shape: Shape,
    rate: f64,
    span: Duration,
) -> Result<OpenFigure, BenchError> {
    let wrong = || BenchError::Asked(format!("{rate} calls a second are no rate"));
    if row == Row::ClientLayer {
        let text = "client_layer measures the caller; it has no open loop".to_owned();
        return Err(BenchError::Asked(text));
    }
    if row == Row::GuardHttp {
        let text = "guard_http has no open loop; guard_cached has one".to_owned();
        return Err(BenchError::Asked(text));
    }
    if row.http().is_some() {
        let text = format!("{row} is compared with issue_secret; that has an open loop");
        return Err(BenchError::Asked(text));
    }
    let schedule = Schedule::per_sec(rate).ok_or_else(wrong)?;
    let calls = schedule.calls_within(span);
    let warm = Cell {
        row,
        shape,
        calls: calls.min(WARM_CALLS),
    };
    let warmed = round(world, warm, Side::Ours).await?;
    let begun = Instant::now();
    let batch = row.batch(Side::Ours, world, calls).await?;
    let signing = begun.elapsed();
    live_long_enough(signing, span)?;
    let server = row.server(Side::Ours, world).await?;
    let connections = Connection::open_many(&server.facts().url, shape.connections).await?;
    let before = server.used()?;
    let tally = within(row, load::open(&connections, batch, schedule)).await??;
    let used = server.used()?.since(before);
    let rss_mib = server.memory_mib()?;
    let mut failures = tally.all_failures();
    count_in(&mut failures, &warmed.measurement.failures);
    count_in(&mut failures, &row.aftermath(Side::Ours, world).await?);
    Ok(OpenFigure {
        row,
        connections: shape.connections,
        rate,
        ours_us: used.processor.as_secs_f64() * 1e6 / tally.made.max(1) as f64,
        rss_mib,
        failures,
        tally,
    })
}

/// The first proof is as old as the signing of all takes when its call is due.
fn live_long_enough(signing: Duration, span: Duration) -> Result<(), BenchError> {
    if signing + span <= PROOF_SECS_MAX {
        return Ok(());
    }
    let (signing, span) = (signing.as_secs_f64(), span.as_secs_f64());
    Err(BenchError::Asked(format!(
        "--secs {span}: the calls took {signing:.0} s to be signed, and a proof lives for 60 s: ask \
         for fewer seconds, or a lower --rate"
    )))
}

pub(crate) async fn within<T>(row: Row, work: impl Future<Output = T>) -> Result<T, BenchError> {
    timeout(Duration::from_secs(ROUND_SECS_MAX), work)
        .await
        .map_err(|_| BenchError::Stuck {
            row: row.to_string(),
            secs: ROUND_SECS_MAX,
        })
}

/// The processor time of this thread.
pub(crate) fn own_time() -> Result<Duration, BenchError> {
    ClockId::CLOCK_THREAD_CPUTIME_ID
        .now()
        .map(Duration::from)
        .map_err(BenchError::errno("asking for this thread's processor time"))
}

fn figure(cell: Cell, floor: &[Round], ours: &[Round], mut failures: Failures) -> Figure {
    let micros = |rounds: &[Round]| rounds.iter().map(Round::micros).collect::<Vec<_>>();
    let (floor_micros, ours_micros) = (micros(floor), micros(ours));
    let middle = |spread: Option<Spread>| spread.map_or(0.0, |spread| spread.median);
    let ratio = Spread::of_ratios(&floor_micros, &ours_micros);
    let added = Spread::of_differences(&floor_micros, &ours_micros);
    for round in floor.iter().chain(ours) {
        count_in(&mut failures, &round.measurement.failures);
    }
    let sizes = |rounds: &[Round]| Sizes::of(rounds.iter().map(|round| &round.measurement));
    let mut latencies = Latencies::default();
    let mut used = Used::default();
    let (mut load, mut wall) = (Duration::ZERO, Duration::ZERO);
    for round in ours {
        latencies.add(&round.measurement.answered);
        used = used.plus(round.used);
        load += round.load;
        wall += round.measurement.wall;
    }
    Figure {
        row: cell.row,
        shape: cell.shape,
        floor_us: middle(Spread::of(floor_micros)),
        ours_us: middle(Spread::of(ours_micros)),
        ratio: ratio.unwrap_or(Spread::NONE),
        added_us: added.unwrap_or(Spread::NONE),
        calls_per_sec: middle(Spread::of(
            ours.iter().map(|round| round.measurement.per_sec()),
        )),
        latencies,
        sizes: sizes(ours),
        floor_sizes: sizes(floor),
        rss_mib: ours
            .iter()
            .map(|round| round.memory_mib)
            .fold(0.0, f64::max),
        system_share: used.system_share(),
        load_share: load.as_secs_f64() / wall.as_secs_f64().max(f64::MIN_POSITIVE),
        failures,
        trace_ratio: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failed;

    #[test]
    fn proofs_that_would_be_too_old_are_not_sent() {
        let of = |signing, span| {
            live_long_enough(Duration::from_secs(signing), Duration::from_secs(span))
        };
        assert!(of(5, 50).is_ok());
        let refused = of(20, 50).expect_err("70 s").to_string();
        assert!(refused.contains("--secs 50"), "{refused}");
    }

    #[tokio::test]
    async fn a_wrong_answer_while_caches_are_warmed_is_counted() {
        let shape = Shape {
            streams: 1,
            connections: 1,
        };
        let cell = Cell {
            row: Row::Rotate,
            shape,
            calls: 10,
        };
        let mut rounds = 0;
        let figure = measured(cell, 2, &mut |_| {}, async |_, _| {
            rounds += 1;
            let mut measurement = Measurement::default();
            // The second is the last one before the clock runs.
            if rounds == 2 {
                measurement.record(Duration::ZERO, Err(Failed::Wrong("not active")));
            }
            Ok(Round {
                measurement,
                used: Used::default(),
                load: Duration::ZERO,
                memory_mib: 1.0,
            })
        })
        .await
        .expect("measured");
        assert_eq!(crate::report::count(&figure.failures), 1);
    }
}
