//! PKCE (RFC 7636), S256 only.

use std::fmt;

use countersign_jose::{base64url, sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::Malformed;

/// The SHA-256 of a verifier, given before the code exists.
#[derive(Copy, Clone, Debug)]
pub struct CodeChallenge([u8; 32]);

/// What shows that whoever redeems a code asked for it. Not shown by `Debug`.
#[derive(Clone)]
pub struct CodeVerifier(Zeroizing<String>);

impl CodeChallenge {
    /// Reads challenge and method as RFC 7636 §4.3 sends them.
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::CodeChallenge`].
    pub fn parse(challenge: &str) -> Result<Self, Malformed> {
        if challenge.is_empty() {
            return Err(Malformed::Missing);
        }
        base64url::decode_array(challenge)
            .map(Self)
            .map_err(|_| Malformed::CodeChallenge)
    }

    /// The challenge that a record holds.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What a record holds.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it was made of `verifier` (RFC 7636 §4.6).
    pub fn is_met_by(&self, verifier: &CodeVerifier) -> bool {
        sha256(&[verifier.0.as_bytes()]).ct_eq(&self.0).into()
    }
}

/// In constant time, as every hash of a secret.
impl PartialEq for CodeChallenge {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for CodeChallenge {}

impl CodeVerifier {
    /// Reads 43 to 128 unreserved characters (RFC 7636 §4.1).
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::CodeVerifier`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match text.len() {
            0 => Err(Malformed::Missing),
            43..=128 if text.bytes().all(unreserved) => Ok(Self(Zeroizing::new(text.to_owned()))),
            _ => Err(Malformed::CodeVerifier),
        }
    }

    /// The challenge to send ahead of it.
    pub fn challenge(&self) -> CodeChallenge {
        CodeChallenge(sha256(&[self.0.as_bytes()]))
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeVerifier(..)")
    }
}
