//! Authorization details on the command line (RFC 9396).

use std::path::Path;

use clap::Args;

use crate::exit::Failure;
use crate::key_file;

/// What is asked for beyond scopes.
#[derive(Args, Debug)]
pub(super) struct DetailsArgs {
    /// What is asked for beyond scopes (RFC 9396): a JSON array of objects, or `@` and the file
    /// that holds it
    #[arg(long = "details", value_name = "JSON|@FILE")]
    details: Option<String>,
}

impl DetailsArgs {
    /// The JSON, which only the service judges; empty where nothing was said.
    pub(super) fn read(&self) -> Result<String, Failure> {
        match self.details.as_deref() {
            None => Ok(String::new()),
            Some(words) => match words.strip_prefix('@') {
                Some(file) => key_file::read_public_text(Path::new(file)),
                None => Ok(words.to_owned()),
            },
        }
    }
}
