//! Checking a signature.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, UnparsedPublicKey,
    VerificationAlgorithm,
};
use curve25519_dalek::edwards::CompressedEdwardsY;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc;

use super::key::{Material, PublicKey};
use crate::{Algorithm, JwkError};

/// Why a signature is not one by this key over this text.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// A key of this kind makes no signatures of that algorithm.
    #[error("the algorithm does not fit the key")]
    AlgorithmMismatch,
    /// The key is not a point on its curve, so it verifies nothing.
    #[error("the key is not a point on its curve")]
    PointNotOnCurve,
    /// A signature of another size than the algorithm's (RFC 7518 §3.4: DER is not a form of it).
    #[error("the signature has the wrong size")]
    Length,
    /// The signature is another key's, or over something else.
    #[error("the signature does not verify")]
    Mismatch,
}

impl PublicKey {
    /// Checks `signature` over `input`.
    ///
    /// ECDSA signatures are `r ‖ s` of fixed size (RFC 7518 §3.4). A high `s` is valid: the
    /// examples in RFC 9449 have one.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify(
        &self,
        algorithm: Algorithm,
        input: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        match (&self.0, algorithm) {
            (Material::P256(point), Algorithm::Es256) => {
                sized(signature, 64)?;
                verify_parsed(&ECDSA_P256_SHA256_FIXED, point, input, signature)
            }
            (Material::Ed25519(point), Algorithm::Ed25519) => {
                sized(signature, 64)?;
                verify_parsed(&ED25519, point, input, signature)
            }
            (Material::P384(point), Algorithm::Es384) => {
                sized(signature, 96)?;
                let key = DecodingKey::from_ec_der(point);
                verify_rarely_used(jsonwebtoken::Algorithm::ES384, &key, input, signature)
            }
            (Material::Rsa { n, e }, Algorithm::Ps256) => {
                sized(signature, n.len())?;
                let key = DecodingKey::from_rsa_raw_components(n, e);
                verify_rarely_used(jsonwebtoken::Algorithm::PS256, &key, input, signature)
            }
            (Material::Rsa { n, e }, Algorithm::Rs256) => {
                sized(signature, n.len())?;
                let key = DecodingKey::from_rsa_raw_components(n, e);
                verify_rarely_used(jsonwebtoken::Algorithm::RS256, &key, input, signature)
            }
            _ => Err(SignatureError::AlgorithmMismatch),
        }
    }

    /// Makes sure that an elliptic-curve key is a point on its curve and none of small order
    /// (NIST SP 800-56A §5.6.2.3). Other keys have nothing to check.
    ///
    /// For keys that are registered: one that cannot verify anything is better refused then than
    /// at its first use. A proof's own key needs no such check; its signature fails.
    ///
    /// # Errors
    /// [`JwkError::PointNotOnCurve`].
    pub fn ensure_on_curve(&self) -> Result<(), JwkError> {
        let on_curve = match &self.0 {
            Material::P256(point) => is_point(&ECDSA_P256_SHA256_FIXED, point),
            Material::P384(point) => is_point(&ECDSA_P384_SHA384_FIXED, point),
            // The library that verifies does not say, so the group's own decoding does.
            Material::Ed25519(bytes) => CompressedEdwardsY(*bytes)
                .decompress()
                .is_some_and(|point| point.compress().0 == *bytes),
            Material::Rsa { .. } => true,
        };
        if on_curve {
            Ok(())
        } else {
            Err(JwkError::PointNotOnCurve)
        }
    }
}

fn sized(signature: &[u8], len: usize) -> Result<(), SignatureError> {
    if signature.len() == len {
        Ok(())
    } else {
        Err(SignatureError::Length)
    }
}

fn is_point(algorithm: &'static dyn VerificationAlgorithm, point: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, point).parse().is_ok()
}

/// Parsing is a step of its own here so that a key that is no point can be told from a signature
/// that does not fit, without decoding the point twice.
fn verify_parsed(
    algorithm: &'static dyn VerificationAlgorithm,
    point: &[u8],
    input: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    UnparsedPublicKey::new(algorithm, point)
        .parse()
        .map_err(|_| SignatureError::PointNotOnCurve)?
        .verify_sig(input, signature)
        .map_err(|_| SignatureError::Mismatch)
}

/// The provider is named rather than looked up, so that nothing has to be installed first.
fn verify_rarely_used(
    algorithm: jsonwebtoken::Algorithm,
    key: &DecodingKey,
    input: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let verifier = (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm, key)
        .map_err(|_| SignatureError::AlgorithmMismatch)?;
    verifier
        .verify(input, &signature.to_vec())
        .map_err(|_| SignatureError::Mismatch)
}
