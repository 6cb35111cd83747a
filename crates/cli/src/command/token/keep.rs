//! Tokens that were issued, kept in files instead of printed.

use std::path::PathBuf;

use clap::Args;
use zeroize::{Zeroize as _, Zeroizing};

use crate::exit::Failure;
use crate::key_file;

/// Where tokens go.
#[derive(Args, Debug)]
pub(crate) struct KeepArgs {
    /// Write the access token to this file, mode 0600, instead of printing it; replaces the file
    #[arg(long, value_name = "FILE")]
    access_token_file: Option<PathBuf>,

    /// Write the refresh token to this file, mode 0600, instead of printing it; replaces the file
    #[arg(long, value_name = "FILE")]
    refresh_token_file: Option<PathBuf>,
}

impl KeepArgs {
    /// Puts the tokens where they belong, and takes those out of the answer
    /// that are not to be printed. Says what is where.
    pub(crate) fn keep(
        &self,
        access_token: &mut String,
        refresh_token: &mut String,
    ) -> Result<Vec<String>, Failure> {
        let mut places = Vec::new();
        for (name, token, file) in [
            // The refresh token first: it works once, so it must not get lost.
            ("refresh token", refresh_token, &self.refresh_token_file),
            ("access token", access_token, &self.access_token_file),
        ] {
            let Some(path) = file else { continue };
            if token.is_empty() {
                continue;
            }
            key_file::replace_private(path, &Zeroizing::new(format!("{token}\n")))?;
            token.zeroize();
            places.push(format!("the {name} is in {} (mode 0600)", path.display()));
        }
        Ok(places)
    }
}
