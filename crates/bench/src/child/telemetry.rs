//! Spans and logs of a server process.

use std::time::Duration;

use countersign_client::random;
use countersign_jose::base64url;
use countersign_telemetry::{
    LogFormat, LogSink, Logs, Service, Settings, Telemetry, Traces, start,
};
use serde::{Deserialize, Serialize};

use crate::BenchError;

/// How long the last spans may take to leave.
const STOP_SECS_MAX: Duration = Duration::from_secs(1);

/// Spans that leave.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tracing {
    /// The collector, OTLP over gRPC.
    pub endpoint: String,
    /// Which part of the traces is recorded.
    pub ratio: f64,
}

/// As `countersign serve` begins it.
pub(super) fn begin(filter: &str, tracing: Option<&Tracing>) -> Result<Telemetry, BenchError> {
    let instance: [u8; 8] =
        random::bytes().map_err(BenchError::preparing("the name of the instance"))?;
    let settings = Settings {
        service: Service {
            name: "countersign".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: base64url::encode(instance),
        },
        logs: Logs {
            format: LogFormat::Pretty,
            filter: filter.to_owned(),
            sink: LogSink::Stderr,
        },
        traces: tracing.map(|tracing| Traces {
            ratio: tracing.ratio,
            ..Traces::to(tracing.endpoint.clone())
        }),
        metrics: None,
    };
    start(settings).map_err(BenchError::preparing("telemetry"))
}

pub(super) async fn end(telemetry: Telemetry) {
    let stopped = tokio::task::spawn_blocking(move || telemetry.shutdown(STOP_SECS_MAX));
    // What was not delivered is not missed.
    let _ = stopped.await;
}
