//! What a client makes of an answer.

use serde_json::{Value, json};

const NONCE_ASKED: &str = r#"DPoP error="use_dpop_nonce", algs="ES256 Ed25519""#;
const TOKEN_REFUSED: &str = r#"DPoP error="invalid_token", algs="ES256 Ed25519""#;

/// An answer under construction.
struct Answer(Value);

impl Answer {
    /// The first attempt of a call, sent with the nonce `n1`, and a guard's answer to it: trailers
    /// only.
    fn refused(name: &str, reason: &str, challenge: &str) -> Self {
        Self(json!({
            "name": name, "attempt": 1, "sent_is_kept": true, "held": "n1",
            "headers_first": false, "code": 16, "domain": "countersign", "reason": reason,
            "www_authenticate": [challenge], "dpop_nonce": [],
        }))
    }

    fn nonce_asked(name: &str) -> Self {
        Self::refused(name, "REASON_DPOP_NONCE_REQUIRED", NONCE_ASKED).with("dpop_nonce", ["n2"])
    }

    fn token_refused(name: &str, reason: &str) -> Self {
        Self::refused(name, reason, TOKEN_REFUSED)
    }

    fn good(name: &str) -> Self {
        Self::refused(name, "", "")
            .with("code", 0)
            .with("headers_first", true)
            .with("reason", Value::Null)
            .with("domain", Value::Null)
            .with("www_authenticate", json!([]))
    }

    fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0[member] = value.into();
        self
    }

    /// What follows: `finish`, `send_again`, or `send_again_with_another_token`; and which nonce is
    /// held afterwards.
    fn then(mut self, what: &str, held: &str) -> Value {
        self.0["then"] = json!(what);
        self.0["held_after"] = json!(held);
        self.0
    }
}

pub(super) fn rows() -> Vec<Value> {
    let mut rows = successes();
    rows.extend(challenges());
    rows.extend(no_challenges());
    rows.extend(tokens());
    rows
}

fn successes() -> Vec<Value> {
    let good = Answer::good;
    vec![
        good("a success").then("finish", "n1"),
        good("a success with a newer nonce")
            .with("dpop_nonce", ["n2"])
            .then("finish", "n2"),
        good("a success with two nonces")
            .with("dpop_nonce", ["n2", "n3"])
            .then("finish", "n1"),
    ]
}

fn challenges() -> Vec<Value> {
    let asked = Answer::nonce_asked;
    vec![
        asked("a nonce is asked for").then("send_again", "n2"),
        asked("a nonce is asked for, and none was held")
            .with("held", Value::Null)
            .then("send_again", "n2"),
        asked("asked for again")
            .with("attempt", 2)
            .then("finish", "n2"),
        asked("with the nonce that was sent")
            .with("dpop_nonce", ["n1"])
            .then("finish", "n1"),
        asked("without a nonce")
            .with("dpop_nonce", json!([]))
            .then("finish", "n1"),
        asked("with two nonces")
            .with("dpop_nonce", ["n2", "n3"])
            .then("finish", "n1"),
        asked("with a nonce that holds a space")
            .with("dpop_nonce", ["n 2"])
            .then("finish", "n1"),
        asked("with a nonce that holds a quotation mark")
            .with("dpop_nonce", ["n\"2"])
            .then("finish", "n1"),
        asked("with a nonce of 1024 characters")
            .with("dpop_nonce", ["n".repeat(1024)])
            .then("send_again", &"n".repeat(1024)),
        asked("with a nonce of 1025 characters")
            .with("dpop_nonce", ["n".repeat(1025)])
            .then("finish", "n1"),
        asked("when what was sent is not kept")
            .with("sent_is_kept", false)
            .then("finish", "n2"),
        asked("with a scheme in lower case")
            .with("www_authenticate", ["dpop error=\"use_dpop_nonce\""])
            .then("send_again", "n2"),
        asked("with parameters that nobody knows")
            .with(
                "www_authenticate",
                [r#"DPoP realm="a", x=y, error="use_dpop_nonce""#],
            )
            .then("send_again", "n2"),
    ]
}

/// Answers that look like a challenge and are none.
fn no_challenges() -> Vec<Value> {
    let asked = Answer::nonce_asked;
    vec![
        asked("after response headers")
            .with("headers_first", true)
            .then("finish", "n1"),
        asked("without www-authenticate")
            .with("www_authenticate", json!([]))
            .then("finish", "n2"),
        asked("of another scheme")
            .with("www_authenticate", ["Bearer error=\"invalid_token\""])
            .then("finish", "n2"),
        asked("of a scheme that begins alike")
            .with("www_authenticate", ["DPoPx error=\"use_dpop_nonce\""])
            .then("finish", "n2"),
        asked("with another code")
            .with("code", 7)
            .then("finish", "n2"),
        asked("of another domain")
            .with("domain", "orders.example")
            .then("finish", "n2"),
        asked("without details")
            .with("domain", Value::Null)
            .with("reason", Value::Null)
            .then("finish", "n2"),
        asked("unavailable")
            .with("code", 14)
            .with("reason", "REASON_STORE_UNAVAILABLE")
            .with("www_authenticate", json!([]))
            .with("dpop_nonce", json!([]))
            .then("finish", "n1"),
        Answer::refused(
            "a proof that is refused",
            "REASON_DPOP_PROOF_INVALID",
            r#"DPoP error="invalid_dpop_proof""#,
        )
        .then("finish", "n1"),
        Answer::refused(
            "a proof that was used before",
            "REASON_DPOP_PROOF_REPLAYED",
            r#"DPoP error="invalid_dpop_proof""#,
        )
        .then("finish", "n1"),
        Answer::refused(
            "scopes that are lacking",
            "REASON_SCOPE_INSUFFICIENT",
            r#"DPoP error="insufficient_scope", scope="orders.write""#,
        )
        .with("code", 7)
        .then("finish", "n1"),
    ]
}

fn tokens() -> Vec<Value> {
    let refused = Answer::token_refused;
    vec![
        refused("a token that has expired", "REASON_TOKEN_EXPIRED")
            .then("send_again_with_another_token", "n1"),
        refused("a token that was revoked", "REASON_TOKEN_REVOKED")
            .then("send_again_with_another_token", "n1"),
        refused("another token, and expired as well", "REASON_TOKEN_EXPIRED")
            .with("attempt", 2)
            .then("finish", "n1"),
        refused(
            "an expired token when what was sent is not kept",
            "REASON_TOKEN_EXPIRED",
        )
        .with("sent_is_kept", false)
        .then("finish", "n1"),
        refused("a stream that outlived its token", "REASON_TOKEN_EXPIRED")
            .with("headers_first", true)
            .with("www_authenticate", json!([]))
            .then("finish", "n1"),
        refused(
            "an expired token, without a challenge",
            "REASON_TOKEN_EXPIRED",
        )
        .with("www_authenticate", json!([]))
        .then("finish", "n1"),
        refused("a token that is not accepted", "REASON_TOKEN_INVALID").then("finish", "n1"),
        refused("no credentials", "REASON_CREDENTIALS_MISSING")
            .with("www_authenticate", ["DPoP algs=\"ES256\""])
            .then("finish", "n1"),
    ]
}
