//! Access tokens that are not what they should be.

use countersign_dpop::Ath;
use countersign_jose::base64url;
use serde_json::{Value, json};

use crate::stand::{Edge, Expected, ISSUER, ORIGIN, Shown, Stand, es256, sign, unsigned};

#[tokio::test]
async fn headers() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let with = |change: &dyn Fn(&mut Value)| {
            let mut header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
            change(&mut header);
            let token = sign(&stand.issuer_key, &header, &stand.claims());
            Shown::new(&token, &stand.proof("CreateOrder", &token))
        };
        let set = |name: &'static str, value: Value| with(&move |h| h[name] = value.clone());
        let without =
            |name: &'static str| with(&move |h| drop(h.as_object_mut().unwrap().remove(name)));
        let jwk: Value = serde_json::from_str(&stand.issuer_key.public().to_jwk()).unwrap();

        use Expected::{Ok, T};
        let rows = [
            ("as it should be", with(&|_| {}), Ok),
            (
                "typ application/at+jwt",
                set("typ", "application/at+jwt".into()),
                Ok,
            ),
            ("typ JWT", set("typ", "JWT".into()), T),
            ("typ dpop+jwt", set("typ", "dpop+jwt".into()), T),
            ("typ missing", without("typ"), T),
            ("kid of a path", set("kid", "../../k1".into()), T),
            ("kid of SQL", set("kid", "k1' OR '1'='1".into()), T),
            ("kid with NUL", set("kid", "k1\0".into()), T),
            ("kid missing", without("kid"), T),
            ("jku", set("jku", "https://evil.test/jwks".into()), T),
            ("x5u", set("x5u", "https://evil.test/x".into()), T),
            ("x5c", set("x5c", json!(["AA=="])), T),
            ("jwk", set("jwk", jwk), T),
            (
                "crit",
                with(&|h| {
                    h["crit"] = json!(["x"]);
                    h["x"] = 1.into();
                }),
                T,
            ),
            ("alg none", set("alg", "none".into()), T),
            ("alg HS256", set("alg", "HS256".into()), T),
            ("alg ES384 with a P-256 key", set("alg", "ES384".into()), T),
            ("alg EdDSA with a P-256 key", set("alg", "EdDSA".into()), T),
        ];
        for (row, shown, expected) in rows {
            stand.check(row, &shown, expected).await;
        }
    }
}

#[tokio::test]
async fn signatures() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let shown = |token: &str| Shown::new(token, &stand.proof("CreateOrder", token));
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
        let token = stand.token();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let other_claims = sign(&stand.issuer_key, &header, &json!({"iss": ISSUER}));
        let other_input = other_claims.rsplit_once('.').unwrap().0;

        let rows = [
            (
                "signed with another key",
                sign(&es256(7), &header, &stand.claims()),
            ),
            ("signed by nobody", unsigned(&header, &stand.claims())),
            ("without a signature", format!("{input}.")),
            (
                "another token's signature",
                format!("{other_input}.{signature}"),
            ),
            ("an HMAC with the public key", hmac_with_public_key(&stand)),
            ("a proof in its place", stand.proof("CreateOrder", &token)),
            (
                "a refresh token in its place",
                "csr_c29tZXRoaW5nIGVsc2U".to_owned(),
            ),
            ("an assertion in its place", {
                let header =
                    json!({ "alg": "ES256", "typ": "client-authentication+jwt", "kid": "k1" });
                sign(&stand.issuer_key, &header, &stand.claims())
            }),
            ("four segments", format!("{token}.x")),
            ("padded", format!("{token}=")),
        ];
        for (row, token) in rows {
            stand.check(row, &shown(&token), Expected::T).await;
        }
    }
}

/// What a verifier that takes `alg` at its word would accept.
fn hmac_with_public_key(stand: &Stand) -> String {
    let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "k1" });
    let input = format!(
        "{}.{}",
        base64url::encode(header.to_string()),
        base64url::encode(stand.claims().to_string())
    );
    let key = stand.issuer_key.public().to_jwk();
    // Any 32 bytes will do: no MAC is ever looked at.
    let mac = Ath::of(&format!("{key}{input}"));
    format!("{input}.{mac}")
}

#[tokio::test]
async fn claims() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let now = stand.now();
        let with = |change: &dyn Fn(&mut Value)| {
            let mut claims = stand.claims();
            change(&mut claims);
            let token = stand.token_of(&claims);
            Shown::new(&token, &stand.proof("CreateOrder", &token))
        };
        let set = |name: &'static str, value: Value| with(&move |c| c[name] = value.clone());
        let without =
            |name: &'static str| with(&move |c| drop(c.as_object_mut().unwrap().remove(name)));
        let jkt = stand.caller_key.public().thumbprint().to_string();

        use Expected::{Expired, Ok, T};
        let mut rows = vec![
            (
                "aud of us, in an array",
                set("aud", json!(["https://other.test", ORIGIN])),
                Ok,
            ),
            ("aud of others", set("aud", "https://other.test".into()), T),
            (
                "aud with a trailing slash",
                set("aud", format!("{ORIGIN}/").into()),
                T,
            ),
            ("aud empty", set("aud", json!([])), T),
            ("aud with a number", set("aud", json!([ORIGIN, 1])), T),
            (
                "iss with a trailing slash",
                set("iss", format!("{ISSUER}/").into()),
                T,
            ),
            ("iss of another", set("iss", "https://evil.test".into()), T),
            ("exp now", set("exp", now.into()), Expired),
            (
                "exp a moment ago",
                set("exp", json!(now as f64 - 0.5)),
                Expired,
            ),
            ("exp in a second", set("exp", (now + 1).into()), Ok),
            ("exp never", set("exp", "never".into()), T),
            ("exp negative", set("exp", (-1).into()), T),
            ("exp 2^63", set("exp", json!(1u64 << 63)), T),
            ("exp 1e308", set("exp", json!(1e308)), T),
            ("nbf ahead", set("nbf", (now + 60).into()), T),
            ("nbf now", set("nbf", now.into()), Ok),
            ("iat ahead", set("iat", (now + 60).into()), T),
            (
                "iat by a clock slightly ahead",
                set("iat", (now + 5).into()),
                Ok,
            ),
            ("sub a number", set("sub", 1.into()), T),
            ("scope a list", set("scope", json!(["orders.write"])), T),
            ("scope missing", without("scope"), Expected::Scope),
            ("cnf a string", set("cnf", jkt.clone().into()), T),
            ("cnf empty", set("cnf", json!({})), T),
            (
                "cnf of a certificate too",
                set("cnf", json!({ "jkt": jkt, "x5t#S256": jkt })),
                T,
            ),
            (
                "claims that nobody knows",
                set("extra", json!({"a": [1]})),
                Ok,
            ),
        ];
        for required in ["iss", "sub", "client_id", "aud", "exp", "iat", "jti"] {
            rows.push((required, without(required), T));
        }
        for (row, shown, expected) in rows {
            stand.check(row, &shown, expected).await;
        }
    }
}

/// A token that was verified before is looked at again for what time changes.
#[tokio::test]
async fn a_remembered_token_expires() {
    for edge in Edge::BOTH {
        let stand = Stand::at(edge).await;
        let token = stand.token();
        let call = || Shown::new(&token, &stand.proof("CreateOrder", &token));
        stand.check("new", &call(), Expected::Ok).await;
        stand.check("remembered", &call(), Expected::Ok).await;
        stand.clock.advance(std::time::Duration::from_secs(300));
        stand.check("over", &call(), Expected::Expired).await;
    }
}

/// The clock is set back to when the token was good.
#[tokio::test]
async fn an_expired_token_is_not_revived() {
    let stand = Stand::start().await;
    let token = stand.token();
    let call = || Shown::new(&token, &stand.proof("CreateOrder", &token));
    stand.check("new", &call(), Expected::Ok).await;
    stand.clock.advance(std::time::Duration::from_secs(300));
    stand.check("over", &call(), Expected::Expired).await;
    for secs in [1, 10] {
        stand.clock.go_back(std::time::Duration::from_secs(secs));
        let row = format!("{secs} s back");
        stand.check(&row, &call(), Expected::Expired).await;
    }
    // So far that a proof of then is forgotten: another token would not help.
    stand.clock.go_back(std::time::Duration::from_secs(100));
    stand.check("far back", &call(), Expected::P).await;
}

/// Where nobody has presented it since, it has expired all the same; and what
/// is issued by the new time is good.
#[tokio::test]
async fn an_expired_token_is_not_revived_though_nobody_saw_it_expire() {
    let stand = Stand::start().await;
    let token = stand.token();
    let call = || Shown::new(&token, &stand.proof("CreateOrder", &token));
    stand.clock.advance(std::time::Duration::from_secs(305));
    stand.check("another", &stand.good(), Expected::Ok).await;
    stand.clock.go_back(std::time::Duration::from_secs(10));
    stand.check("back", &call(), Expected::Expired).await;
    stand.check("of now", &stand.good(), Expected::Ok).await;
}
