//! Telemetry over real sockets: a collector that speaks OTLP over gRPC, a server
//! and a client that call each other through the layers.

#![expect(
    clippy::unwrap_used,
    reason = "a test tells what went wrong by panicking"
)]

mod delivery;
mod kit;
mod logs;
mod measures;
mod propagation;
mod requests;
mod sampling;
mod settings;
mod wire;
