//! What came back, by either protocol, and what it is compared with.

use countersign::introspection::v1::IntrospectTokenResponse;
use prost_reflect::prost::Message as _;
use serde_json::{Value, json};
use tonic::Status;

use crate::comes::{Comes, check};
use crate::http::web::Answer;

/// What was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) request_uri: String,
}

/// What came back.
pub(crate) enum Reply {
    Grpc(Result<Given, Status>),
    Http(Answer),
}

/// What is told of a token.
pub(crate) struct Told {
    pub(crate) bytes: Vec<u8>,
    /// As RFC 7662 has it.
    pub(crate) says: Value,
}

impl Told {
    pub(super) fn by_grpc(told: &IntrospectTokenResponse) -> Self {
        Self {
            bytes: told.encode_to_vec(),
            says: says(told),
        }
    }

    pub(super) fn by_http(answer: &Answer) -> Self {
        answer.check("introspected", Comes::Ok);
        Self {
            bytes: answer.body.to_vec(),
            says: answer.json(),
        }
    }
}

impl Reply {
    /// Compares it with what must come back.
    #[track_caller]
    pub(crate) fn check(&self, what: &str, expected: Comes) {
        match (self, expected) {
            (Self::Grpc(answer), _) => check(&format!("{what}, over gRPC"), answer, expected),
            // What is no endpoint is told so before anything is read.
            (Self::Http(answer), Comes::NotFound) => {
                answer.check_error(what, 404, "invalid_request");
            }
            (Self::Http(answer), Comes::NoRule) => {
                answer.check_error(what, 405, "invalid_request");
            }
            (Self::Http(answer), expected) => {
                let expected = match expected {
                    Comes::R(field) => Comes::R(parameter(field)),
                    other => other,
                };
                answer.check(&format!("{what}, over HTTP"), expected);
            }
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        match self {
            Self::Grpc(answer) => answer.is_err(),
            Self::Http(answer) => !answer.status.is_success(),
        }
    }

    /// The nonce of a challenge.
    #[track_caller]
    pub(crate) fn nonce(&self) -> String {
        let nonce = match self {
            Self::Grpc(Ok(_)) => None,
            Self::Grpc(Err(status)) => status
                .metadata()
                .get("dpop-nonce")
                .and_then(|nonce| nonce.to_str().ok()),
            Self::Http(answer) => answer.header("dpop-nonce"),
        };
        nonce.expect("a nonce").to_owned()
    }

    /// All that a peer is told of a refusal.
    #[track_caller]
    pub(crate) fn said(&self) -> Vec<u8> {
        match self {
            Self::Grpc(Ok(given)) => panic!("given {given:?}"),
            Self::Grpc(Err(status)) => [status.message().as_bytes(), status.details()].concat(),
            Self::Http(answer) => answer.body.to_vec(),
        }
    }

    /// What was given.
    #[track_caller]
    pub(crate) fn given(self) -> Given {
        match self {
            Self::Grpc(answer) => answer.unwrap_or_else(|status| panic!("{status}")),
            Self::Http(answer) => {
                assert!(answer.status.is_success(), "{answer:?}");
                let json = match answer.body.is_empty() {
                    true => json!({}),
                    false => answer.json(),
                };
                let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
                Given {
                    access_token: text("access_token"),
                    refresh_token: text("refresh_token"),
                    request_uri: text("request_uri"),
                }
            }
        }
    }
}

/// How the parameter is called that the messages have as a field.
fn parameter(field: &'static str) -> &'static str {
    match field.rsplit('.').next() {
        Some("scopes") => "scope",
        Some("resources") => "resource",
        Some(name) => name,
        None => field,
    }
}

/// The message as RFC 7662 has it. The family is told over gRPC alone.
fn says(told: &IntrospectTokenResponse) -> Value {
    if !told.active {
        return json!({"active": false});
    }
    let secs = |time: Option<prost_types::Timestamp>| time.map(|time| time.seconds);
    let mut says = json!({
        "active": true,
        "iss": told.iss,
        "sub": told.sub,
        "aud": told.aud,
        "client_id": told.client_id,
        "scope": told.scopes.join(" "),
        "token_type": told.token_type,
        "iat": secs(told.iat),
        "exp": secs(told.exp),
        "jti": told.jti,
        "auth_time": secs(told.auth_time),
        "acr": told.acr,
        "cnf": told.cnf.as_ref().map(|cnf| json!({"jkt": cnf.jkt})),
    });
    let members = says.as_object_mut().expect("an object");
    members.retain(|_, value| !value.is_null() && *value != "");
    says
}
