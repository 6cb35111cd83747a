//! The algorithm, the key and the signature.

use std::sync::Arc;

use aws_lc_rs::hmac;
use countersign_dpop::Refusal::*;
use countersign_jose::base64url;

use super::Table;
use crate::case::{Case, Signer, proof};
use crate::values::{hex, high_s, rsa_modulus};

pub(super) fn rows(t: &mut Table) {
    // alg
    t.check(
        "alg none",
        proof().header("alg", r#""none""#),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "alg nOnE",
        proof().header("alg", r#""nOnE""#),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "alg none without a signature",
        unsigned(),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "HS256 keyed with the JWK",
        keyed_with_jwk(),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "alg ES256K",
        proof().header("alg", r#""ES256K""#),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "alg ES512",
        proof().header("alg", r#""ES512""#),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "alg in lower case",
        proof().header("alg", r#""es256""#),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "RS256 where it is not configured",
        rsa().header("alg", r#""RS256""#),
        Err(AlgorithmNotAllowed),
    );
    t.check(
        "alg missing",
        proof().without_header("alg"),
        Err(AlgorithmMissing),
    );
    t.check(
        "alg a number",
        proof().header("alg", "256"),
        Err(AlgorithmMissing),
    );
    t.check(
        "alg null",
        proof().header("alg", "null"),
        Err(AlgorithmMissing),
    );
    t.check(
        "alg a list",
        proof().header("alg", r#"["ES256"]"#),
        Err(AlgorithmMissing),
    );

    // The key that goes with it
    t.check(
        "Ed25519",
        proof().signed_by(Signer::Ed25519([2; 32])),
        Ok(()),
    );
    t.check(
        "Ed25519 under its older name",
        proof()
            .signed_by(Signer::Ed25519([2; 32]))
            .header("alg", r#""EdDSA""#),
        Ok(()),
    );
    t.check(
        "ES256 with an Ed25519 key",
        proof()
            .signed_by(Signer::Ed25519([2; 32]))
            .header("alg", r#""ES256""#),
        Err(KeyMismatch),
    );
    t.check(
        "EdDSA with an EC key",
        proof().header("alg", r#""EdDSA""#),
        Err(KeyMismatch),
    );
    t.check(
        "ES256 with a P-384 key",
        proof().header("jwk", p384()),
        Err(KeyMismatch),
    );
    t.check("ES256 with an RSA key", rsa(), Err(KeyMismatch));
    t.check(
        "kty oct",
        proof().header("jwk", r#"{"kty":"oct"}"#),
        Err(KeyMalformed),
    );
    t.check(
        "kty oct with its k",
        proof().header("jwk", r#"{"kty":"oct","k":"AAAA"}"#),
        Err(PrivateKey),
    );
    t.check(
        "a curve that is not used",
        proof().jwk_member("crv", r#""secp256k1""#),
        Err(KeyMalformed),
    );
    t.check(
        "jwk missing",
        proof().without_header("jwk"),
        Err(KeyMissing),
    );
    t.check("jwk null", proof().header("jwk", "null"), Err(KeyMalformed));
    t.check(
        "jwk a string",
        proof().header("jwk", r#""key""#),
        Err(KeyMalformed),
    );
    t.check("jwk a list", proof().header("jwk", "[]"), Err(KeyMalformed));
    t.check("jwk empty", proof().header("jwk", "{}"), Err(KeyMalformed));
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        t.check(
            &format!("jwk with {name}"),
            proof().jwk_member(name, r#""AAAA""#),
            Err(PrivateKey),
        );
    }
    t.check(
        "jwk with d null",
        proof().jwk_member("d", "null"),
        Err(PrivateKey),
    );
    t.check(
        "jwk for another alg",
        proof().jwk_member("alg", r#""ES384""#),
        Err(KeyMismatch),
    );
    t.check(
        "jwk for encryption",
        proof().jwk_member("use", r#""enc""#),
        Err(KeyMismatch),
    );
    t.check(
        "jwk for signing only",
        proof().jwk_member("key_ops", r#"["sign"]"#),
        Err(KeyMismatch),
    );
    t.check(
        "jwk for no operation",
        proof().jwk_member("key_ops", "[]"),
        Err(KeyMismatch),
    );
    t.check(
        "jwk that says it is for this",
        proof()
            .jwk_member("alg", r#""ES256""#)
            .jwk_member("use", r#""sig""#)
            .jwk_member("key_ops", r#"["verify"]"#),
        Ok(()),
    );
    t.check(
        "jwk with kid and ext",
        proof()
            .jwk_member("kid", r#""mine""#)
            .jwk_member("ext", "true"),
        Ok(()),
    );
    t.check(
        "jwk for Ed25519 by its older name",
        proof()
            .signed_by(Signer::Ed25519([2; 32]))
            .jwk_member("alg", r#""EdDSA""#),
        Ok(()),
    );
    t.check(
        "jwk with a kid that is a number",
        proof().jwk_member("kid", "7"),
        Err(KeyMalformed),
    );

    // Coordinates
    t.check(
        "y missing",
        proof().without_jwk_member("y"),
        Err(KeyMalformed),
    );
    t.check(
        "x missing",
        proof().without_jwk_member("x"),
        Err(KeyMalformed),
    );
    t.check("x of 31 bytes", x(&[1; 31]), Err(KeyMalformed));
    t.check("x of 33 bytes", x(&[1; 33]), Err(KeyMalformed));
    t.check(
        "x padded",
        proof().jwk_member("x", &format!("\"{}=\"", base64url::encode([1; 32]))),
        Err(KeyMalformed),
    );
    t.check("a point off the curve", x(&[1; 32]), Err(KeyMalformed));
    t.check(
        "x is the field's prime",
        x(&hex(
            "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        )),
        Err(KeyMalformed),
    );
    t.check(
        "x above the field's prime",
        x(&[0xff; 32]),
        Err(KeyMalformed),
    );
    t.check(
        "the point (0, 0)",
        xy(&[0; 32], &[0; 32]),
        Err(KeyMalformed),
    );
    t.check(
        "an Ed25519 key of small order",
        edwards([0; 32]),
        Err(KeyMalformed),
    );
    t.check(
        "an Ed25519 key that is not canonical",
        edwards(little_endian(0xf0, 0x7f)),
        Err(KeyMalformed),
    );
    t.check(
        "an Ed25519 key that is no point",
        edwards([&[2][..], &[0; 31]].concat().try_into().unwrap()),
        Err(KeyMalformed),
    );

    // RSA, configured: refused for its numbers, before any arithmetic
    t.check(
        "RSA of 1024 bits",
        rsa_n(&rsa_modulus(1024)),
        Err(KeyMalformed),
    );
    t.check(
        "RSA of 16 kbit",
        rsa_n(&rsa_modulus(16 * 1024)).signature(|_| vec![1; 3]),
        Err(KeyMalformed),
    );
    t.check("RSA with e = 1", rsa_e(&[1]), Err(KeyMalformed));
    t.check("RSA with an even e", rsa_e(&[1, 0, 0]), Err(KeyMalformed));
    t.check(
        "RSA with another's signature",
        rsa().header("alg", r#""RS256""#).algorithms(all()),
        Err(BadSignature),
    );

    // The signature
    t.check(
        "a signature of 63 bytes",
        proof().signature(|s| s[..63].to_vec()),
        Err(BadSignature),
    );
    t.check(
        "a signature of 65 bytes",
        proof().signature(|s| [&s[..], &[0]].concat()),
        Err(BadSignature),
    );
    t.check(
        "a signature in DER",
        proof().signature(|s| der(&s)),
        Err(BadSignature),
    );
    t.check(
        "r = 0",
        proof().signature(|s| [&[0; 32], &s[32..]].concat()),
        Err(BadSignature),
    );
    t.check(
        "s = 0",
        proof().signature(|s| [&s[..32], &[0; 32]].concat()),
        Err(BadSignature),
    );
    t.check(
        "r = n",
        proof().signature(|s| [&order()[..], &s[32..]].concat()),
        Err(BadSignature),
    );
    t.check(
        "s = n",
        proof().signature(|s| [&s[..32], &order()].concat()),
        Err(BadSignature),
    );
    t.check(
        "r = s = 0",
        proof().signature(|_| vec![0; 64]),
        Err(BadSignature),
    );
    t.check("a high s", proof().signature(|s| high_s(&s)), Ok(()));
    t.check("another key's signature", by_another(), Err(BadSignature));
}

fn all() -> countersign_jose::Algorithms {
    use countersign_jose::Algorithm::{Ed25519, Es256, Es384, Ps256, Rs256};
    countersign_jose::Algorithms::of(&[Es256, Ed25519, Es384, Ps256, Rs256])
}

fn unsigned() -> Case {
    proof().header("alg", r#""none""#).signature(|_| Vec::new())
}

fn keyed_with_jwk() -> Case {
    let sign = |input: &str| {
        let jwk = Signer::Es256([1; 32]).jwk();
        let key = hmac::Key::new(hmac::HMAC_SHA256, jwk.as_bytes());
        hmac::sign(&key, input.as_bytes()).as_ref().to_vec()
    };
    proof()
        .header("alg", r#""HS256""#)
        .signed_by(Signer::Other(Arc::new(sign)))
}

fn by_another() -> Case {
    let jwk = Signer::Es256([1; 32]).jwk();
    proof().signed_by(Signer::Es256([3; 32])).header("jwk", jwk)
}

fn x(bytes: &[u8]) -> Case {
    proof().jwk_member("x", &format!("\"{}\"", base64url::encode(bytes)))
}

fn xy(x_bytes: &[u8], y_bytes: &[u8]) -> Case {
    x(x_bytes).jwk_member("y", &format!("\"{}\"", base64url::encode(y_bytes)))
}

/// With the curve's base point: a good key of its kind.
fn p384() -> String {
    let x = hex(
        "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
    );
    let y = hex(
        "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    );
    format!(
        r#"{{"kty":"EC","crv":"P-384","x":"{}","y":"{}"}}"#,
        base64url::encode(x),
        base64url::encode(y)
    )
}

/// A number of 32 bytes that begins and ends with these, with ones in between.
fn little_endian(first: u8, last: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (first, last);
    bytes
}

/// An Ed25519 key of these bytes, and a signature that a careless verifier takes for one by it.
fn edwards(point: [u8; 32]) -> Case {
    let x = base64url::encode(point);
    proof()
        .signed_by(Signer::Ed25519([2; 32]))
        .header(
            "jwk",
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#),
        )
        .signature(|_| vec![0; 64])
}

fn rsa() -> Case {
    rsa_jwk(&rsa_modulus(2048), &[1, 0, 1])
}

fn rsa_n(n: &[u8]) -> Case {
    rsa_jwk(n, &[1, 0, 1])
        .header("alg", r#""RS256""#)
        .algorithms(all())
}

fn rsa_e(e: &[u8]) -> Case {
    rsa_jwk(&rsa_modulus(2048), e)
        .header("alg", r#""RS256""#)
        .algorithms(all())
}

fn rsa_jwk(n: &[u8], e: &[u8]) -> Case {
    let (n, e) = (base64url::encode(n), base64url::encode(e));
    proof()
        .header("jwk", format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#))
        .signature(|_| vec![1; 256])
}

fn order() -> Vec<u8> {
    hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
}

fn der(signature: &[u8]) -> Vec<u8> {
    p256::ecdsa::Signature::from_slice(signature)
        .unwrap()
        .to_der()
        .as_bytes()
        .to_vec()
}
