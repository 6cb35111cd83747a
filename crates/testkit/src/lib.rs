//! Countersign in a test: a clock to move, and the whole platform in one
//! process, on real sockets and a real store on disk.
//!
//! ```no_run
//! use countersign_testkit::{Platform, Problem, service_client};
//!
//! # async fn doc() -> Result<(), Problem> {
//! let platform = Platform::start().await?;
//! platform.register_resource("https://orders.internal:8443", &["orders.read"]).await?;
//! let checkout = platform
//!     .register(service_client("checkout", "https://orders.internal:8443", &["orders.read"]))
//!     .await?;
//! let countersign = platform.client(&checkout).connect().await?;
//! let tokens = countersign.token_service();
//! # Ok(()) }
//! ```
//!
//! [`service`] has the binary itself as a child process, to be killed, traced
//! and starved; [`setup`] registers what most tests want there, [`parts`] finds
//! tools that are not ours.

mod admin;
mod clock;
mod desk;
pub mod parts;
mod person;
mod platform;
pub mod service;
pub mod setup;
pub mod work;

pub use admin::{Registered, person_client, service_client};
pub use clock::MovableClock;
pub use desk::Desk;
pub use person::{authorize, sign_in};
pub use platform::{Platform, Problem};
