//! Which service a command speaks to: a token service by its URL, or the admin
//! services by their socket.

use std::path::{Path, PathBuf};

use clap::Args;
use countersign_server::Config;
use tonic::transport::{Channel, Identity};

use crate::dial::{self, Wait};
use crate::exit::Failure;
use crate::key_file;

/// The variable that names the token service.
pub(crate) const SERVER_VARIABLE: &str = "COUNTERSIGN_SERVER";

/// The variable that names a file of trusted certificates.
pub(crate) const CA_VARIABLE: &str = "COUNTERSIGN_CA";

/// The variable that names the admin socket, for `serve` too.
const ADMIN_SOCKET_VARIABLE: &str = "COUNTERSIGN_ADMIN_SOCKET";

/// How a certificate begins (RFC 7468 §5.1).
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The token service.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    /// The URL of the token service
    #[arg(
        long,
        value_name = "URL",
        env = SERVER_VARIABLE,
        default_value = "http://127.0.0.1:7443"
    )]
    pub(crate) server: String,

    /// Certificates to trust instead of the system's, PEM, for a service with a private authority
    #[arg(long, value_name = "FILE", env = CA_VARIABLE)]
    pub(crate) ca: Option<PathBuf>,
}

impl ServerArgs {
    /// Connects.
    pub(crate) async fn connect(&self) -> Result<Channel, Failure> {
        self.connect_showing(None).await
    }

    /// Connects with this certificate, if there is one.
    pub(crate) async fn connect_showing(
        &self,
        identity: Option<Identity>,
    ) -> Result<Channel, Failure> {
        dial::server(&self.server, self.ca_pem()?.as_deref(), identity).await
    }

    /// The certificates of `--ca`.
    pub(crate) fn ca_pem(&self) -> Result<Option<Vec<u8>>, Failure> {
        self.ca.as_deref().map(certificates).transpose()
    }
}

/// The certificates of a file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<u8>, Failure> {
    let pem = key_file::read_public(path)?;
    // rustls would take it for an authority that trusts nobody.
    if !pem.windows(CERTIFICATE.len()).any(|at| at == CERTIFICATE) {
        let what = "holds no certificate in PEM";
        return Err(Failure::configuration(format!(
            "{}: {what}",
            path.display()
        )));
    }
    Ok(pem)
}

/// The admin services.
#[derive(Args, Debug)]
pub(crate) struct AdminArgs {
    /// The admin socket of the token service
    #[arg(
        long,
        value_name = "PATH",
        env = ADMIN_SOCKET_VARIABLE,
        default_value_os_t = Config::default().admin_socket()
    )]
    socket: PathBuf,
}

impl AdminArgs {
    /// Connects.
    pub(crate) async fn connect(&self) -> Result<Channel, Failure> {
        dial::admin(&self.socket, Wait::Usual).await
    }

    /// Connects for calls that take as long as they take.
    pub(crate) async fn connect_for_long(&self) -> Result<Channel, Failure> {
        dial::admin(&self.socket, Wait::Long).await
    }
}
