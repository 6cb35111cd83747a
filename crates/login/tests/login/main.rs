//! The application over real sockets, as a browser without script sees it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ailing;
mod attacks;
mod browser;
mod built_in;
mod consent;
mod device;
mod headers;
mod logging_in;
mod platform;
mod sessions;
mod stepping_up;
mod told;
mod world;
