//! Which data directory a command works on, while no service does.

use std::path::PathBuf;

use clap::Args;
use countersign_server::Config;
use countersign_server::config::Sources;

use super::CLIENT_VARIABLES;
use super::serve::{failure, text, variables};
use crate::exit::Failure;

/// The data directory of a service that is stopped.
#[derive(Args, Debug)]
pub(crate) struct DataArgs {
    /// The configuration of the service, TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where its records are (store.directory)
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data: Option<PathBuf>,
}

impl DataArgs {
    /// The directory: as `serve` with the same flags would have it.
    pub(crate) fn directory(&self) -> Result<PathBuf, Failure> {
        Ok(self.read(Vec::new())?.store.directory)
    }

    /// The configuration, with `more` that the command was told.
    pub(crate) fn read(&self, more: Vec<(String, String)>) -> Result<Config, Failure> {
        let mut overrides = more;
        let data = text("--data", self.data.as_ref())?;
        overrides.extend(data.map(|data| ("store.directory".to_owned(), data)));
        let config = Config::read(Sources {
            file: self.config.as_deref(),
            variables: variables()?,
            others: CLIENT_VARIABLES,
            overrides,
        });
        config.map_err(|cause| failure::configuration(&cause))
    }
}
