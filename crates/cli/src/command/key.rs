//! `countersign key`: the service's own keys, and new keys for clients.

mod own;
mod rekey;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::ListKeysResponse;
use countersign::keys::v1::key_service_client::KeyServiceClient;

use super::connection::{AdminArgs, ServerArgs};
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
  countersign key list --server https://tokens.internal:7443 --ca ca.pem --json
  countersign key list --all")]
    List(List),
    /// Replace the key that signs access tokens, or the one that makes refresh tokens
    #[command(after_help = "\
The next key takes over at once if every verifier has been told of it, otherwise
as soon as that is so. The old key verifies for as long as what it made lives: no
token is rejected. The service does this by itself every 30 days (tokens) and 90
days (handles); see keys.signing_rotation_secs and keys.mac_rotation_secs.

Examples:
  countersign key rotate
  countersign key rotate --purpose mac")]
    Rotate(own::Rotate),
    /// Drop a key that has been compromised; what it made is refused at once
    #[command(after_help = "\
Of a key that signs, every access token is refused from now on: here at once, by
guards that watch within a second, elsewhere as soon as the key set is asked for
again. Of a key that makes handles,
every refresh token, code and request_uri is dead: people must sign in again. The
next key takes the place of the active one at once. Nothing brings a key back.

Examples:
  countersign key list --all
  countersign key revoke 9f86d081
  countersign key revoke 1GCUyHkmgJqiTW4PYsLDI0rM0gR5r2vFvtAYuSQ2wqk --yes")]
    Revoke(own::Revoke),
    /// Change the key-encryption key: the one that the service's keys are encrypted under
    #[command(after_help = rekey::EXAMPLES)]
    Rekey(Box<rekey::Rekey>),
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

/// Keys to list.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// All keys of the service, with their states and times, over the admin socket
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    admin: AdminArgs,
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
            Self::List(asked) if asked.all => own::list(&asked.admin, output).await,
            Self::List(asked) => list(&asked.server, output).await,
            Self::Rotate(rotate) => rotate.run(output).await,
            Self::Revoke(revoke) => revoke.run(output).await,
            Self::Rekey(rekey) => rekey.run(output).await,
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
