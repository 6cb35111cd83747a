//! The testkit as strangers use it: without the feature `workspace`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod attacks;
mod browser;
mod checkpoint;
mod http_attacks;
mod login;
mod orders;
mod platform;
