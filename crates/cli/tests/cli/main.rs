//! The real binary, as people and scripts use it.

mod demo;
mod deploy;
mod failures;
mod help;
mod program;
mod serve;
mod signals;
