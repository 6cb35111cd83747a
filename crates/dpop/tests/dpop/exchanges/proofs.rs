//! What a proof for a call says.

use std::sync::Arc;

use countersign_dpop::{Ath, Jti, Mint, Minter, Origin};
use countersign_jose::{CompactJws, SigningKey, UnixTime, json};
use serde_json::{Value, json};

use crate::case::{METHOD, NONCES, TOKEN, now};

pub(super) fn rows() -> Vec<Value> {
    let nonce = NONCES.mint(now());
    let usual = "https://rs.example.com";
    [
        ("for the token service", usual, METHOD, None, None),
        (
            "for the token service, with its nonce",
            usual,
            METHOD,
            None,
            Some(&nonce),
        ),
        ("for a guard", usual, METHOD, Some(TOKEN), None),
        (
            "for a guard, with its nonce",
            usual,
            METHOD,
            Some(TOKEN),
            Some(&nonce),
        ),
        (
            "for an origin with a prefix",
            "https://inside.example:8443/rpc/",
            METHOD,
            Some(TOKEN),
            None,
        ),
        (
            "for an origin in another spelling",
            "HTTPS://RS.Example.com:443",
            METHOD,
            None,
            None,
        ),
        (
            "for a path that is not plain",
            usual,
            "/a%2Eb/C",
            None,
            None,
        ),
    ]
    .into_iter()
    .map(|(name, origin, path, token, nonce)| {
        row(name, origin, path, token, nonce.map(String::as_str))
    })
    .collect()
}

/// The claims are those of our own minter, or null where it makes no proof.
fn row(name: &str, origin: &str, path: &str, token: Option<&str>, nonce: Option<&str>) -> Value {
    let mut row = json!({"name": name, "method": "POST", "origin": origin, "path": path});
    if let Some(token) = token {
        row["access_token"] = json!(token);
    }
    if let Some(nonce) = nonce {
        row["nonce"] = json!(nonce);
    }
    row["claims"] = claims(origin, path, token, nonce).unwrap_or(Value::Null);
    row
}

fn claims(origin: &str, path: &str, token: Option<&str>, nonce: Option<&str>) -> Option<Value> {
    let target = Origin::parse(origin).unwrap().target(path).ok()?;
    let minter = Minter::new(Arc::new(SigningKey::generate_ed25519([7; 32]).unwrap()));
    let ath = token.map(Ath::of);
    let proof = minter.mint(&Mint {
        jti: Jti::new([0; 16]),
        method: "POST",
        target: &target,
        iat: UnixTime::from_secs(0),
        nonce,
        ath: ath.as_ref(),
    });
    let proof = proof.unwrap();
    let jws = CompactJws::parse(&proof, 4096).unwrap();
    let mut claims = json::parse_object(jws.payload()).unwrap();
    // These differ from proof to proof.
    claims.remove("jti");
    claims.remove("iat");
    Some(claims.into())
}
