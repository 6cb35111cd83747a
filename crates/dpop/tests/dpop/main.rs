//! The tests of `countersign-dpop`, through its public API.
//!
//! The attacks on a proof are rows of a table (`rows/`), one line each. The same rows are published
//! as `docs/grpc-dpop-vectors.json`, which `published.rs` checks and runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod case;
mod configured;
mod exchanges;
mod field;
mod mint;
mod nonces;
mod properties;
mod published;
mod refusals;
mod rfc9449;
mod rows;
mod spent;
mod targets;
mod values;
