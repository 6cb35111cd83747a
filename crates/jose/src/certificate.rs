//! Thumbprints of X.509 certificates (RFC 7515 §4.1.8).

use std::fmt;

use subtle::ConstantTimeEq as _;

use crate::base64url::{self, NotBase64Url};
use crate::digest::sha256;

/// The SHA-256 digest of a certificate in DER, as `x5t#S256` carries it (RFC 8705 §3.1). Displays as
/// base64url. Two are compared in constant time.
#[derive(Copy, Clone)]
pub struct CertificateThumbprint([u8; 32]);

impl CertificateThumbprint {
    /// That of the certificate whose DER encoding this is.
    pub fn of(der: &[u8]) -> Self {
        Self(sha256(&[der]))
    }

    /// Reads the base64url form.
    ///
    /// # Errors
    /// Anything but the canonical text of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, NotBase64Url> {
        base64url::decode_array(text).map(Self)
    }

    /// A thumbprint from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for CertificateThumbprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for CertificateThumbprint {}

impl fmt::Display for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateThumbprint({self})")
    }
}
