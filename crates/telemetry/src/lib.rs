//! OpenTelemetry for Countersign: set-up and shutdown, propagation over gRPC
//! metadata, and every span and attribute name.
//!
//! ```
//! use std::time::Duration;
//! use countersign_telemetry::{LogFormat, LogSink, Logs, Metrics, Service, Settings, Traces};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (dispatch, telemetry) = countersign_telemetry::prepare(Settings {
//!     service: Service {
//!         name: "orders".into(),
//!         version: "1.4.0".into(),
//!         instance_id: "orders-7d9f".into(),
//!     },
//!     logs: Logs { format: LogFormat::Json, filter: "info".into(), sink: LogSink::Stderr },
//!     traces: Some(Traces { ratio: 0.01, ..Traces::to("http://127.0.0.1:4317") }),
//!     metrics: Some(Metrics::to("http://127.0.0.1:4317")),
//! })?;
//!
//! tracing::dispatcher::with_default(&dispatch, || tracing::info!(port = 8443, "listening"));
//!
//! // Blocks for at most this long, whatever the collector does.
//! let delivery = telemetry.shutdown(Duration::from_secs(2))?;
//! assert_eq!(delivery.missing(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! A program calls [`start`], which also makes the subscriber the process's own.
//! A server puts [`ServerLayer`] outermost, a client [`ClientLayer`]; between the
//! two a trace crosses the wire in `traceparent` and `tracestate`. What happens
//! inside is told by the functions of [`spans`].
//!
//! **A collector never slows a call.** Ended spans go into a bounded queue and
//! leave from a thread of their own; when the queue is full they are dropped and
//! counted ([`Telemetry::delivery`]). Log lines take the same kind of road.
//!
//! **Both server layers measure**, where [`Settings::metrics`] says where to: how long requests and
//! calls take, by route or method and by how they ended ([`names::HTTP_SERVER_DURATION`],
//! [`names::RPC_SERVER_DURATION`]). So does a guard, by what it decided and why
//! ([`names::GUARD_DURATION`]): see [`Deciding`].
//!
//! **What is not sampled costs next to nothing.** Whether a trace is recorded is
//! decided once, where it begins; from there on no span is even built for one
//! that is not, while its identifiers still travel and still stand in the logs.

mod carry;
mod decision;
mod export;
pub mod layer;
mod logs;
mod measures;
pub mod names;
pub mod propagate;
mod refusal;
mod sampling;
mod scope;
mod settings;
mod setup;
pub mod spans;

pub use carry::{Carried, carry};
pub use decision::{Decided, Deciding, Protocol};
pub use export::Delivery;
pub use layer::{
    CallBody, CallFuture, ClientCalls, ClientLayer, HttpServerLayer, MadeRequest, ServerCalls,
    ServerLayer,
};
pub use refusal::{Called, bearer_accepted, refused, would_refuse};
pub use settings::{LogFormat, LogSink, Logs, Metrics, Service, Settings, SettingsError, Traces};
pub use setup::{StartError, Telemetry, Unfinished, check_log_filter, prepare, start};
