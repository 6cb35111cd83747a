//! Making signatures.

mod import;

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair};
use zeroize::Zeroizing;

use crate::{Algorithm, PublicKey, base64url};

/// The bytes are no private key that can be used here.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a usable ES256 or Ed25519 private key")]
pub struct KeyRejected;

/// The cryptographic library did not make a signature.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the signature could not be made")]
pub struct SigningFailed;

/// A private key for ES256 or Ed25519, parsed once. Shows nothing of itself but its public half.
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// An ES256 key from 32 random bytes of the caller's.
    ///
    /// # Errors
    /// The bytes are zero or not below the order of the curve: one draw in 2^32. Draw again.
    pub fn generate_es256(secret_scalar: [u8; 32]) -> Result<Self, KeyRejected> {
        import::es256(&Zeroizing::new(secret_scalar))
    }

    /// An Ed25519 key from a seed of 32 random bytes of the caller's.
    ///
    /// # Errors
    /// The cryptographic library refused the seed.
    pub fn generate_ed25519(seed: [u8; 32]) -> Result<Self, KeyRejected> {
        import::ed25519(&Zeroizing::new(seed))
    }

    /// Reads PKCS#8 (RFC 5958) in DER.
    ///
    /// # Errors
    /// Not PKCS#8, or of another kind than P-256 and Ed25519.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyRejected> {
        import::pkcs8(der)
    }

    /// Reads PKCS#8 in PEM: one block `PRIVATE KEY` (RFC 7468 §10).
    ///
    /// # Errors
    /// As [`SigningKey::from_pkcs8_der`].
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyRejected> {
        import::pem(pem)
    }

    /// Reads a private JWK whose public members belong to its `d` (RFC 7518 §6.2.2, RFC 8037 §2).
    ///
    /// # Errors
    /// Not a strict JWK, of another kind, or inconsistent.
    pub fn from_private_jwk(json: &[u8]) -> Result<Self, KeyRejected> {
        import::private_jwk(json)
    }

    /// The key as PKCS#8 in DER, for encrypting and keeping.
    ///
    /// # Errors
    /// The cryptographic library did not hand the key out.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyRejected> {
        match &self.secret {
            Secret::Es256(pair) => import::es256_to_pkcs8(pair),
            Secret::Ed25519(pair) => import::ed25519_to_pkcs8(pair),
        }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The algorithm of the signatures it makes.
    pub fn algorithm(&self) -> Algorithm {
        match self.secret {
            Secret::Es256(_) => Algorithm::Es256,
            Secret::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Signs `input`. Both algorithms make 64 bytes (RFC 7518 §3.4, RFC 8037 §3.1).
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn sign(&self, input: &[u8]) -> Result<[u8; 64], SigningFailed> {
        let signature = match &self.secret {
            // Hashing here leaves the library no argument to fill but the digest.
            Secret::Es256(pair) => pair.sign_digest(&digest(&SHA256, input)),
            Secret::Ed25519(pair) => pair.try_sign(input),
        }
        .map_err(|_| SigningFailed)?;
        signature.as_ref().try_into().map_err(|_| SigningFailed)
    }

    /// Encodes, signs and assembles `header.payload.signature`.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn sign_compact(
        &self,
        header_json: &[u8],
        payload_json: &[u8],
    ) -> Result<String, SigningFailed> {
        self.sign_segments(&base64url::encode(header_json), payload_json)
    }

    /// As [`SigningKey::sign_compact`], with a header that was encoded before: a signer's header
    /// is the same for all it signs.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn sign_segments(
        &self,
        header_segment: &str,
        payload_json: &[u8],
    ) -> Result<String, SigningFailed> {
        const SIGNATURE_CHARS: usize = base64url::encoded_len(64);
        let payload_chars = base64url::encoded_len(payload_json.len());
        let mut jws =
            String::with_capacity(header_segment.len() + payload_chars + SIGNATURE_CHARS + 2);
        jws.push_str(header_segment);
        jws.push('.');
        base64url::encode_onto(&mut jws, payload_json);
        let signature = self.sign(jws.as_bytes())?;
        jws.push('.');
        base64url::encode_onto(&mut jws, signature);
        Ok(jws)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}
