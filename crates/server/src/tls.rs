//! TLS: certificate and key from PEM files, TLS 1.2 and 1.3, HTTP/2 by ALPN.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tonic::transport::{Identity, ServerTlsConfig};
use zeroize::Zeroizing;

use crate::config::Tls;

/// A peer that does not finish its handshake holds no place.
const HANDSHAKE_DUE: Duration = Duration::from_secs(5);

/// Why TLS cannot be spoken.
#[derive(Debug, Error)]
#[error("{}: {problem}", file.display())]
pub struct TlsError {
    /// The file that is wrong.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads and checks the files.
pub(crate) fn load(tls: &Tls) -> Result<ServerTlsConfig, TlsError> {
    let chain_pem = read(&tls.certificate_file)?;
    let key_pem = Zeroizing::new(read(&tls.key_file)?);
    let chain = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(&tls.certificate_file, format!("not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(&tls.certificate_file, "holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|_| wrong(&tls.key_file, "holds no private key in PEM"))?;
    // Whether the two fit is asked here, since the transport would name neither file.
    rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| {
            wrong(
                &tls.key_file,
                format!("does not fit {}: {error}", tls.certificate_file.display()),
            )
        })?;
    Ok(ServerTlsConfig::new()
        .identity(Identity::from_pem(&chain_pem, &*key_pem))
        .timeout(HANDSHAKE_DUE))
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| wrong(file, error.to_string()))
}

fn wrong(file: &Path, problem: impl Into<String>) -> TlsError {
    TlsError {
        file: file.to_owned(),
        problem: problem.into(),
    }
}
