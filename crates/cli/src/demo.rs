//! `countersign demo`: the whole of it in one process, over real sockets.
//!
//! A token service with a store on disk, a guarded order service, clients, and
//! an attacker. Every step is checked; a surprise ends it with an exit code.

mod agent;
mod attacks;
mod calls;
mod code;
mod orders;
mod platform;
mod registration;
mod rotation;
mod stage;
mod stay;
mod world;

use std::env;
use std::time::Duration;

use clap::Args;
use countersign_telemetry::{LogFormat, LogSink, Logs, Service, Settings, Traces, start};

use crate::entropy;
use crate::exit::Failure;
use crate::output::Output;
use platform::Platform;
use stage::Stage;
use world::World;

/// How long the last spans may take to leave.
const TELEMETRY_STOP_SECS_MAX: Duration = Duration::from_secs(3);

/// A demonstration.
#[derive(Args, Debug)]
#[command(after_help = "\
Starts a token service with a store in a temporary folder, and an order service
behind a guard, both on free ports of this machine. Then it plays: registration,
a token bound to a key, a guarded call, attacks that are refused, a code redeemed,
a refresh token rotated and stolen. Nothing is left behind.

Exits with 1 if anything comes back other than it must.

Examples:
  countersign demo
  countersign demo --stay
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 countersign demo")]
pub(crate) struct Demo {
    /// Keep everything up afterwards, and print commands to try, until Ctrl-C
    #[arg(long)]
    stay: bool,

    /// Where traces go: an OTLP/gRPC endpoint [default: OTEL_EXPORTER_OTLP_ENDPOINT]
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
}

impl Demo {
    /// Plays.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        let telemetry = start(self.telemetry()?)
            .map_err(|cause| Failure::configuration(format!("telemetry: {cause}")))?;
        let outcome = self.play(output).await;
        let flushed =
            tokio::task::spawn_blocking(move || telemetry.shutdown(TELEMETRY_STOP_SECS_MAX));
        // A collector that is away takes nothing from the demonstration.
        let _delivery = flushed.await;
        outcome
    }

    async fn play(&self, output: &Output) -> Result<(), Failure> {
        let mut stage = Stage::new(output);
        let platform = Platform::start().await?;
        let outcome = self.acts(&mut stage, &platform).await;
        let stopped = platform.stop().await;
        outcome.and(stopped)
    }

    async fn acts(&self, stage: &mut Stage<'_>, platform: &Platform) -> Result<(), Failure> {
        let world = World::enter(platform).await?;
        stage.say(&platform.introduction())?;
        let cast = registration::play(stage, platform, &world).await?;
        let token = calls::play(stage, &world, &cast).await?;
        attacks::play(stage, &world, &cast, &token).await?;
        let desk = code::play(stage, &world, &cast).await?;
        rotation::play(stage, &world, &cast, desk).await?;
        stage.say(&format!(
            "\n{} steps, each came back as it must.",
            stage.steps()
        ))?;
        if self.stay {
            stay::play(stage, platform, &world, &cast).await?;
        }
        Ok(())
    }

    fn telemetry(&self) -> Result<Settings, Failure> {
        let traces = match &self.otlp {
            Some(endpoint) => Some(Traces::to(endpoint.clone())),
            None => Traces::from_env(|name| env::var(name).ok())
                .map_err(|cause| Failure::configuration(cause.to_string()))?,
        };
        Ok(Settings {
            service: Service {
                name: "countersign-demo".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                instance_id: countersign_jose::base64url::encode(entropy::bytes::<8>()?),
            },
            logs: Logs {
                format: LogFormat::Pretty,
                // The refusals are the story; the log would tell it twice.
                filter: "error".to_owned(),
                sink: LogSink::Stderr,
            },
            traces,
            metrics: None,
        })
    }
}
