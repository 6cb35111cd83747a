//! `countersign bench`: what calls cost here, against what they must cost.

mod figures;
mod values;

use std::env;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use countersign_bench::child::{self, Keeper, Spec};
use countersign_bench::cores::Cores;
use countersign_bench::plan::{Asked, Plan, Shape};
use countersign_bench::report::OpenFigure;
use countersign_bench::run::{self, Progress};
use countersign_bench::world::Setting;
use countersign_bench::{BenchError, Process, Row, World, chart, growth, overload};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::exit::{Failure, Kind};
use crate::output::Output;
use crate::signals::Signals;
use figures::Figures;
use values::{at_least_one, below_a_minute, part};

/// Streams of an open loop are nobody's choice; its preparation has as many.
const OPEN_STREAMS: usize = 64;

/// What says more about rows, which neither an overload nor growth has.
const MEASURES: &[&str] = &["rows", "streams", "connections", "repeats", "calls", "rate"];

/// What to measure.
#[derive(Args, Debug)]
#[command(after_help = "\
Every row is measured against its floor: a bare tonic server that does by hand
the signatures (and the commit) which nobody can do without. Both take turns;
the ratio floor ÷ ours is the figure that can be compared between machines;
what is added is ours less the floor, repeat by repeat. Times in µs are
processor time of the server, all threads. The servers run on one core, the
load on another. Where a figure has a goal, it is said whether it is met; a goal
that is missed may be the machine's fault, and fails no run. One call that is
answered wrongly does.

All rows are measured with 64 streams over one connection; then, with half of
the calls, with 1 and 16 streams and with 64 over 16 connections. That takes
about ten minutes. MiB is the memory of the measured process after a repeat,
with what earlier rows left in it; client_layer measures the caller. The floor of
token_http2 and token_http1 is the same token over gRPC; over HTTP/1.1 each stream
has a connection of its own. The load of these two polls: waking it would be paid
for by the server, once for each write, and is no part of serving a token. The floor
of guard_http, a guarded axum handler over HTTP/2, is a bare axum server.

Ctrl-C ends the servers and removes what they kept.

Rows: echo, guard_cached, guard_uncached, guard_http, issue_secret,
issue_private_key_jwt, redeem, rotate, introspect, introspect_jwt, revoke, list_keys,
token_http2, token_http1, client_layer

Examples:
  countersign bench
  countersign bench --quick
  countersign bench --rows rotate --streams 1,16,64 --connections 1,16
  countersign bench --rows client_layer --streams 64 --connections 1
  countersign bench --rows guard_cached --rate 5000
  countersign bench --trace 0.01
  countersign bench --overload
  countersign bench --growth --svg growth.svg
  countersign --json bench --data /var/tmp > figures.json")]
pub(crate) struct Bench {
    /// Less than a minute, at the price of a greater spread
    #[arg(long)]
    quick: bool,

    /// Only these rows
    #[arg(long, value_name = "ROW,...", value_delimiter = ',')]
    rows: Vec<Row>,

    /// Calls under way at once [default: 64, then 1, 16 and 64 over 16 connections]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = at_least_one)]
    streams: Vec<usize>,

    /// Connections that these are spread over [default: 1]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = at_least_one)]
    connections: Vec<usize>,

    /// How often the two sides take turns [default: 29; 5 with --quick]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    repeats: Option<usize>,

    /// Calls of one turn [default: as many as take some tenths of a second]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    calls: Option<usize>,

    /// An open loop: so many calls a second of each row, come what may
    #[arg(long, value_name = "CALLS/S", requires = "rows", conflicts_with_all = ["quick", "streams", "repeats", "calls"])]
    rate: Option<f64>,

    /// How long the open loop goes on: at most 50, since proofs are signed before and live for 60
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, requires = "rate", value_parser = below_a_minute)]
    secs: f64,

    /// Twice what the service can do, and a flood of bad proofs: what is served, what is shed
    #[arg(long, conflicts_with_all = MEASURES)]
    overload: bool,

    /// What calls cost as there is more to keep: families, clients, proofs, tokens, connections
    #[arg(long, conflicts_with_all = MEASURES, conflicts_with = "overload")]
    growth: bool,

    /// Where the curves of --growth are drawn
    #[arg(
        long,
        value_name = "FILE",
        default_value = "growth.svg",
        requires = "growth"
    )]
    svg: PathBuf,

    /// What tracing costs: servers that record this part of the traces, 0 to 1, against none
    #[arg(long, value_name = "RATIO", value_parser = part, conflicts_with_all = ["overload", "growth", "rate"])]
    trace: Option<f64>,

    /// Where stores are kept meanwhile; on a disk, or commits cost nothing
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    data: PathBuf,
}

/// Is a server that is measured.
#[derive(Args, Debug)]
pub(crate) struct BenchServer {
    /// Which one, in JSON
    spec: String,
}

impl BenchServer {
    /// Serves until standard input ends.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let spec = Spec::from_argument(&self.spec).map_err(|error| failure(&error))?;
        child::serve(spec).await.map_err(|error| failure(&error))
    }
}

impl Bench {
    /// Measures.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        let mut signals = Signals::listen()?;
        let (stop, stopped) = oneshot::channel();
        // The load is a thread with a runtime of its own, on a core of its own.
        let mut measuring = spawn_blocking(move || self.measure(stopped));
        let measured = tokio::select! {
            measured = &mut measuring => measured,
            () = signals.next() => {
                say("stopping: servers end, and what they kept goes");
                // Whoever is done already listens no more.
                let _ = stop.send(());
                tokio::select! {
                    measured = &mut measuring => measured,
                    // Servers see that this process is gone, and do as much.
                    () = signals.next() => Ok(Err(BenchError::Interrupted)),
                }
            }
        };
        let figures = measured
            .map_err(|panic| Failure::internal(panic.to_string()))?
            .map_err(|error| failure(&error))?;
        output.value(&figures.to_json(), || figures.to_text())?;
        figures.judge()
    }

    fn measure(self, stopped: oneshot::Receiver<()>) -> Result<Figures, BenchError> {
        let cores = Cores::choose()?;
        cores.keep_load()?;
        let executable = env::current_exe().map_err(|cause| BenchError::System {
            doing: "asking for this program's path".to_owned(),
            cause,
        })?;
        // Stores that are filled are kept by a process that removes them, whatever becomes of this
        // one. It goes after the runtime, whose threads may still be filling.
        let keeper = match self.overload || self.growth {
            true => {
                let data = self.data.clone();
                Some(Process::start(
                    &executable,
                    &Spec::Keeper(Keeper { data }),
                    cores,
                )?)
            }
            false => None,
        };
        let kept = keeper
            .as_ref()
            .and_then(|keeper| keeper.facts().folder.clone());
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| BenchError::System {
                doing: "making a runtime".to_owned(),
                cause,
            })?;
        let setting = Setting {
            executable,
            data: kept.unwrap_or_else(|| self.data.clone()),
            cores,
        };
        runtime.block_on(async {
            tokio::select! {
                figures = self.figures(setting) => figures,
                // What was begun is dropped: servers, and their folders.
                Ok(()) = stopped => Err(BenchError::Interrupted),
            }
        })
    }

    async fn figures(&self, setting: Setting) -> Result<Figures, BenchError> {
        let cores = setting.cores;
        if self.overload {
            introduce(cores);
            let report = overload::run(&setting, &self.overload_plan(), say).await?;
            return Ok(Figures::Overload(Box::new(report)));
        }
        if self.growth {
            introduce(cores);
            let report = growth::run(&setting, &self.growth_plan(), say).await?;
            draw(&report, &self.svg)?;
            return Ok(Figures::Growth(Box::new(report)));
        }
        if let Some(ratio) = self.trace {
            let plan = Plan::traced(&self.asked())?;
            introduce(cores);
            let figures = run::traced(&setting, &plan, ratio, show).await?;
            return Ok(Figures::Closed(figures));
        }
        introduce(cores);
        let mut world = World::new(setting);
        match self.rate {
            Some(rate) => self.open(&mut world, rate).await.map(Figures::Open),
            None => run::closed(&mut world, &self.plan(), show)
                .await
                .map(Figures::Closed),
        }
    }

    fn plan(&self) -> Plan {
        Plan::of(&self.asked())
    }

    fn asked(&self) -> Asked {
        Asked {
            rows: self.rows.clone(),
            streams: self.streams.clone(),
            connections: self.connections.clone(),
            repeats: self.repeats,
            calls: self.calls,
            quick: self.quick,
        }
    }

    fn overload_plan(&self) -> overload::Plan {
        match self.quick {
            true => overload::Plan::QUICK,
            false => overload::Plan::FULL,
        }
    }

    fn growth_plan(&self) -> growth::Plan {
        match self.quick {
            true => growth::Plan::quick(),
            false => growth::Plan::full(),
        }
    }

    async fn open(&self, world: &mut World, rate: f64) -> Result<Vec<OpenFigure>, BenchError> {
        let mut figures = Vec::new();
        let connections = match self.connections.is_empty() {
            true => &[1][..],
            false => &self.connections[..],
        };
        let span = Duration::try_from_secs_f64(self.secs)
            .map_err(|_| BenchError::Asked("--secs wants a number of seconds".to_owned()))?;
        for &row in &self.rows {
            for &connections in connections {
                say(&format!("{row}: {rate} calls/s for {} s", self.secs));
                let shape = Shape {
                    streams: OPEN_STREAMS,
                    connections,
                };
                figures.push(run::open(world, row, shape, rate, span).await?);
            }
        }
        Ok(figures)
    }
}

fn draw(report: &growth::Report, file: &Path) -> Result<(), BenchError> {
    let drawn =
        chart::svg(&report.curves).map_err(|problem| BenchError::Asked(problem.to_string()))?;
    std::fs::write(file, drawn).map_err(|cause| BenchError::System {
        doing: format!("writing {}", file.display()),
        cause,
    })
}

fn introduce(cores: Cores) {
    match cores {
        Cores::Apart { server, load } => say(&format!(
            "servers run on core {server}, the load on core {load}"
        )),
        Cores::Shared => say(
            "WARNING: there is one core only. Server and load take time from each other: \
             processor times hold, latencies and calls a second do not",
        ),
    }
    if cfg!(debug_assertions) {
        say("WARNING: this is a debug build; its figures say nothing");
    }
}

/// One line for each cell, which shows its repeats on a terminal.
fn show(progress: &Progress<'_>) {
    match progress {
        Progress::Repeat {
            cell,
            repeat,
            repeats,
        } if stderr().is_terminal() => {
            let streams = cell.shape.streams;
            let text = format!("\r{} ({streams} streams): {repeat}/{repeats} ", cell.row);
            // Progress that nobody can read is not worth failing for.
            let _ = stderr().write_all(text.as_bytes());
        }
        Progress::Repeat { .. } => {}
        Progress::Done { figure, number, of } => {
            let [row, streams, connections, floor, ours, ratio, ..] = figure.columns();
            if stderr().is_terminal() {
                // Over what the repeats left.
                let _ = stderr().write_all(b"\r");
            }
            say(&format!(
                "[{number}/{of}] {row}, {streams} streams, {connections} conns: \
                 floor {floor} µs, ours {ours} µs, ratio {ratio}"
            ));
        }
    }
}

fn say(text: &str) {
    // Progress that nobody can read is not worth failing for.
    let _ = writeln!(stderr().lock(), "{text}");
}

fn failure(error: &BenchError) -> Failure {
    let kind = match error {
        BenchError::Asked(_) => Kind::Configuration,
        BenchError::System { .. } => Kind::Internal,
        BenchError::ServerEnded { .. }
        | BenchError::ServerSaid { .. }
        | BenchError::Preparing { .. }
        | BenchError::Stuck { .. } => Kind::Surprise,
        BenchError::Interrupted => Kind::Interrupted,
    };
    Failure::new(kind, error.to_string())
}
