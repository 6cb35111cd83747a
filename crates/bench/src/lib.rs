//! What a call costs, measured against what it must cost whatever we write.
//!
//! A [`World`] starts [`Process`]es: servers pinned to one core, while the
//! process that measures, and makes the load, keeps to another. A [`Row`] is
//! one kind of call, with two sides: ours, and the *floor*, a bare tonic echo
//! that does by hand the signatures (and the commit) which nobody can do
//! without. For each side a row makes a [`Batch`] of calls that are signed
//! before the clock runs; a load ([`load::closed`], [`load::open`]) sends them
//! and gives a [`Measurement`]; the operating system says what processor time
//! the server took ([`Process::used`]). The two sides take turns, many times
//! over, so that what else the machine does falls on both, and only their ratio
//! means something on another machine.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`process`], [`cores`] | processes, and where they run |
//! | [`child`] | what such a process does |
//! | [`collector`] | where the spans of traced servers go |
//! | [`call`], [`load`] | calls on the wire, in closed and open loops |
//! | [`world`], [`rows`] | what is measured |
//! | [`plan`], [`run`], [`report`] | how often, in which order, and what is said about it |
//! | [`overload`] | twice what the service can do, and floods |
//! | [`growth`], [`chart`] | what a call costs as there is more to keep |
//! | [`stand`], [`goal`] | what these two need: filled stores, and goals |
//! | [`stats`] | medians and percentiles |

pub mod call;
pub mod chart;
pub mod child;
pub mod collector;
pub mod cores;
mod error;
pub mod goal;
pub mod growth;
mod keys;
pub mod load;
pub mod overload;
pub mod plan;
pub mod process;
pub mod report;
pub mod rows;
pub mod run;
pub mod stand;
pub mod stats;
pub mod world;

pub use call::{Batch, Call, Failed};
pub use error::BenchError;
pub use load::Measurement;
pub use process::Process;
pub use rows::{Row, Side};
pub use world::World;
