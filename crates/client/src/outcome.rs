//! What a call came to: the only place that reads gRPC codes and the details
//! of a refusal back.

mod http;

use std::time::Duration;

use ::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use countersign::error::v1::Reason;
use serde_json::Value;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::error::{CallError, TokenError};

pub use self::http::{ChallengeError, HttpRefused, LeftAtThat};
#[cfg(feature = "reqwest")]
pub(crate) use self::http::{challenge as http_challenge, got_through as http_got_through};

/// Who Countersign's `ErrorInfo` comes from.
const DOMAIN: &str = "countersign";

const WWW_AUTHENTICATE: HeaderName = ::http::header::WWW_AUTHENTICATE;

/// A refusal by Countersign: a guard or the token service.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// The OAuth error code, where the RFCs have one for the case.
    pub oauth_error: Option<String>,
    /// For people.
    pub message: String,
    /// The scopes that were lacking.
    pub scopes_missing: Vec<String>,
    /// How the person must prove who they are: one of these, the preferred one
    /// first (RFC 9470 §3).
    pub acr_values: Vec<String>,
    /// How long ago they may have done so (RFC 9470 §3).
    pub max_age: Option<Duration>,
    /// How long to wait before another attempt, where waiting helps.
    pub retry_after: Option<Duration>,
    /// The fields of the request that were wrong, and how.
    pub fields: Vec<(String, String)>,
}

impl Refused {
    /// Reads a refusal out of a status; `None` where it is somebody else's
    /// error.
    pub fn of(status: &Status) -> Option<Self> {
        // Details that do not decode are not ours.
        let details = status.check_error_details().ok()?;
        let info = details.error_info().filter(|info| info.domain == DOMAIN)?;
        Some(Self {
            reason: Reason::from_str_name(&info.reason).unwrap_or(Reason::Unspecified),
            oauth_error: info.metadata.get("oauth_error").cloned(),
            message: status.message().to_owned(),
            scopes_missing: info
                .metadata
                .get("scope")
                .map(|scopes| scopes.split(' ').map(str::to_owned).collect())
                .unwrap_or_default(),
            acr_values: info
                .metadata
                .get("acr_values")
                .map(|values| values.split(' ').map(str::to_owned).collect())
                .unwrap_or_default(),
            max_age: info
                .metadata
                .get("max_age")
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            fields: details
                .bad_request()
                .map(|request| {
                    request
                        .field_violations
                        .iter()
                        .map(|field| (field.field.clone(), field.description.clone()))
                        .collect()
                })
                .unwrap_or_default(),
        })
    }
}

impl Refused {
    /// Reads a refusal out of the body of an HTTP response, the problem (RFC 9457) that a guard
    /// answers; `None` where it is somebody else's error.
    pub fn of_problem(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let media_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        if media_type.split(';').next()?.trim() != "application/problem+json" {
            return None;
        }
        let problem: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| problem.get(name).and_then(Value::as_str);
        let words = |name: &str| {
            let words = text(name).map(|words| words.split(' ').map(str::to_owned).collect());
            words.unwrap_or_default()
        };
        let secs = |secs: &str| secs.parse().ok().map(Duration::from_secs);
        // Of all problems, those with such a name are ours.
        let reason = text("reason").filter(|reason| reason.starts_with("REASON_"))?;
        Some(Self {
            reason: Reason::from_str_name(reason).unwrap_or(Reason::Unspecified),
            oauth_error: text("error").map(str::to_owned),
            message: text("detail").unwrap_or_default().to_owned(),
            scopes_missing: words("scope"),
            acr_values: words("acr_values"),
            max_age: text("max_age").and_then(secs),
            retry_after: headers
                .get(RETRY_AFTER)
                .and_then(|after| secs(after.to_str().ok()?)),
            fields: Vec::new(),
        })
    }
}

/// What the token service's answer came to, other than an answer.
pub(crate) fn token_error(status: Status) -> TokenError {
    match Refused::of(&status) {
        Some(refused) => match refused.reason {
            // It is there, and cannot do its work now.
            Reason::StoreUnavailable | Reason::Overloaded | Reason::RateLimited => {
                TokenError::Unavailable(status)
            }
            _ => TokenError::Refused(Box::new(refused), status),
        },
        None => match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::ResourceExhausted
            | Code::Unknown
            | Code::Internal => TokenError::Unavailable(status),
            _ => TokenError::Unexpected(status),
        },
    }
}

/// What a guard wants other than it got, read off a trailers-only refusal of
/// its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A proof with the nonce that comes with the challenge.
    Nonce,
    /// A token that has not expired and was not revoked.
    AnotherToken,
}

/// Only a guard's own refusal makes a caller send a call again: trailers only,
/// UNAUTHENTICATED, with a `www-authenticate: DPoP`, which guards strip from
/// what handlers answer.
pub(crate) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let status = headers.get(Status::GRPC_STATUS)?;
    if Code::from_bytes(status.as_bytes()) != Code::Unauthenticated || !asks_for_dpop(headers) {
        return None;
    }
    match reason(headers)? {
        Reason::DpopNonceRequired => Some(Challenge::Nonce),
        Reason::TokenExpired | Reason::TokenRevoked => Some(Challenge::AnotherToken),
        _ => None,
    }
}

/// Whether a call got past the guard: whoever answered has not refused what it was sent with, and
/// is not something in between that could not pass it on.
pub(crate) fn got_through<R>(response: &Response<R>) -> bool {
    let headers = response.headers();
    let refused = || {
        // A guard's refusals are trailers alone.
        let status = headers.get(Status::GRPC_STATUS)?;
        let unheard = matches!(
            Code::from_bytes(status.as_bytes()),
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Cancelled
        );
        Some(unheard || asks_for_dpop(headers))
    };
    response.status() == StatusCode::OK && refused() != Some(true)
}

fn asks_for_dpop(headers: &HeaderMap) -> bool {
    headers
        .get(WWW_AUTHENTICATE)
        .and_then(|value| value.as_bytes().split_first_chunk::<4>())
        .is_some_and(|(scheme, rest)| {
            scheme.eq_ignore_ascii_case(b"dpop") && rest.first().is_none_or(|b| *b == b' ')
        })
}

fn reason(headers: &HeaderMap) -> Option<Reason> {
    let metadata = MetadataMap::from_headers(headers.clone());
    let details = metadata
        .get_bin(Status::GRPC_STATUS_DETAILS.as_str())?
        .to_bytes()
        .ok()?;
    let status = Status::with_details(Code::Unauthenticated, "", details);
    Refused::of(&status).map(|refused| refused.reason)
}

/// A guard's refusal that would be worth another attempt, if what was sent were
/// still there to be sent again: says so.
pub(crate) fn not_sent_again<R>(response: Response<R>) -> Response<R> {
    const WHY: &str = "; not sent again: more than 64 KiB of the request had been sent";
    also_says(response, WHY)
}

/// A guard's refusal of a token that was new, as the one before it was: says what to look at.
pub(crate) fn new_tokens_refused<R>(response: Response<R>) -> Response<R> {
    const WHY: &str = "; the token before was refused, too, and another is asked for in a moment: compare the clocks of the token service and this server, and see whether the client, its subject or its key was revoked";
    also_says(response, WHY)
}

fn also_says<R>(mut response: Response<R>, why: &str) -> Response<R> {
    let said = response
        .headers()
        .get(Status::GRPC_MESSAGE)
        .map_or(b"".as_slice(), |message| message.as_bytes());
    if let Ok(message) = HeaderValue::from_bytes(&[said, why.as_bytes()].concat()) {
        response.headers_mut().insert(Status::GRPC_MESSAGE, message);
    }
    response
}

/// What the caller of a generated stub sees when the call could not be made.
/// A refusal of the token service keeps its code and details, so that it can
/// be told apart.
pub(crate) fn status_of(error: &CallError) -> Option<Status> {
    let message = error.to_string();
    Some(match error {
        CallError::Token(TokenError::Refused(_, status) | TokenError::Unexpected(status)) => {
            Status::with_details(status.code(), message, status.details().to_vec().into())
        }
        CallError::Token(TokenError::Unavailable(status)) => {
            Status::with_details(Code::Unavailable, message, status.details().to_vec().into())
        }
        CallError::DeadlinePassed => Status::with_error_details(
            Code::DeadlineExceeded,
            message,
            ErrorDetails::with_error_info(
                Reason::DeadlinePassed.as_str_name(),
                DOMAIN,
                std::collections::HashMap::new(),
            ),
        ),
        CallError::Token(_) | CallError::Signing(_) | CallError::Randomness(_) => {
            Status::with_details(Code::Internal, message, bytes::Bytes::new())
        }
        CallError::Path(_) | CallError::Target(_) | CallError::Elsewhere(_) => {
            Status::with_details(Code::InvalidArgument, message, bytes::Bytes::new())
        }
        CallError::Transport(_) => return None,
    })
}
