//! The Countersign token service: edges, engine, signer, janitor, configuration.
//!
//! A call goes from a listener (`listen`) to the worker that serves its connection (`serve`),
//! through the layers (`stack`) to a handler (`service`),
//! which parses it (`wire`), has its proof checked (`proof`), and asks the `engine`: load, decide,
//! commit. What may be issued is decided by `countersign-issuer`; this crate does the rest: keys
//! (`keyring`, `signer`), records (`record`, `records`), refusals on the wire (`status`), starting
//! and stopping.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use countersign_client::clock::SystemClock;
//! use countersign_server::config::{Config, Sources};
//! use countersign_server::Server;
//!
//! let config = Config::read(Sources::default())?;
//! let running = Server::start(config, Arc::new(SystemClock)).await?;
//! println!("{} takes calls on {}", running.issuer(), running.grpc_address());
//! running.stop().await?;
//! # Ok(())
//! # }
//! ```

pub mod audit;
mod called;
pub mod config;
mod desk;
mod document;
mod engine;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod health;
mod http;
mod janitor;
mod keyring;
mod listen;
mod login;
mod opening;
mod operation;
mod overload;
mod proof;
mod protocol;
mod random;
mod record;
mod records;
mod reflection;
mod refused;
mod rekey;
mod reload;
mod revoked;
mod running;
#[cfg(feature = "seed")]
#[doc(hidden)]
pub mod seed;
mod serve;
mod service;
pub mod set_back;
mod signer;
mod stack;
mod start;
mod status;
mod steady;
mod tls;
mod watchers;
mod wire;

pub use config::{Config, ConfigError, KeyPlace};
pub use keyring::{KeyFileError, KeyProgramError};
pub use listen::SocketProblem;
pub use login::{LoginApp, LoginConfig, LoginRunning, ServedLogin};
pub use rekey::{IfInForce, Rekeyed, rekey};
pub use reload::{Occasion, ReloadError, Reloaded};
pub use running::{Running, Stopped};
pub use start::{Server, StartError};
pub use tls::TlsError;
