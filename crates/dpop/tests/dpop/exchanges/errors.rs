//! Refusals as they stand on the wire, and what is read from them.

use countersign_jose::base64url;
use serde_json::{Value, json};

/// Code, reason, OAuth error: one row for each reason.
#[rustfmt::skip]
const REASONS: &[(u64, &str, Option<&str>)] = &[
    (3, "REASON_INVALID_REQUEST", Some("invalid_request")),
    (3, "REASON_INVALID_SCOPE", Some("invalid_scope")),
    (3, "REASON_INVALID_TARGET", Some("invalid_target")),
    (3, "REASON_INVALID_AUTHORIZATION_DETAILS", Some("invalid_authorization_details")),
    (3, "REASON_UNSUPPORTED_GRANT_TYPE", Some("unsupported_grant_type")),
    (16, "REASON_CLIENT_AUTHENTICATION_FAILED", Some("invalid_client")),
    (9, "REASON_GRANT_INVALID", Some("invalid_grant")),
    (7, "REASON_CLIENT_NOT_ALLOWED", Some("unauthorized_client")),
    (16, "REASON_TOKEN_INVALID", Some("invalid_token")),
    (16, "REASON_TOKEN_EXPIRED", Some("invalid_token")),
    (16, "REASON_TOKEN_REVOKED", Some("invalid_token")),
    (16, "REASON_DPOP_PROOF_INVALID", Some("invalid_dpop_proof")),
    (16, "REASON_DPOP_PROOF_REPLAYED", Some("invalid_dpop_proof")),
    (16, "REASON_DPOP_NONCE_REQUIRED", Some("use_dpop_nonce")),
    (7, "REASON_SCOPE_INSUFFICIENT", Some("insufficient_scope")),
    (14, "REASON_STORE_UNAVAILABLE", Some("temporarily_unavailable")),
    (8, "REASON_RATE_LIMITED", None),
    (8, "REASON_OVERLOADED", None),
    (16, "REASON_CREDENTIALS_MISSING", None),
    (7, "REASON_METHOD_NOT_ALLOWED", None),
    (7, "REASON_NOT_OWNER", None),
    (14, "REASON_AUTHORITY_UNREACHABLE", Some("temporarily_unavailable")),
    (5, "REASON_RESOURCE_NOT_FOUND", None),
    (6, "REASON_RESOURCE_EXISTS", None),
    (10, "REASON_RESOURCE_CHANGED", None),
    (4, "REASON_DEADLINE_PASSED", None),
    (16, "REASON_STEP_UP_REQUIRED", Some("insufficient_user_authentication")),
    (4, "REASON_STREAM_TOO_OLD", None),
    (11, "REASON_CURSOR_TOO_OLD", None),
    (9, "REASON_AUTHORIZATION_PENDING", Some("authorization_pending")),
    (8, "REASON_SLOW_DOWN", Some("slow_down")),
    (9, "REASON_EXPIRED_TOKEN", Some("expired_token")),
    (13, "REASON_INTERNAL", None),
];

pub(super) fn rows() -> Vec<Value> {
    let mut rows: Vec<Value> = REASONS
        .iter()
        .map(|&(code, reason, oauth_error)| refusal(code, reason, oauth_error))
        .collect();
    let foreign = [info("QUOTA", "orders.example", &[])];
    rows.push(json!({"name": "somebody else's", "code": 8, "details": status(8, &foreign), "reason": null}));
    rows.push(
        json!({"name": "without details", "code": 16, "details": status(16, &[]), "reason": null}),
    );
    rows.push(json!({"name": "not a google.rpc.Status", "code": 16, "details": base64url::encode([0xff; 4]), "reason": null}));
    rows
}

fn refusal(code: u64, reason: &str, oauth_error: Option<&str>) -> Value {
    let mut metadata: Vec<(&str, &str)> = oauth_error
        .map(|error| ("oauth_error", error))
        .into_iter()
        .collect();
    let mut row =
        json!({"name": reason, "code": code, "reason": reason, "oauth_error": oauth_error});
    if reason == "REASON_SCOPE_INSUFFICIENT" {
        metadata.push(("scope", "orders.read orders.write"));
        row["scopes"] = json!(["orders.read", "orders.write"]);
    }
    if reason == "REASON_STEP_UP_REQUIRED" {
        metadata.push(("acr_values", "urn:example:mfa urn:example:key"));
        metadata.push(("max_age", "300"));
        row["acr_values"] = json!(["urn:example:mfa", "urn:example:key"]);
        row["max_age_secs"] = json!(300);
    }
    let mut details = vec![info(reason, "countersign", &metadata)];
    if code == 3 {
        details.push(bad_request("client.client_id", "is missing"));
        row["fields"] = json!([["client.client_id", "is missing"]]);
    }
    if code == 8 || code == 14 || reason == "REASON_AUTHORIZATION_PENDING" {
        details.push(retry_info(2, 500_000_000));
        row["retry_after_millis"] = json!(2500);
    }
    row["details"] = json!(status(code, &details));
    row
}

/// A message of `google.rpc`, by its name.
struct Detail(&'static str, Vec<u8>);

/// What stands in `grpc-status-details-bin`.
fn status(code: u64, details: &[Detail]) -> String {
    let mut message = vec![0x08, code as u8];
    field(2, b"for people", &mut message);
    for Detail(name, value) in details {
        let mut any = Vec::new();
        field(
            1,
            format!("type.googleapis.com/google.rpc.{name}").as_bytes(),
            &mut any,
        );
        field(2, value, &mut any);
        field(3, &any, &mut message);
    }
    base64url::encode(message)
}

fn info(reason: &str, domain: &str, metadata: &[(&str, &str)]) -> Detail {
    let mut message = Vec::new();
    field(1, reason.as_bytes(), &mut message);
    field(2, domain.as_bytes(), &mut message);
    for (name, value) in metadata {
        let mut entry = Vec::new();
        field(1, name.as_bytes(), &mut entry);
        field(2, value.as_bytes(), &mut entry);
        field(3, &entry, &mut message);
    }
    Detail("ErrorInfo", message)
}

fn bad_request(name: &str, problem: &str) -> Detail {
    let mut violation = Vec::new();
    field(1, name.as_bytes(), &mut violation);
    field(2, problem.as_bytes(), &mut violation);
    let mut message = Vec::new();
    field(1, &violation, &mut message);
    Detail("BadRequest", message)
}

fn retry_info(secs: u64, nanos: u64) -> Detail {
    let mut duration = vec![0x08];
    varint(secs, &mut duration);
    duration.push(0x10);
    varint(nanos, &mut duration);
    let mut message = Vec::new();
    field(1, &duration, &mut message);
    Detail("RetryInfo", message)
}

/// A length-delimited field of a protobuf message.
fn field(number: u8, value: &[u8], onto: &mut Vec<u8>) {
    onto.push(number << 3 | 2);
    varint(value.len() as u64, onto);
    onto.extend_from_slice(value);
}

fn varint(mut value: u64, onto: &mut Vec<u8>) {
    while value >= 0x80 {
        onto.push(value as u8 | 0x80);
        value >>= 7;
    }
    onto.push(value as u8);
}
