//! The real binary, as people and scripts use it.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail as the tests do: with a panic that names the line"
)]

mod asks;
mod audit;
mod bench;
#[cfg(target_os = "linux")]
mod browser;
mod code;
mod demo;
mod deploy;
mod details;
mod failures;
mod help;
mod key_program;
mod key_start;
mod keys;
mod login;
mod login_app;
mod mtls;
mod person;
mod program;
mod rekey;
mod reload;
mod rules;
mod serve;
mod signals;
mod store;
mod tls;
mod with_login;
