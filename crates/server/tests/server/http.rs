//! The HTTP endpoints over real sockets, in both versions of HTTP.

mod authentication;
mod authorize;
mod cors;
mod details;
mod devices;
mod flow;
mod forms;
mod framing;
mod metadata;
mod places;
mod presentation;
mod public;
mod resources;
pub(crate) mod web;
