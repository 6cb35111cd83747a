//! Who the client is, and how it shows it.

use std::path::{Path, PathBuf};

use clap::Args;
use countersign::token::v1::ClientAuthentication;
use countersign_client::clock::{Clock, SystemClock};
use countersign_client::{AssertionKey, Client, Credential, Secret};
use tonic::transport::Channel;

use crate::command::certificate::CertificateArgs;
use crate::command::connection::ServerArgs;
use crate::exit::Failure;
use crate::hyphened::Hyphened;
use crate::{key_file, secret};

/// The variable that names the client.
pub(crate) const CLIENT_ID_VARIABLE: &str = "COUNTERSIGN_CLIENT_ID";

/// The client that calls.
#[derive(Args, Debug)]
pub(crate) struct CredentialArgs {
    /// The client's identifier
    #[arg(long, value_name = "ID", env = CLIENT_ID_VARIABLE)]
    client_id: String,

    /// A file that holds the client's secret and nothing else, mode 0600; `-` for standard
    /// input. Or put the secret in COUNTERSIGN_CLIENT_SECRET. Without secret, key and certificate
    /// the client is a public one
    #[arg(long, value_name = "FILE", conflicts_with = "client_key")]
    client_secret_file: Option<PathBuf>,

    /// The client's private key, for a client that signs assertions (`private_key_jwt`)
    #[arg(long, value_name = "FILE")]
    client_key: Option<PathBuf>,

    /// The key's `kid` in the registered JWK Set [default: its thumbprint]
    #[arg(
        long,
        value_name = "KID",
        requires = "client_key",
        allow_hyphen_values = true,
        value_parser = Hyphened
    )]
    client_key_id: Option<String>,

    #[command(flatten)]
    certificate: CertificateArgs,
}

impl CredentialArgs {
    /// Connects, with the client's certificate if it has one.
    pub(crate) async fn connect(&self, server: &ServerArgs) -> Result<Channel, Failure> {
        server.connect_showing(self.certificate.identity()?).await
    }

    /// What the client presents. An assertion is for the issuer that answers on
    /// `channel`.
    pub(crate) async fn present(&self, channel: &Channel) -> Result<ClientAuthentication, Failure> {
        let (credential, issuer) = match (&self.client_secret_file, &self.client_key) {
            (Some(path), _) => (by_secret(&secret::from_file(path)?), String::new()),
            (None, Some(path)) => {
                let issuer = super::issuer(channel.clone()).await?;
                (self.by_key(path)?, issuer)
            }
            (None, None) => match secret::from_environment()? {
                Some(secret) => (by_secret(&secret), String::new()),
                None => (Credential::Public, String::new()),
            },
        };
        Client::new(self.client_id.clone(), credential, issuer)
            .authentication(SystemClock.now())
            .map_err(|cause| Failure::internal(format!("the client's credential: {cause}")))
    }

    fn by_key(&self, path: &Path) -> Result<Credential, Failure> {
        let key = key_file::read(path)?;
        let kid = self
            .client_key_id
            .clone()
            .unwrap_or_else(|| key_file::kid(&key));
        Ok(Credential::PrivateKeyJwt(AssertionKey::new(key).kid(kid)))
    }
}

fn by_secret(secret: &str) -> Credential {
    Credential::ClientSecret(Secret::from(secret.to_owned()))
}
