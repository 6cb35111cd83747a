//! Checking a signature.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey, VerificationAlgorithm,
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
        let (theirs, key, len) = match (&self.0, algorithm) {
            (Material::P256(point), Algorithm::Es256) => (
                jsonwebtoken::Algorithm::ES256,
                DecodingKey::from_ec_der(point),
                64,
            ),
            (Material::Ed25519(point), Algorithm::Ed25519) => (
                jsonwebtoken::Algorithm::EdDSA,
                DecodingKey::from_ed_der(point),
                64,
            ),
            (Material::P384(point), Algorithm::Es384) => (
                jsonwebtoken::Algorithm::ES384,
                DecodingKey::from_ec_der(point),
                96,
            ),
            (Material::Rsa { n, e }, Algorithm::Ps256) => (
                jsonwebtoken::Algorithm::PS256,
                DecodingKey::from_rsa_raw_components(n, e),
                n.len(),
            ),
            (Material::Rsa { n, e }, Algorithm::Rs256) => (
                jsonwebtoken::Algorithm::RS256,
                DecodingKey::from_rsa_raw_components(n, e),
                n.len(),
            ),
            _ => return Err(SignatureError::AlgorithmMismatch),
        };
        if signature.len() != len {
            return Err(SignatureError::Length);
        }
        // The provider is named rather than looked up, so that nothing has to be installed first.
        let verifier = (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&theirs, &key)
            .map_err(|_| SignatureError::AlgorithmMismatch)?;
        verifier.verify(input, &signature.to_vec()).map_err(|_| {
            // The library says only that it failed. Which of the two it was is worth a look when
            // it did, and nothing on the path of a good call.
            match self.ensure_on_curve() {
                Ok(()) => SignatureError::Mismatch,
                Err(_) => SignatureError::PointNotOnCurve,
            }
        })
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

fn is_point(algorithm: &'static dyn VerificationAlgorithm, point: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, point).parse().is_ok()
}
