//! The tests of `countersign-jose`, through its public API. Tables of cases, one line each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod base64url;
mod json;
mod jwk;
mod jwks;
mod jws;
mod libraries;
mod properties;
mod published;
mod signing;
mod time;
mod wycheproof;
mod wycheproof_jwk;

use countersign_jose::{PublicKey, SigningKey};

/// The key of RFC 7638 §3.1 (2048 bits).
const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn es256(fill: u8) -> SigningKey {
    SigningKey::generate_es256([fill; 32]).unwrap()
}

fn ed25519(fill: u8) -> SigningKey {
    SigningKey::generate_ed25519([fill; 32]).unwrap()
}

fn public(jwk: &str) -> PublicKey {
    PublicKey::from_jwk(jwk.as_bytes()).unwrap()
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../testdata/vectors.json")).unwrap()
}
