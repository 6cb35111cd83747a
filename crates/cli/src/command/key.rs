//! `countersign key`: the service's public keys, and new keys for clients.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::ListKeysResponse;
use countersign::keys::v1::key_service_client::KeyServiceClient;

use super::connection::ServerArgs;
use crate::exit::Failure;
use crate::key_file::{self, KeyKind};
use crate::output::{self, Output};

/// Keys.
#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// List the keys that verify a service's access tokens
    #[command(after_help = "\
Examples:
  countersign key list
  countersign key list --server https://tokens.internal:7443 --ca ca.pem --json")]
    List(ServerArgs),
    /// Make a private key in a file, and print its public half as a JWK Set
    #[command(after_help = "\
The file is PKCS#8 as PEM with mode 0600; an existing file is never overwritten.
A client that authenticates by `private_key_jwt` is registered with the public
half and signs with the file.

Examples:
  countersign key generate checkout.pem > checkout.jwks
  countersign client add checkout --jwks checkout.jwks \\
    --allow https://orders.internal:8443=orders.read
  countersign token issue --client-id checkout --client-key checkout.pem")]
    Generate(Generate),
}

/// A key to make.
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// Where the private key goes; must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What kind of key
    #[arg(long, value_enum, default_value_t = KeyKind::Es256)]
    algorithm: KeyKind,
}

impl KeyCommand {
    /// Does what it was told.
    pub(crate) async fn run(self, output: &Output) -> Result<(), Failure> {
        match self {
            Self::List(server) => list(&server, output).await,
            Self::Generate(generate) => generate.run(output),
        }
    }
}

impl Generate {
    fn run(&self, output: &Output) -> Result<(), Failure> {
        let key = key_file::generate(self.algorithm)?;
        key_file::write(&self.file, &key)?;
        output.note(&format!(
            "the private key is in {} (mode 0600); keep it secret. What follows is public",
            self.file.display()
        ));
        // A JWK Set either way: it is what --jwks takes.
        output.text(&key_file::jwks(&key))
    }
}

async fn list(server: &ServerArgs, output: &Output) -> Result<(), Failure> {
    let answer = KeyServiceClient::new(server.connect().await?)
        .list_keys(ListKeysRequest {})
        .await
        .map_err(|status| Failure::answered(&status))?
        .into_inner();
    output.message("countersign.keys.v1.ListKeysResponse", &answer, table)
}

fn table(answer: &ListKeysResponse) -> String {
    let rows = answer.keys.iter().map(|key| {
        [
            key.kid.clone(),
            key.alg.clone(),
            key.kty.clone(),
            key.crv.clone(),
        ]
    });
    let keys = output::table(["kid", "alg", "kty", "crv"], rows, "no keys");
    let kept = answer.max_age.map_or(0, |age| age.seconds);
    format!(
        "{keys}\nissuer {}; the list may be kept for {kept} s",
        answer.issuer
    )
}
