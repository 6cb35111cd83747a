//! What an HTTP request came to: the only place of this crate that reads HTTP's codes and
//! challenges back.

mod challenge;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use self::challenge::Parameters;
#[cfg(feature = "reqwest")]
use super::Challenge;

/// A resource server's refusal, as the status and the challenge of its answer tell it (RFC 6750
/// §3, RFC 9449 §7.1, RFC 9470 §3, RFC 9728 §5.1). The body, which may say more, is left to be
/// read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRefused {
    /// The answer's status.
    pub status: StatusCode,
    /// Why; `None` where the challenge names no error, or there is none.
    pub error: Option<ChallengeError>,
    /// For people.
    pub description: Option<String>,
    /// The scopes that are wanted (RFC 6750 §3).
    pub scopes: Vec<String>,
    /// How the person must prove who they are: one of these, the preferred one first (RFC 9470 §3).
    pub acr_values: Vec<String>,
    /// How long ago they may have done so (RFC 9470 §3).
    pub max_age: Option<Duration>,
    /// Where the resource describes itself (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
    /// Why the client has left it at this answer, where another attempt might have done better.
    pub left_at_that: Option<LeftAtThat>,
}

/// The `error` of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChallengeError {
    /// `invalid_request`, RFC 6750 §3.1.
    InvalidRequest,
    /// `invalid_token`, RFC 6750 §3.1: it expired, was revoked, or is not good for this server.
    InvalidToken,
    /// `invalid_dpop_proof`, RFC 9449 §7.1.
    InvalidProof,
    /// `use_dpop_nonce`, RFC 9449 §9.
    NonceWanted,
    /// `insufficient_user_authentication`, RFC 9470 §3.
    StepUp,
    /// `insufficient_scope`, RFC 6750 §3.1.
    ScopeInsufficient,
    /// Another.
    Other(String),
}

/// Why a request was not sent again although a guard asked for it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LeftAtThat {
    /// Its body is a stream, and was sent once.
    BodySent,
    /// New tokens are refused one after the other: compare the clocks of the token service and
    /// the server, and see whether the client, its subject or its key was revoked.
    TokensRefused,
}

impl HttpRefused {
    /// Reads a refusal out of the head of an answer: of a 401 or 403, or of a 400 with a challenge
    /// for DPoP. `None` for all others.
    pub fn of(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let parameters = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Parameters::of(headers).unwrap_or_default()
            }
            StatusCode::BAD_REQUEST => Parameters::of(headers)?,
            _ => return None,
        };
        let text = |name| parameters.value(name).map(str::to_owned);
        let words = |name| {
            let words = parameters.value(name).unwrap_or_default();
            words.split_ascii_whitespace().map(str::to_owned).collect()
        };
        Some(Self {
            status,
            error: parameters.value("error").map(ChallengeError::of),
            description: text("error_description"),
            scopes: words("scope"),
            acr_values: words("acr_values"),
            max_age: parameters
                .value("max_age")
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            resource_metadata: text("resource_metadata"),
            left_at_that: None,
        })
    }

    /// The same, of an answer of reqwest.
    #[cfg(feature = "reqwest")]
    pub fn of_response(response: &reqwest::Response) -> Option<Self> {
        let refused = Self::of(response.status(), response.headers())?;
        Some(Self {
            left_at_that: response.extensions().get().copied(),
            ..refused
        })
    }
}

impl ChallengeError {
    fn of(code: &str) -> Self {
        match code {
            "invalid_request" => Self::InvalidRequest,
            "invalid_token" => Self::InvalidToken,
            "invalid_dpop_proof" => Self::InvalidProof,
            "use_dpop_nonce" => Self::NonceWanted,
            "insufficient_user_authentication" => Self::StepUp,
            "insufficient_scope" => Self::ScopeInsufficient,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Only a guard's own refusal makes a caller send a request again: a 401 with a challenge for DPoP,
/// which guards strip from what handlers answer.
#[cfg(feature = "reqwest")]
pub(crate) fn challenge(status: StatusCode, headers: &HeaderMap) -> Option<Challenge> {
    if status != StatusCode::UNAUTHORIZED {
        return None;
    }
    match ChallengeError::of(Parameters::of(headers)?.value("error")?) {
        ChallengeError::NonceWanted => Some(Challenge::Nonce),
        ChallengeError::InvalidToken => Some(Challenge::AnotherToken),
        _ => None,
    }
}

/// Whether a request got past the guard. Only success says so for certain: other codes may be those
/// of something in between.
#[cfg(feature = "reqwest")]
pub(crate) fn got_through(status: StatusCode) -> bool {
    status.is_success()
}
