//! The countersign command: run a token service, look after it, ask it for
//! tokens, and see all of it at work.

mod command;
mod confirm;
mod demo;
mod dial;
mod entropy;
mod exit;
mod hyphened;
mod kept_login;
mod key_file;
mod output;
mod password;
mod proven;
mod secret;
mod signals;
mod whole;

use std::process::ExitCode;

#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub use command::fuzz;

use clap::Parser;

use crate::command::Cli;
use crate::exit::Failure;
use crate::output::Output;

/// Does what the command line says, and tells how that ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Two providers may be compiled in; rustls then wants to be told.
    // An error says that one is installed, which is all that is wanted.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let output = Output::new(cli.json);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::internal(format!("no runtime: {cause}")))?;
    let outcome = runtime.block_on(cli.command.run(&output));
    // A task that hangs must not keep a command that has its answer.
    runtime.shutdown_background();
    outcome
}
