use std::sync::LazyLock;

use countersign_jose::{
    Algorithms, CompactJws, Jwks, PublicKey, SigningKey, Thumbprint, base64url, json,
};
use proptest::prelude::*;

use crate::{ed25519, es256};

static KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| [es256(1), ed25519(1)]);

/// JSON of every kind, nested a little.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        "[^\u{0}]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            any_object(inner).prop_map(Into::into),
        ]
    })
}

fn any_object(
    value: impl Strategy<Value = serde_json::Value>,
) -> impl Strategy<Value = serde_json::Map<String, serde_json::Value>> {
    prop::collection::vec(("[^\u{0}]{0,8}", value), 0..6)
        .prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn base64url_there_and_back(bytes: Vec<u8>) {
        let text = base64url::encode(&bytes);
        prop_assert_eq!(base64url::decode(&text).unwrap(), bytes);
    }

    #[test]
    fn base64url_has_one_text_for_what_it_reads(text in "[A-Za-z0-9_=+/ -]{0,24}") {
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(bytes), text);
        }
    }

    #[test]
    fn json_there_and_back(object in any_object(any_json())) {
        let text = serde_json::to_vec(&object).unwrap();
        prop_assert_eq!(json::parse_object(&text).unwrap(), object);
    }

    #[test]
    fn nothing_panics_on_bytes(bytes: Vec<u8>) {
        let _ = json::object(&bytes);
        let _ = PublicKey::from_jwk(&bytes);
        let _ = Jwks::parse(&bytes);
        let _ = SigningKey::from_pkcs8_der(&bytes);
        let _ = SigningKey::from_private_jwk(&bytes);
        let _ = base64url::decode(&bytes);
        for key in &*KEYS {
            prop_assert!(key.public().verify(key.algorithm(), b"x", &bytes).is_err());
        }
    }

    #[test]
    fn nothing_panics_on_text(text in "\\PC{0,80}") {
        let _ = CompactJws::parse(&text, 4096);
        let _ = Thumbprint::parse(&text);
        let _ = SigningKey::from_pkcs8_pem(&text);
    }

    #[test]
    fn nothing_panics_on_jwk_like_objects(members in any_object(any_json()), kty in 0..4_usize) {
        let mut members = members;
        let kind = [("EC", "P-256"), ("EC", "P-384"), ("OKP", "Ed25519"), ("RSA", "")][kty];
        members.insert("kty".into(), kind.0.into());
        members.insert("crv".into(), kind.1.into());
        let _ = PublicKey::from_jwk(&serde_json::to_vec(&members).unwrap());
    }

    #[test]
    fn thumbprints_there_and_back(bytes: [u8; 32]) {
        let thumbprint = Thumbprint::from_bytes(bytes);
        prop_assert_eq!(Thumbprint::parse(&thumbprint.to_string()), Ok(thumbprint));
    }

    #[test]
    fn signed_and_verified(payload: Vec<u8>, which in 0..2_usize) {
        let key = &KEYS[which];
        let header = format!(r#"{{"alg":"{}"}}"#, key.algorithm());
        let jws = key.sign_compact(header.as_bytes(), &payload).unwrap();
        let parsed = CompactJws::parse(&jws, 64 * 1024).unwrap();
        prop_assert_eq!(parsed.payload(), &payload[..]);
        prop_assert_eq!(parsed.verify(key.public(), Algorithms::DEFAULT), Ok(()));
    }

    #[test]
    fn a_changed_byte_is_noticed(at: prop::sample::Index, byte: u8, which in 0..2_usize) {
        let key = &KEYS[which];
        let header = format!(r#"{{"alg":"{}"}}"#, key.algorithm());
        let mut jws = key.sign_compact(header.as_bytes(), b"payload").unwrap().into_bytes();
        let at = at.index(jws.len());
        prop_assume!(jws[at] != byte);
        jws[at] = byte;
        if let Ok(text) = std::str::from_utf8(&jws) {
            let accepted = CompactJws::parse(text, 4096)
                .is_ok_and(|jws| jws.verify(key.public(), Algorithms::DEFAULT).is_ok());
            prop_assert!(!accepted, "{}", text);
        }
    }
}
