//! Tokens and assertions: a good one, and each of its members missing or odd in turn.

use countersign_fuzz::token::KIDS;
use countersign_fuzz::world::{ES256, ISSUER, NOW};
use serde_json::{Map, Value, json};

/// Access tokens of a client and of a family.
pub(crate) fn tokens() -> Vec<Vec<u8>> {
    let now = NOW.as_secs();
    let jkt = ES256.public().thumbprint().to_string();
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": KIDS[0]});
    let edwards = json!({"typ": "application/at+jwt", "alg": "EdDSA", "kid": KIDS[1]});
    let payload = json!({
        "iss": ISSUER.as_str(), "sub": "alice", "aud": "https://orders.internal:8443",
        "client_id": "checkout", "scope": "orders.read orders.write", "cnf": {"jkt": jkt},
        "iat": now, "exp": now + 300, "nbf": now, "jti": "AwMDAwMDAwMDAwMDAwMDAw",
        "fam": "BQUFBQUFBQUFBQUFBQUFBQ", "auth_time": now - 60, "acr": "urn:acr:1",
    });
    let mut several = payload.clone();
    several["aud"] = json!(["https://a.example", "https://b.example/x"]);
    let mut found = variants(&header, &payload);
    found.extend(variants(&edwards, &several));
    found
}

/// Client assertions.
pub(crate) fn assertions() -> Vec<Vec<u8>> {
    let now = NOW.as_secs();
    let payload = json!({
        "iss": "signer", "sub": "signer", "aud": ISSUER.as_str(), "jti": "j-1",
        "iat": now, "nbf": now, "exp": now + 60,
    });
    let mut found = variants(&json!({"alg": "ES256"}), &payload);
    let typed = json!({"alg": "Ed25519", "typ": "client-authentication+jwt"});
    found.extend(variants(&typed, &payload));
    found
}

fn variants(header: &Value, payload: &Value) -> Vec<Vec<u8>> {
    let written = |header: &Value, payload: &Value| format!("{header}\n{payload}").into_bytes();
    let mut found = vec![written(header, payload)];
    found.extend(odd(header).map(|header| written(&header, payload)));
    found.extend(odd(payload).map(|payload| written(header, &payload)));
    found
}

/// The object with one member other than it should be.
fn odd(object: &Value) -> impl Iterator<Item = Value> {
    let members = object.as_object().cloned().unwrap_or_default();
    let names: Vec<String> = members.keys().cloned().collect();
    let others = [
        Value::Null,
        json!(""),
        json!([]),
        json!({}),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!("\u{7f}é"),
        json!(["https://a.example"]),
    ];
    names.into_iter().flat_map(move |name| {
        let without = |members: &Map<String, Value>| {
            let mut members = members.clone();
            members.remove(&name);
            Value::Object(members)
        };
        let with = |value: &Value| {
            let mut members = members.clone();
            members.insert(name.clone(), value.clone());
            Value::Object(members)
        };
        let mut found = vec![without(&members)];
        found.extend(others.iter().map(with));
        found
    })
}
