//! The certificate that the connection shows (RFC 8705).

use std::path::PathBuf;

use clap::Args;
use tonic::transport::{ClientTlsConfig, Endpoint, Identity};

use crate::command::connection;
use crate::exit::Failure;
use crate::key_file;

/// What the client shows of itself before it asks.
#[derive(Args, Debug)]
pub(super) struct CertificateArgs {
    /// The client's certificate with its chain, PEM, for a client that authenticates by it or whose
    /// tokens are bound to it; --server is then the URL where the service asks for certificates
    #[arg(long, value_name = "FILE", requires = "client_certificate_key")]
    client_certificate: Option<PathBuf>,

    /// The certificate's private key, PEM, mode 0600
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_certificate_key: Option<PathBuf>,
}

impl CertificateArgs {
    /// The certificate and its key, if there are.
    pub(super) fn identity(&self) -> Result<Option<Identity>, Failure> {
        let (Some(certificate), Some(key)) =
            (&self.client_certificate, &self.client_certificate_key)
        else {
            return Ok(None);
        };
        let chain = connection::certificates(certificate)?;
        let secret = key_file::read_private(key)?;
        let identity = Identity::from_pem(chain, secret.as_bytes());
        let tls = ClientTlsConfig::new().identity(identity.clone());
        // rustls compares the two.
        match Endpoint::from_static("https://localhost").tls_config(tls) {
            Ok(_) => Ok(Some(identity)),
            Err(_) => {
                let (key, certificate) = (key.display(), certificate.display());
                let what = format!("{key}: holds no private key in PEM that fits {certificate}");
                Err(Failure::configuration(what).next(
                    "name the client's own certificate and its key, as in --client-certificate checkout.crt --client-certificate-key checkout.key",
                ))
            }
        }
    }
}
