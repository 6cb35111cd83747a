//! Proofs, right ones and wrong ones: one builder, changed where a test wants it changed.

use std::sync::Arc;

use countersign_dpop::{Jti, Mint, Minter, Target};
use countersign_jose::{SigningKey, Thumbprint, UnixTime, base64url, sha256};

use crate::harness::random;

/// A client's proof key.
#[derive(Clone)]
pub(crate) struct Key(pub(crate) Arc<SigningKey>);

impl Key {
    pub(crate) fn new() -> Self {
        Self(Arc::new(
            SigningKey::generate_es256(random()).expect("a scalar"),
        ))
    }

    pub(crate) fn jkt(&self) -> Thumbprint {
        self.0.public().thumbprint()
    }

    /// A proof by the library that our own clients use.
    pub(crate) fn mint(&self, target: &str, iat: UnixTime, nonce: Option<&str>) -> String {
        Minter::new(Arc::clone(&self.0))
            .mint(&Mint {
                jti: Jti::new(random()),
                method: "POST",
                target: &Target::parse(target).expect("a target"),
                iat,
                nonce,
                ath: None,
            })
            .expect("signs")
    }

    /// A JWT by hand.
    pub(crate) fn sign(&self, header: &serde_json::Value, payload: &serde_json::Value) -> String {
        self.0
            .sign_compact(
                header.to_string().as_bytes(),
                payload.to_string().as_bytes(),
            )
            .expect("signs")
    }
}

/// A proof whose members a test changes before it is signed.
pub(crate) struct Draft {
    pub(crate) header: serde_json::Value,
    pub(crate) payload: serde_json::Value,
}

impl Draft {
    pub(crate) fn new(key: &Key, htu: &str, iat: UnixTime) -> Self {
        let jwk: serde_json::Value =
            serde_json::from_str(&key.0.public().to_jwk()).expect("a JWK is JSON");
        Self {
            header: serde_json::json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}),
            payload: serde_json::json!({
                "jti": base64url::encode(random::<16>()),
                "htm": "POST",
                "htu": htu,
                "iat": iat.as_secs(),
            }),
        }
    }

    pub(crate) fn claim(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.payload[name] = value.into();
        self
    }

    pub(crate) fn ath(self, token: &str) -> Self {
        self.claim("ath", base64url::encode(sha256(&[token.as_bytes()])))
    }

    pub(crate) fn sign(&self, key: &Key) -> String {
        key.sign(&self.header, &self.payload)
    }
}
