//! `jose`: public keys (RFC 7517, RFC 7638).

use countersign_jose::{Algorithm, Jwk, PublicKey, json};

pub fn check(input: &[u8]) {
    let Ok(jwk) = Jwk::parse(input) else {
        return;
    };
    let object = json::object(input).expect("it was read");
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(object.member(private).is_none(), "a private member");
    }
    let written = jwk.key.to_jwk();
    let again = PublicKey::from_jwk(written.as_bytes()).expect("we wrote it");
    assert_eq!(again, jwk.key);
    assert_eq!(again.to_jwk(), written);
    assert_eq!(again.thumbprint(), jwk.key.thumbprint());
    if let Some(alg) = jwk.alg {
        assert!(jwk.key.algorithm_fits(alg));
    }
    // Nothing was signed: whatever the key, zeros are no signature of it, nor is the key itself.
    for algorithm in [
        Algorithm::Es256,
        Algorithm::Ed25519,
        Algorithm::Es384,
        Algorithm::Ps256,
        Algorithm::Rs256,
    ] {
        for signature in [&[0; 64][..], &[0; 96], &[0; 256], written.as_bytes()] {
            assert!(jwk.key.verify(algorithm, b"anything", signature).is_err());
        }
    }
}
