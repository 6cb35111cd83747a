//! Algorithms that are accepted by configuration only. Their keys are made on the spot, so these
//! proofs are not published as vectors.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use countersign_dpop::Refusal;
use countersign_jose::{Algorithm, Algorithms, base64url};

use crate::case::{Case, Signer, proof, text};

#[track_caller]
fn check(case: &Case, algorithm: Algorithm) {
    let case = case.clone().header("alg", text(algorithm.name()));
    let refused = case.verify().map(|_| ());
    assert_eq!(refused, Err(Refusal::AlgorithmNotAllowed), "by default");
    let verified = case.algorithms(Algorithms::of(&[algorithm])).verify();
    assert_eq!(verified.unwrap().algorithm, algorithm);
}

#[test]
fn rsa() {
    let key = Arc::new(RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap());
    let n = base64url::encode(key.public_key().modulus().big_endian_without_leading_zero());
    let e = base64url::encode(
        key.public_key()
            .exponent()
            .big_endian_without_leading_zero(),
    );
    let signed = |encoding: &'static dyn RsaEncoding| {
        let key = Arc::clone(&key);
        let sign = move |input: &str| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(
                encoding,
                &SystemRandom::new(),
                input.as_bytes(),
                &mut signature,
            )
            .unwrap();
            signature
        };
        proof()
            .signed_by(Signer::Other(Arc::new(sign)))
            .header("jwk", format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#))
    };
    check(&signed(&RSA_PKCS1_SHA256), Algorithm::Rs256);
    check(&signed(&RSA_PSS_SHA256), Algorithm::Ps256);

    // RFC 7517 §4.4: a key for one algorithm is not for the other.
    let case = signed(&RSA_PKCS1_SHA256)
        .header("alg", text("RS256"))
        .jwk_member("alg", r#""PS256""#)
        .algorithms(Algorithms::of(&[Algorithm::Rs256, Algorithm::Ps256]));
    assert_eq!(case.verify().map(|_| ()), Err(Refusal::KeyMismatch));
}

#[test]
fn es384() {
    let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let point = key.public_key().as_ref().to_vec();
    let (x, y) = (
        base64url::encode(&point[1..49]),
        base64url::encode(&point[49..]),
    );
    let sign = move |input: &str| {
        key.sign(&SystemRandom::new(), input.as_bytes())
            .unwrap()
            .as_ref()
            .to_vec()
    };
    let case = proof().signed_by(Signer::Other(Arc::new(sign))).header(
        "jwk",
        format!(r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{y}"}}"#),
    );
    check(&case, Algorithm::Es384);
}
