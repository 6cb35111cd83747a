//! The certificate that the client's connections show (RFC 8705).

use std::path::PathBuf;

use clap::Args;
use countersign_client::CertificateFiles;
use tonic::transport::{ClientTlsConfig, Endpoint, Identity};

use super::connection;
use crate::exit::Failure;
use crate::key_file;
use crate::whole::whole;

/// What the client shows of itself before it asks.
#[derive(Args, Debug)]
pub(crate) struct CertificateArgs {
    /// The client's certificate with its chain, PEM, for a client that authenticates by it or whose
    /// tokens are bound to it; the token service's URL is then the one where it asks for certificates
    #[arg(long, value_name = "FILE", requires = "client_certificate_key")]
    client_certificate: Option<PathBuf>,

    /// The certificate's private key, PEM, mode 0600
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_certificate_key: Option<PathBuf>,
}

impl CertificateArgs {
    /// The files that were named, if any were.
    pub(crate) fn shown(&self) -> Option<Shown> {
        let certificate = self.client_certificate.clone()?;
        let key = self.client_certificate_key.clone()?;
        Some(Shown { certificate, key })
    }

    /// The certificate and its key, if there are.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Failure> {
        self.shown().map(|shown| shown.identity()).transpose()
    }
}

/// A certificate and its key in files.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Shown {
    /// What is in the files now.
    ///
    /// # Errors
    /// They hold no certificate, or no key that fits, or others may read the key.
    pub(crate) fn identity(&self) -> Result<Identity, Failure> {
        let chain = connection::certificates(&self.certificate)?;
        let secret = key_file::read_private(&self.key)?;
        let identity = Identity::from_pem(chain, secret.as_bytes());
        let tls = ClientTlsConfig::new().identity(identity.clone());
        // rustls compares the two.
        match Endpoint::from_static("https://localhost").tls_config(tls) {
            Ok(_) => Ok(identity),
            Err(_) => {
                let (key, certificate) = (self.key.display(), self.certificate.display());
                let what = format!("{key}: holds no private key in PEM that fits {certificate}");
                Err(Failure::configuration(what).next(
                    "name the client's own certificate and its key, as in --client-certificate checkout.crt --client-certificate-key checkout.key",
                ))
            }
        }
    }

    /// For the client library, which reads them again and again.
    pub(crate) fn files(&self) -> CertificateFiles {
        CertificateFiles::new(&self.certificate, &self.key)
    }

    /// The same files, by paths that stay right when a later command is run elsewhere.
    pub(crate) fn absolute(&self) -> Self {
        Self {
            certificate: whole(&self.certificate),
            key: whole(&self.key),
        }
    }
}
