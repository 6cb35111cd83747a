//! One certificate of a client takes the place of another (RFC 8705 §2.2), while both are good.

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_jose::base64url;

use super::certificate::thumbprint;
use crate::exit::Failure;
use crate::hyphened::Hyphened;

/// Which come, and which go.
#[derive(Args, Debug)]
pub(super) struct ExchangeArgs {
    /// A certificate that it may present besides those that are registered, PEM; say it again for each
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["certificate_name", "tls_certificate"]
    )]
    add_tls_certificate: Vec<PathBuf>,

    /// A certificate that it may present no more: its file, or its SHA-256 as `client show` prints it;
    /// say it again for each
    #[arg(
        long,
        value_name = "FILE|SHA256",
        allow_hyphen_values = true,
        value_parser = Hyphened,
        conflicts_with_all = ["certificate_name", "tls_certificate"]
    )]
    remove_tls_certificate: Vec<String>,
}

/// The same, by what certificates are known by.
pub(super) struct Exchange {
    come: Vec<String>,
    go: Vec<String>,
}

impl ExchangeArgs {
    /// What is exchanged, if anything is.
    ///
    /// # Errors
    /// A file holds no certificate.
    pub(super) fn read(&self) -> Result<Option<Exchange>, Failure> {
        if self.add_tls_certificate.is_empty() && self.remove_tls_certificate.is_empty() {
            return Ok(None);
        }
        let come = self.add_tls_certificate.iter();
        let go = self.remove_tls_certificate.iter();
        Ok(Some(Exchange {
            come: come
                .map(|path| thumbprint(path))
                .collect::<Result<_, _>>()?,
            go: go.map(|text| named(text)).collect::<Result<_, _>>()?,
        }))
    }
}

impl Exchange {
    /// What this client may present afterwards.
    ///
    /// # Errors
    /// What shall go is not there: the one that was meant would stay.
    pub(super) fn of(
        &self,
        mut registered: Vec<String>,
        client_id: &str,
    ) -> Result<Vec<String>, Failure> {
        for gone in &self.go {
            let Some(at) = registered.iter().position(|one| one == gone) else {
                return Err(Failure::configuration(format!(
                    "--remove-tls-certificate: {gone} is none of the certificates of {client_id}"
                ))
                .next(format!("`countersign client show {client_id}` lists them")));
            };
            registered.remove(at);
        }
        for new in &self.come {
            if !registered.contains(new) {
                registered.push(new.clone());
            }
        }
        Ok(registered)
    }
}

/// By its file, or by itself: the file of an old certificate may be gone.
fn named(text: &str) -> Result<String, Failure> {
    let is_thumbprint = base64url::decode(text).is_ok_and(|bytes| bytes.len() == 32);
    let path = Path::new(text);
    match is_thumbprint && !path.exists() {
        true => Ok(text.to_owned()),
        false => thumbprint(path),
    }
}
