//! What a guard makes of a call's metadata.

use serde_json::{Value, json};

const CHALLENGED: &str = r#"DPoP error="invalid_token", algs="ES256 Ed25519""#;
const UNPROVEN: &str = r#"DPoP error="invalid_dpop_proof", algs="ES256 Ed25519""#;

/// `TOKEN` stands for an access token, `PROOF` for a good proof with it.
pub(super) fn rows() -> Vec<Value> {
    let of = |name: &str, metadata: &[(&str, &str)], token: &str, outcome: Value| json!({"name": name, "metadata": metadata, "token": token, "outcome": outcome});
    let shown = |name: &str, authorization: &str, token: &str, outcome: Value| {
        let metadata = [("authorization", authorization), ("dpop", "PROOF")];
        of(name, &metadata, token, outcome)
    };
    let dpop = ("authorization", "DPoP TOKEN");
    let proof = ("dpop", "PROOF");
    let too_large = format!("DPoP {}", "x".repeat(8193));
    vec![
        shown("as it should be", "DPoP TOKEN", "bound", passes()),
        shown("a scheme in lower case", "dpop TOKEN", "bound", passes()),
        shown("two spaces", "DPoP  TOKEN", "bound", passes()),
        of("nothing at all", &[], "bound", missing()),
        of("a proof alone", &[proof], "bound", missing()),
        shown("another scheme", "Basic YTpi", "bound", missing()),
        of(
            "two of authorization",
            &[dpop, dpop, proof],
            "bound",
            malformed(),
        ),
        shown(
            "a comma in authorization",
            "DPoP TOKEN,DPoP TOKEN",
            "bound",
            malformed(),
        ),
        shown(
            "two tokens joined by a comma",
            "DPoP TOKEN,TOKEN",
            "bound",
            malformed(),
        ),
        shown("a scheme without a token", "DPoP", "bound", malformed()),
        shown(
            "two tokens in one value",
            "DPoP TOKEN TOKEN",
            "bound",
            malformed(),
        ),
        shown("a token too large", &too_large, "bound", invalid_token()),
        shown(
            "a bound token as Bearer",
            "Bearer TOKEN",
            "bound",
            invalid_token(),
        ),
        shown("an unbound token", "DPoP TOKEN", "unbound", invalid_token()),
        shown(
            "an unbound token as Bearer",
            "Bearer TOKEN",
            "unbound",
            invalid_token(),
        ),
        shown(
            "a token of another key",
            "DPoP TOKEN",
            "bound_to_another_key",
            invalid_token(),
        ),
        shown(
            "a token that has expired",
            "DPoP TOKEN",
            "expired",
            expired(),
        ),
        of("no proof", &[dpop], "bound", invalid_proof()),
        of(
            "dpop-bin alone",
            &[dpop, ("dpop-bin", "PROOF")],
            "bound",
            invalid_proof(),
        ),
        of(
            "two of dpop",
            &[dpop, proof, proof],
            "bound",
            invalid_proof(),
        ),
        of(
            "two proofs joined by a comma",
            &[dpop, ("dpop", "PROOF,PROOF")],
            "bound",
            invalid_proof(),
        ),
        of(
            "an empty proof",
            &[dpop, ("dpop", "")],
            "bound",
            invalid_proof(),
        ),
    ]
}

fn passes() -> Value {
    json!({"code": 0})
}

fn missing() -> Value {
    json!({"code": 16, "reason": "REASON_CREDENTIALS_MISSING", "oauth_error": null,
        "www_authenticate": r#"DPoP algs="ES256 Ed25519""#})
}

fn malformed() -> Value {
    json!({"code": 3, "reason": "REASON_INVALID_REQUEST", "oauth_error": "invalid_request",
        "www_authenticate": null})
}

fn invalid_token() -> Value {
    json!({"code": 16, "reason": "REASON_TOKEN_INVALID", "oauth_error": "invalid_token",
        "www_authenticate": CHALLENGED})
}

fn expired() -> Value {
    json!({"code": 16, "reason": "REASON_TOKEN_EXPIRED", "oauth_error": "invalid_token",
        "www_authenticate": CHALLENGED})
}

fn invalid_proof() -> Value {
    json!({"code": 16, "reason": "REASON_DPOP_PROOF_INVALID", "oauth_error": "invalid_dpop_proof",
        "www_authenticate": UNPROVEN})
}
