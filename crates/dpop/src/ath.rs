//! The hash that ties a proof to an access token.

use std::fmt;

use countersign_jose::{base64url, sha256};
use subtle::ConstantTimeEq as _;

/// The SHA-256 of an access token (RFC 9449 §4.2, `ath`): of the token alone, without its scheme.
/// Displays as base64url.
///
/// A caller that also looks tokens up by their hash takes the bytes from here, so that a token
/// is hashed once.
#[derive(Copy, Clone)]
pub struct Ath([u8; 32]);

impl Ath {
    /// Hashes an access token.
    pub fn of(access_token: &str) -> Self {
        Self(sha256(&[access_token.as_bytes()]))
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `claim` is the canonical base64url of this hash, and nothing else.
    pub(crate) fn is_claimed_by(&self, claim: &str) -> bool {
        base64url::decode_array(claim).is_ok_and(|claimed: [u8; 32]| claimed.ct_eq(&self.0).into())
    }
}

/// In constant time, as every hash of a secret.
impl PartialEq for Ath {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Ath {}

impl fmt::Display for Ath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for Ath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ath({self})")
    }
}
