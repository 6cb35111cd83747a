//! Attacks of the list that need more than one call.

use std::sync::atomic::Ordering;

use countersign_dpop::Limits;
use countersign_guard::NonceMode;
use countersign_jose::{Algorithm, Algorithms, base64url};
use serde_json::{Value, json};

use crate::stand::{Edge, Expected, Shown, Stand, sign};

/// The other signature that verifies wherever an ECDSA signature does: (r, n − s).
fn twin(proof: &str) -> String {
    let (input, signature) = proof.rsplit_once('.').unwrap();
    let mut signature = base64url::decode(signature).unwrap();
    let mut borrow = 0;
    for (byte, of_order) in signature[32..]
        .iter_mut()
        .zip(crate::vectors::published::ORDER)
        .rev()
    {
        let difference = i16::from(of_order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference.rem_euclid(256) as u8;
    }
    format!("{input}.{}", base64url::encode(signature))
}

#[tokio::test]
async fn the_other_signature_of_a_spent_proof_is_no_new_proof() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        for _ in 0..4 {
            let token = stand.token();
            let proof = stand.proof("CreateOrder", &token);
            let twin = twin(&proof);
            // Alone it would be accepted: whichever of the two comes first is spent by it.
            stand
                .check("the twin", &Shown::new(&token, &twin), Expected::Ok)
                .await;
            stand
                .check("its original", &Shown::new(&token, &proof), Expected::Spent)
                .await;
            let proof = stand.proof("CreateOrder", &token);
            stand
                .check("an original", &Shown::new(&token, &proof), Expected::Ok)
                .await;
            let twin = Shown::new(&token, &self::twin(&proof));
            stand
                .check("the low-S twin of a spent proof", &twin, Expected::Spent)
                .await;
        }
    }
}

/// Nothing that a token or a proof names is looked up, not even the key set.
#[tokio::test]
async fn what_names_a_place_to_fetch_from_causes_no_fetch() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let fetches = || stand.keys.fetches.load(Ordering::SeqCst);
        let before = fetches();
        let url = "http://127.0.0.1:9/jwks";
        for name in ["jku", "x5u"] {
            let mut header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
            header[name] = url.into();
            let token = sign(&stand.issuer_key, &header, &stand.claims());
            let shown = Shown::new(&token, &stand.proof("CreateOrder", &token));
            stand.check(name, &shown, Expected::T).await;

            let token = stand.token();
            let jwk: Value = serde_json::from_str(&stand.caller_key.public().to_jwk()).unwrap();
            let mut header = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": jwk });
            header[name] = url.into();
            let claims = stand.proof_claims("CreateOrder", &token);
            let shown = Shown::new(&token, &sign(&stand.caller_key, &header, &claims));
            stand.check(name, &shown, Expected::Ok).await;
        }
        assert_eq!(fetches(), before);
    }
}

/// Where a guard takes all algorithms, an algorithm is still no choice of whoever sends it.
#[tokio::test]
async fn an_algorithm_of_another_kind_of_key() {
    for edge in Edge::BOTH {
        let algorithms = Algorithms::of(&[
            Algorithm::Es256,
            Algorithm::Ed25519,
            Algorithm::Es384,
            Algorithm::Ps256,
            Algorithm::Rs256,
        ]);
        let limits = Limits {
            algorithms,
            ..Limits::default()
        };
        let stand = Stand::with_at(edge, |builder| {
            builder.nonces(NonceMode::Off).limits(limits)
        })
        .await;
        let jwk: Value = serde_json::from_str(&stand.caller_key.public().to_jwk()).unwrap();
        for (row, alg, expected) in [
            ("ES256 with an EC key", "ES256", Expected::Ok),
            ("RS256 with an EC key", "RS256", Expected::P),
            ("PS256 with an EC key", "PS256", Expected::P),
            ("ES384 with a P-256 key", "ES384", Expected::P),
            ("EdDSA with an EC key", "EdDSA", Expected::P),
            ("HS256", "HS256", Expected::P),
        ] {
            let token = stand.token();
            let header = json!({ "alg": alg, "typ": "dpop+jwt", "jwk": jwk });
            let claims = stand.proof_claims("CreateOrder", &token);
            let shown = Shown::new(&token, &sign(&stand.caller_key, &header, &claims));
            stand.check_with(row, &shown, expected, algorithms).await;
        }
    }
}
