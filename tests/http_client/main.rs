//! Requests of reqwest to axum services behind the guard, over sockets, with tokens of a real token
//! service.

#![expect(clippy::unwrap_used, reason = "a test that fails is to say where")]

mod attempts;
mod bodies;
mod elsewhere;
mod encrypted;
#[path = "../../crates/client/tests/client/leaving.rs"]
#[expect(
    dead_code,
    reason = "the client's own tests end connections in more ways"
)]
mod leaving;
mod refusals;
mod requests;
mod scripted;
mod seen;
mod stand;
mod traced;
