//! The public key itself.

use std::fmt;

use crate::base64url;
use crate::json::Object;
use crate::{Algorithm, Jwk, JwkError, Thumbprint, sha256};

/// A public key that can verify signatures: EC on P-256 or P-384, Ed25519, or RSA.
///
/// Its form has been checked (sizes, ranges, no private part). Whether an elliptic-curve point
/// lies on its curve is decided where the key is used: [`PublicKey::verify`] refuses it, and
/// [`PublicKey::ensure_on_curve`] says so ahead of time, for registration.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(pub(super) Material);

/// Bytes as the cryptographic library takes them.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Material {
    /// SEC 1 uncompressed: 4, x, y.
    P256([u8; 65]),
    /// SEC 1 uncompressed: 4, x, y.
    P384([u8; 97]),
    Ed25519([u8; 32]),
    /// Big-endian, without leading zeros.
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
}

impl PublicKey {
    /// Reads a public JWK (RFC 7517), strictly.
    ///
    /// # Errors
    /// See [`JwkError`].
    pub fn from_jwk(json: &[u8]) -> Result<Self, JwkError> {
        Jwk::parse(json).map(|jwk| jwk.key)
    }

    /// Reads a public JWK that was already read as JSON.
    ///
    /// # Errors
    /// See [`JwkError`].
    pub fn from_jwk_object(object: &Object<'_>) -> Result<Self, JwkError> {
        Jwk::from_object(object).map(|jwk| jwk.key)
    }

    pub(crate) fn p256_from_sec1(point: &[u8]) -> Option<Self> {
        let point: [u8; 65] = point.try_into().ok()?;
        Some(Self(Material::P256(point)))
    }

    pub(crate) const fn ed25519(bytes: [u8; 32]) -> Self {
        Self(Material::Ed25519(bytes))
    }

    /// The JWK with its required members alone, in lexicographic order and without white space:
    /// the form that a thumbprint is taken over (RFC 7638 §3).
    pub fn to_jwk(&self) -> String {
        // Long enough for every EC and Ed25519 key; an RSA key grows it once.
        let mut json = String::with_capacity(256);
        match &self.0 {
            Material::P256(point) => ec_members(&mut json, "P-256", &point[1..]),
            Material::P384(point) => ec_members(&mut json, "P-384", &point[1..]),
            Material::Ed25519(x) => {
                json.push_str(r#"{"crv":"Ed25519","kty":"OKP","x":""#);
                base64url::encode_onto(&mut json, x);
            }
            Material::Rsa { n, e } => {
                json.push_str(r#"{"e":""#);
                base64url::encode_onto(&mut json, e);
                json.push_str(r#"","kty":"RSA","n":""#);
                base64url::encode_onto(&mut json, n);
            }
        }
        json.push_str(r#""}"#);
        json
    }

    /// The RFC 7638 thumbprint. Members that do not belong to the key (`kid`, `ext`) have no
    /// part in it.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::from_bytes(sha256(&[self.to_jwk().as_bytes()]))
    }

    /// Whether a signature by this key can be of that algorithm.
    pub fn algorithm_fits(&self, algorithm: Algorithm) -> bool {
        match &self.0 {
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::P384(_) => algorithm == Algorithm::Es384,
            Material::Ed25519(_) => algorithm == Algorithm::Ed25519,
            Material::Rsa { .. } => matches!(algorithm, Algorithm::Ps256 | Algorithm::Rs256),
        }
    }
}

fn ec_members(json: &mut String, curve: &str, coordinates: &[u8]) {
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    json.push_str(r#"{"crv":""#);
    json.push_str(curve);
    json.push_str(r#"","kty":"EC","x":""#);
    base64url::encode_onto(json, x);
    json.push_str(r#"","y":""#);
    base64url::encode_onto(json, y);
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_jwk())
    }
}
