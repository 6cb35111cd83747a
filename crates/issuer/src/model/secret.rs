//! Client secrets: made here, shown once, kept as a hash.

use std::fmt;

use countersign_jose::{base64url, sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Names the kind, so that scanners find a secret that was published by mistake.
const PREFIX: &str = "css_";

/// A secret that was just made: 256 random bits. Not shown by `Debug`.
pub struct ClientSecret(Zeroizing<String>);

/// The SHA-256 of a secret. A slow password hash would protect nothing here: there are 2^256
/// secrets to try. Not shown by `Debug`.
#[derive(Copy, Clone)]
pub struct SecretHash([u8; 32]);

impl ClientSecret {
    /// The secret made of 32 random bytes.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 43));
        text.push_str(PREFIX);
        base64url::encode_onto(&mut text, bytes);
        Self(text)
    }

    /// What to show its owner, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What to keep.
    pub fn hash(&self) -> SecretHash {
        SecretHash(sha256(&[self.0.as_bytes()]))
    }
}

impl SecretHash {
    /// The hash that a record holds.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What a record holds.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `presented` is the secret, in constant time.
    pub fn matches(&self, presented: &str) -> bool {
        sha256(&[presented.as_bytes()]).ct_eq(&self.0).into()
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}
