//! A client of the demonstration: an identifier, perhaps a secret, and a key.

use countersign::token::v1::ClientAuthentication;
use countersign::token::v1::client_authentication::Credential;
use countersign_jose::SigningKey;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::key_file::{self, KeyKind};
use crate::proven::Prover;

/// A client.
pub(crate) struct Agent {
    id: &'static str,
    secret: Option<Zeroizing<String>>,
    prover: Prover,
}

impl Agent {
    /// A client with a secret, or without one, and a key of its own.
    pub(crate) fn new(id: &'static str, secret: Option<String>, key: SigningKey) -> Self {
        Self {
            id,
            secret: secret.map(Zeroizing::new),
            prover: Prover::new(key),
        }
    }

    /// Its identifier.
    pub(crate) fn id(&self) -> &'static str {
        self.id
    }

    /// Its secret.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_ref().map(|secret| secret.as_str())
    }

    /// What makes its proofs.
    pub(crate) fn prover(&self) -> &Prover {
        &self.prover
    }

    /// How it shows who it is.
    pub(crate) fn authentication(&self) -> ClientAuthentication {
        ClientAuthentication {
            client_id: self.id.to_owned(),
            credential: self
                .secret()
                .map(|secret| Credential::ClientSecret(secret.to_owned())),
        }
    }
}

/// Somebody with a key, whom nobody registered.
pub(crate) fn stranger() -> Result<Prover, Failure> {
    Ok(Prover::new(key_file::generate(KeyKind::Es256)?))
}
