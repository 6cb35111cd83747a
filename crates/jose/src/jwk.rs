//! Public keys: read from a JWK, written as one, named by their thumbprint.

mod key;
mod parse;
mod verify;

pub use key::PublicKey;
pub use parse::{Jwk, JwkError};
pub use verify::SignatureError;
