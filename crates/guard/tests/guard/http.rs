//! The guard in front of an axum router: the same attacks as in front of a tonic service, and those
//! that only HTTP has words for.

mod answers;
mod handlers;
mod metadata;
mod mixed;
mod over;
mod routes;
mod unread;
mod vectors;
