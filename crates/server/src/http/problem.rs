//! What is refused, as RFC 6749 §5.2 has it. This file alone says which HTTP status a refusal has;
//! which OAuth error it is, `status.rs` says for both protocols.

use std::time::Duration;

use ::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use ::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use countersign::error::v1::Reason;
use countersign_issuer::Refusal;
use serde::Serialize;
use tracing::error;

use super::answer;
use super::token::GRANT_TYPES;
use crate::refused::{Challenge, Refused};
use crate::status;

/// Asks for the one method that HTTP itself knows (RFC 6749 §5.2, RFC 7617).
const BASIC: &str = "Basic realm=\"token service\", charset=\"UTF-8\"";

/// Why a request to this edge gets no answer.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It is refused, as it would be over gRPC.
    Refused(Refused),
    /// It is no request that an endpoint takes.
    Misfit(Misfit),
    /// The endpoint is not at this address: it is at this URL.
    Elsewhere(String),
}

/// What HTTP lets somebody send and no endpoint takes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Misfit {
    /// There is no such endpoint.
    NotFound,
    /// The endpoint has another method.
    Method,
    /// The body is no form, or is encoded once more.
    MediaType,
    /// The body is larger than any honest one.
    TooLarge,
    /// The rest of the body did not come in time.
    Late,
    /// The body ended before its end.
    Cut,
    /// Whom the request is for is not said, or twice (RFC 9112 §3.2).
    Host,
    /// Over HTTP/2, `host` names another than `:authority` (RFC 9113 §8.3.1).
    OtherHost,
    /// It says twice where its body ends (RFC 9112 §6.3).
    EndsTwice,
    /// Its body has a transfer coding that is not known here (RFC 9112 §6.1).
    Coding,
}

/// What a page says of a problem.
pub(super) struct ToldPerson {
    pub(super) status: StatusCode,
    pub(super) description: String,
    pub(super) retry_after_secs: Option<u64>,
    /// Whether what follows on the connection may be a part of this request.
    pub(super) ends_connection: bool,
}

impl ToldPerson {
    /// Whether the same may succeed a little later.
    pub(super) fn passes(&self) -> bool {
        matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        )
    }
}

/// RFC 6749 §5.2.
#[derive(Serialize)]
struct Said<'a> {
    error: &'a str,
    error_description: &'a str,
}

impl Misfit {
    /// The stable name, for spans and logs.
    const fn label(self) -> &'static str {
        match self {
            Self::NotFound => "http_not_found",
            Self::Method => "http_method",
            Self::MediaType => "http_media_type",
            Self::TooLarge => "http_too_large",
            Self::Late => "http_late",
            Self::Cut => "http_cut",
            Self::Host => "http_host",
            Self::OtherHost => "http_other_host",
            Self::EndsTwice => "http_ends_twice",
            Self::Coding => "http_coding",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::Cut | Self::Host | Self::OtherHost | Self::EndsTwice => StatusCode::BAD_REQUEST,
            Self::Coding => StatusCode::NOT_IMPLEMENTED,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::NotFound => "there is no such endpoint",
            Self::Method => "the endpoint takes the methods that Allow lists",
            Self::MediaType => {
                "the body must be application/x-www-form-urlencoded in UTF-8, without content encoding"
            }
            Self::TooLarge => "the body must be at most 64 KiB",
            Self::Late => "the rest of the request did not come in time",
            Self::Cut => "the body is not whole",
            Self::Host => {
                "the request must have one Host: a name or an address, and perhaps a port"
            }
            Self::OtherHost => "host must be what :authority is, or not be there",
            Self::EndsTwice => {
                "the request must have Content-Length or Transfer-Encoding, and not both"
            }
            Self::Coding => "the only transfer coding is chunked",
        }
    }

    /// Whether what follows on the connection may be a part of this request.
    const fn ends_connection(self) -> bool {
        match self {
            Self::Late
            | Self::Cut
            | Self::Host
            | Self::TooLarge
            | Self::EndsTwice
            | Self::Coding => true,
            // Over HTTP/2 requests are in frames of their own.
            Self::NotFound | Self::Method | Self::MediaType | Self::OtherHost => false,
        }
    }
}

impl Problem {
    /// The answer, and a word of it in the trace.
    pub(super) fn answer(self) -> Response<Body> {
        self.noted();
        let response = match &self {
            Self::Refused(refused) => of(refused),
            Self::Misfit(misfit) => {
                let said = said("invalid_request", misfit.description());
                let mut response = made(misfit.status(), said);
                if misfit.ends_connection() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                response
            }
            Self::Elsewhere(url) => {
                let said = said("invalid_request", &elsewhere(url));
                made(Misfit::NotFound.status(), said)
            }
        };
        response.map(Body::from)
    }

    /// A word of it in the trace.
    pub(super) fn noted(&self) {
        match self {
            Self::Refused(refused) => noted(refused),
            Self::Misfit(misfit) => {
                let reason = Reason::InvalidRequest.as_str_name();
                countersign_telemetry::refused(reason, misfit.label());
            }
            Self::Elsewhere(_) => {
                let reason = Reason::InvalidRequest.as_str_name();
                countersign_telemetry::refused(reason, "http_elsewhere");
            }
        }
    }

    /// What a person is told.
    pub(super) fn told(&self) -> ToldPerson {
        match self {
            Self::Refused(refused) => ToldPerson {
                status: status_of(status::told(refused).reason).0,
                description: description(refused),
                retry_after_secs: status::retry_after(refused).map(whole_secs),
                ends_connection: false,
            },
            Self::Misfit(misfit) => ToldPerson {
                status: misfit.status(),
                description: misfit.description().to_owned(),
                retry_after_secs: None,
                ends_connection: misfit.ends_connection(),
            },
            Self::Elsewhere(url) => ToldPerson {
                status: Misfit::NotFound.status(),
                description: elsewhere(url),
                retry_after_secs: None,
                ends_connection: false,
            },
        }
    }
}

fn elsewhere(url: &str) -> String {
    format!("it is not served where clients are asked for certificates, but at {url}")
}

/// A word of a refusal in the trace.
pub(super) fn noted(refused: &Refused) {
    let reason = status::told(refused).reason;
    countersign_telemetry::refused(reason.as_str_name(), refused.label());
    if reason == Reason::Internal {
        error!(cause = refused.label(), "a fault of the service itself");
    }
}

/// Error and description, as a browser takes them to a client (RFC 6749 §4.1.2.1).
pub(super) fn said_of(refused: &Refused) -> (&'static str, String) {
    let told = status::told(refused);
    let (_, otherwise) = status_of(told.reason);
    (
        told.oauth.unwrap_or(otherwise),
        plain(&description(refused)),
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        self.answer()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<countersign_issuer::Refusal> for Problem {
    fn from(refusal: countersign_issuer::Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<Misfit> for Problem {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}

/// The refusal as an answer.
pub(super) fn of(refused: &Refused) -> Response<Bytes> {
    let told = status::told(refused);
    let (http, otherwise) = status_of(told.reason);
    let description = description(refused);
    let error = told.oauth.unwrap_or(otherwise);
    let mut response = made(http, said(error, &description));
    let headers = response.headers_mut();
    if http == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(BASIC));
    }
    if let Some(wait) = status::retry_after(refused) {
        headers.insert(RETRY_AFTER, whole_secs(wait).into());
    }
    challenge(refused, headers);
    response
}

/// What is wrong, for people.
fn description(refused: &Refused) -> String {
    if matches!(refused, Refused::Issuer(Refusal::UnsupportedGrantType)) {
        // Here it is a text, and may be any.
        return format!("grant_type: must be one of {}", GRANT_TYPES.join(", "));
    }
    match status::fault(refused) {
        Some((field, problem)) => format!("{}: {problem}", parameter(&field)),
        None => status::message(refused),
    }
}

/// The status of a reason, and its error code where the RFCs have none.
///
/// RFC 9449 §5 and §8: at the token service a proof that is wrong or has no nonce is a 400.
const fn status_of(reason: Reason) -> (StatusCode, &'static str) {
    match reason {
        Reason::InvalidRequest
        | Reason::InvalidScope
        | Reason::InvalidTarget
        | Reason::InvalidAuthorizationDetails
        | Reason::UnsupportedGrantType
        | Reason::GrantInvalid
        | Reason::ClientNotAllowed
        | Reason::DpopProofInvalid
        | Reason::DpopProofReplayed
        | Reason::DpopNonceRequired
        | Reason::CursorTooOld
        // RFC 8628 §3.5.
        | Reason::AuthorizationPending
        | Reason::SlowDown
        | Reason::ExpiredToken => (StatusCode::BAD_REQUEST, "invalid_request"),
        Reason::ClientAuthenticationFailed => (StatusCode::UNAUTHORIZED, "invalid_client"),
        Reason::TokenInvalid
        | Reason::TokenExpired
        | Reason::TokenRevoked
        | Reason::CredentialsMissing
        | Reason::StepUpRequired => (StatusCode::UNAUTHORIZED, "invalid_token"),
        Reason::ScopeInsufficient | Reason::MethodNotAllowed | Reason::NotOwner => {
            (StatusCode::FORBIDDEN, "access_denied")
        }
        Reason::ResourceNotFound => (StatusCode::NOT_FOUND, "invalid_request"),
        Reason::ResourceExists | Reason::ResourceChanged => {
            (StatusCode::CONFLICT, "invalid_request")
        }
        Reason::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        Reason::Overloaded
        | Reason::StoreUnavailable
        | Reason::AuthorityUnreachable
        | Reason::DeadlinePassed
        | Reason::StreamTooOld => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        Reason::Internal | Reason::Unspecified => {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error")
        }
    }
}

/// The parameter that a field of the messages is called over HTTP.
fn parameter(field: &str) -> &str {
    let name = field.rsplit('.').next().unwrap_or(field);
    match name.split('[').next().unwrap_or(name) {
        "scopes" => "scope",
        "resources" => "resource",
        "grant" => "grant_type",
        "target" => "token",
        "prompts" => "prompt",
        "client" => "client_id",
        name => name,
    }
}

/// RFC 9449 §8: exactly one nonce.
fn challenge(refused: &Refused, headers: &mut HeaderMap) {
    if let Refused::Proof {
        challenge: Some(Challenge { nonce, .. }),
        ..
    } = refused
    {
        answer::put_nonce(headers, nonce);
    }
}

fn said(error: &str, description: &str) -> Bytes {
    let error_description = &plain(description);
    let said = Said {
        error,
        error_description,
    };
    // Two strings.
    serde_json::to_vec(&said).unwrap_or_default().into()
}

/// RFC 6749 §5.2: neither quotation marks nor backslashes.
fn plain(description: &str) -> String {
    let mut plain = String::with_capacity(description.len());
    for c in description.chars() {
        match c {
            '"' => plain.push_str("%22"),
            '\\' => plain.push_str("%5C"),
            ' '..='~' => plain.push(c),
            _ => plain.push('?'),
        }
    }
    plain
}

fn made(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer::JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(answer::NO_STORE));
    response
}

/// RFC 9110 §10.2.3 has no parts of seconds. None too early, and one at least: whoever comes back at
/// once is too early.
fn whole_secs(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(part).max(1)
}

#[cfg(test)]
mod tests {
    use countersign_issuer::model::Malformed;

    use super::*;

    #[test]
    fn fields_have_the_names_of_parameters() {
        for (field, expected) in [
            ("scopes", "scope"),
            ("resources[3]", "resource"),
            ("client.client_id", "client_id"),
            ("client", "client_id"),
            ("authorization_code.code_verifier", "code_verifier"),
            ("grant", "grant_type"),
            ("target", "token"),
            ("state", "state"),
        ] {
            assert_eq!(parameter(field), expected);
        }
    }

    #[test]
    fn a_description_is_plain() {
        let response = of(&Refused::field("scopes[0]", Malformed::Scope));
        assert_eq!(response.status(), 400);
        let said: serde_json::Value = serde_json::from_slice(response.body()).expect("an object");
        assert_eq!(said["error"], "invalid_request");
        let text = said["error_description"].as_str().expect("a text");
        assert!(text.starts_with("scope: must be 1 to 128"), "{text}");
        assert!(!text.contains(['"', '\\']), "{text}");
        assert_eq!(plain("a \"b\" \\c\n~é"), "a %22b%22 %5Cc?~?");
    }

    #[test]
    fn seconds_to_wait_are_whole_and_never_none() {
        let second = Duration::from_secs(1);
        let nano = Duration::from_nanos(1);
        for (wait, secs) in [
            (Duration::ZERO, 1),
            (nano, 1),
            (second, 1),
            (second + nano, 2),
            (second * 5 - nano, 5),
            (second * 5, 5),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(whole_secs(wait), secs, "{wait:?}");
        }
    }
}
