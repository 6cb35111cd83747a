//! Two other implementations agree with ours, in both directions.

use countersign_jose::{Algorithm, PublicKey, SigningKey, base64url};
use jsonwebtoken::crypto::verify;
use jsonwebtoken::{DecodingKey, EncodingKey};
use p256::ecdsa::signature::{Signer as _, Verifier as _};

use crate::{ed25519, es256, public};

#[test]
fn jsonwebtoken_verifies_what_we_sign() {
    for (key, algorithm) in [
        (es256(7), jsonwebtoken::Algorithm::ES256),
        (ed25519(7), jsonwebtoken::Algorithm::EdDSA),
    ] {
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_str(&key.public().to_jwk()).unwrap();
        let theirs = DecodingKey::from_jwk(&jwk).unwrap();
        let signature = base64url::encode(key.sign(b"text").unwrap());
        assert!(verify(&signature, b"text", &theirs, algorithm).unwrap());
        assert!(!verify(&signature, b"texT", &theirs, algorithm).unwrap());
    }
}

#[test]
fn we_verify_what_jsonwebtoken_signs() {
    let check = |key: &SigningKey, encoding: &EncodingKey, algorithm| {
        let signature = jsonwebtoken::crypto::sign(b"text", encoding, algorithm).unwrap();
        let signature = base64url::decode(signature).unwrap();
        assert_eq!(
            key.public().verify(key.algorithm(), b"text", &signature),
            Ok(())
        );
        assert!(
            key.public()
                .verify(key.algorithm(), b"texT", &signature)
                .is_err()
        );
    };
    let (ec, ed) = (es256(8), ed25519(8));
    let der = ec.to_pkcs8_der().unwrap();
    check(
        &ec,
        &EncodingKey::from_ec_der(&der),
        jsonwebtoken::Algorithm::ES256,
    );
    let der = ed.to_pkcs8_der().unwrap();
    check(
        &ed,
        &EncodingKey::from_ed_der(&der),
        jsonwebtoken::Algorithm::EdDSA,
    );
}

#[test]
fn p256_agrees_both_ways() {
    let key = es256(9);
    let theirs = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let signature: p256::ecdsa::Signature = theirs.sign(b"text");
    assert_eq!(
        key.public()
            .verify(Algorithm::Es256, b"text", &signature.to_bytes()),
        Ok(())
    );
    let ours = p256::ecdsa::Signature::from_slice(&key.sign(b"text").unwrap()).unwrap();
    assert!(theirs.verifying_key().verify(b"text", &ours).is_ok());
}

/// Keys that are only ever verified with here, made by the library that signs with them.
#[test]
fn rsa_and_p384_signatures_of_aws_lc() {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    };
    let random = SystemRandom::new();

    let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let (n, e) = (rsa.public_key().modulus(), rsa.public_key().exponent());
    let key: PublicKey = public(&format!(
        r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#,
        base64url::encode(n.big_endian_without_leading_zero()),
        base64url::encode(e.big_endian_without_leading_zero())
    ));
    let sign = |encoding: &'static dyn RsaEncoding| {
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(encoding, &random, b"text", &mut signature)
            .unwrap();
        signature
    };
    assert_eq!(
        key.verify(Algorithm::Rs256, b"text", &sign(&RSA_PKCS1_SHA256)),
        Ok(())
    );
    assert_eq!(
        key.verify(Algorithm::Ps256, b"text", &sign(&RSA_PSS_SHA256)),
        Ok(())
    );
    assert!(
        key.verify(Algorithm::Ps256, b"text", &sign(&RSA_PKCS1_SHA256))
            .is_err()
    );
    assert!(
        key.verify(Algorithm::Rs256, b"text", &sign(&RSA_PSS_SHA256))
            .is_err()
    );
    assert!(
        key.verify(Algorithm::Rs256, b"text", &sign(&RSA_PKCS1_SHA512))
            .is_err()
    );
    assert!(
        key.verify(Algorithm::Rs256, b"texT", &sign(&RSA_PKCS1_SHA256))
            .is_err()
    );
    assert!(
        key.verify(Algorithm::Rs256, b"text", &sign(&RSA_PKCS1_SHA256)[1..])
            .is_err()
    );

    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let point = p384.public_key().as_ref();
    let key = public(&format!(
        r#"{{"kty":"EC","crv":"P-384","x":"{}","y":"{}"}}"#,
        base64url::encode(&point[1..49]),
        base64url::encode(&point[49..])
    ));
    assert_eq!(key.ensure_on_curve(), Ok(()));
    let signature = p384.sign(&random, b"text").unwrap();
    assert_eq!(
        key.verify(Algorithm::Es384, b"text", signature.as_ref()),
        Ok(())
    );
    assert!(
        key.verify(Algorithm::Es384, b"texT", signature.as_ref())
            .is_err()
    );
    assert!(
        key.verify(Algorithm::Es384, b"text", &signature.as_ref()[1..])
            .is_err()
    );
}
