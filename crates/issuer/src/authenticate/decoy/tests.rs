//! The decoys must cost what real keys cost: reach the arithmetic, and fail there.

use countersign_jose::{Algorithm, SignatureError};

use super::KEYS;

#[test]
fn every_algorithm_has_a_decoy_that_verifies_nothing() {
    for (algorithm, signature_bytes) in [
        (Algorithm::Es256, 64),
        (Algorithm::Ed25519, 64),
        (Algorithm::Es384, 96),
        (Algorithm::Ps256, 256),
        (Algorithm::Rs256, 256),
    ] {
        let key = KEYS.choose(None, algorithm).unwrap();
        let signature = vec![1; signature_bytes];
        assert_eq!(
            key.key().verify(algorithm, b"input", &signature),
            Err(SignatureError::Mismatch),
            "{algorithm}"
        );
    }
}
