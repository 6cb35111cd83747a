//! What answers are compared with: the words of the attack list, and what they are on the wire.

use std::time::Duration;

use tonic::Status;
use tonic_types::{ErrorDetail, StatusExt as _};

/// What an attack must come back with, in the words of the attack list.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Comes {
    Ok,
    /// `invalid_dpop_proof`
    P,
    /// The same, because the proof was used before.
    Replayed,
    /// `use_dpop_nonce` and a fresh nonce
    N,
    /// `invalid_client`
    C,
    /// `invalid_request`, naming this field
    R(&'static str),
    /// `invalid_grant`
    G,
    /// `invalid_scope`
    Scope,
    /// `invalid_target`
    Target,
    /// `invalid_authorization_details`
    Details,
    /// `unauthorized_client`
    NotAllowed,
    /// `unsupported_grant_type`
    GrantType,
    /// `invalid_token`
    T,
    /// `insufficient_scope`
    ScopeInsufficient,
    /// no credentials
    Credentials,
    /// a path that has no rule
    NoRule,
    /// `authorization_pending`, and after how many seconds to ask again
    Pending(u64),
    /// `slow_down`, and after how many seconds to ask again
    SlowDown(u64),
    /// `expired_token`
    Expired,
    /// `access_denied`
    Denied,
    /// had its share
    Limited,
    NotFound,
    Exists,
    Changed,
}

impl Comes {
    /// Code, reason and OAuth error, as `errors.md` has them.
    fn on_the_wire(self) -> Option<(tonic::Code, &'static str, Option<&'static str>)> {
        use tonic::Code;
        Some(match self {
            Self::Ok => return None,
            Self::P => (
                Code::Unauthenticated,
                "REASON_DPOP_PROOF_INVALID",
                Some("invalid_dpop_proof"),
            ),
            Self::Replayed => (
                Code::Unauthenticated,
                "REASON_DPOP_PROOF_REPLAYED",
                Some("invalid_dpop_proof"),
            ),
            Self::N => (
                Code::Unauthenticated,
                "REASON_DPOP_NONCE_REQUIRED",
                Some("use_dpop_nonce"),
            ),
            Self::C => (
                Code::Unauthenticated,
                "REASON_CLIENT_AUTHENTICATION_FAILED",
                Some("invalid_client"),
            ),
            Self::R(_) => (
                Code::InvalidArgument,
                "REASON_INVALID_REQUEST",
                Some("invalid_request"),
            ),
            Self::G => (
                Code::FailedPrecondition,
                "REASON_GRANT_INVALID",
                Some("invalid_grant"),
            ),
            Self::Scope => (
                Code::InvalidArgument,
                "REASON_INVALID_SCOPE",
                Some("invalid_scope"),
            ),
            Self::Target => (
                Code::InvalidArgument,
                "REASON_INVALID_TARGET",
                Some("invalid_target"),
            ),
            Self::Details => (
                Code::InvalidArgument,
                "REASON_INVALID_AUTHORIZATION_DETAILS",
                Some("invalid_authorization_details"),
            ),
            Self::NotAllowed => (
                Code::PermissionDenied,
                "REASON_CLIENT_NOT_ALLOWED",
                Some("unauthorized_client"),
            ),
            Self::GrantType => (
                Code::InvalidArgument,
                "REASON_UNSUPPORTED_GRANT_TYPE",
                Some("unsupported_grant_type"),
            ),
            Self::T => (
                Code::Unauthenticated,
                "REASON_TOKEN_INVALID",
                Some("invalid_token"),
            ),
            Self::ScopeInsufficient => (
                Code::PermissionDenied,
                "REASON_SCOPE_INSUFFICIENT",
                Some("insufficient_scope"),
            ),
            Self::Credentials => (Code::Unauthenticated, "REASON_CREDENTIALS_MISSING", None),
            Self::NoRule => (Code::PermissionDenied, "REASON_METHOD_NOT_ALLOWED", None),
            Self::Pending(_) => (
                Code::FailedPrecondition,
                "REASON_AUTHORIZATION_PENDING",
                Some("authorization_pending"),
            ),
            Self::SlowDown(_) => (
                Code::ResourceExhausted,
                "REASON_SLOW_DOWN",
                Some("slow_down"),
            ),
            Self::Expired => (
                Code::FailedPrecondition,
                "REASON_EXPIRED_TOKEN",
                Some("expired_token"),
            ),
            Self::Denied => (
                Code::PermissionDenied,
                "REASON_CLIENT_NOT_ALLOWED",
                Some("access_denied"),
            ),
            Self::Limited => (Code::ResourceExhausted, "REASON_RATE_LIMITED", None),
            Self::NotFound => (Code::NotFound, "REASON_RESOURCE_NOT_FOUND", None),
            Self::Exists => (Code::AlreadyExists, "REASON_RESOURCE_EXISTS", None),
            Self::Changed => (Code::Aborted, "REASON_RESOURCE_CHANGED", None),
        })
    }
}

/// Compares an answer with what must come back: code, reason, OAuth error, field.
#[track_caller]
pub(crate) fn check<T: std::fmt::Debug>(what: &str, answer: &Result<T, Status>, expected: Comes) {
    let Some((code, reason, oauth_error)) = expected.on_the_wire() else {
        assert!(answer.is_ok(), "{what}: {answer:?}");
        return;
    };
    let status = match answer {
        Ok(answer) => panic!("{what}: answered {answer:?}, expected {expected:?}"),
        Err(status) => status,
    };
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("{what}: no ErrorInfo in {status:?}"));
    let infos = status.get_error_details_vec();
    let infos = infos
        .iter()
        .filter(|detail| matches!(detail, ErrorDetail::ErrorInfo(_)));
    assert_eq!(infos.count(), 1, "{what}: exactly one ErrorInfo");
    assert_eq!(
        (status.code(), info.reason.as_str(), info.domain.as_str()),
        (code, reason, "countersign"),
        "{what}: {status:?}"
    );
    assert_eq!(
        info.metadata.get("oauth_error").map(String::as_str),
        oauth_error,
        "{what}"
    );
    if let Comes::R(field) = expected {
        let violations = details
            .bad_request()
            .map(|bad| bad.field_violations.clone())
            .unwrap_or_default();
        assert_eq!(
            violations
                .iter()
                .map(|violation| violation.field.as_str())
                .collect::<Vec<_>>(),
            [field],
            "{what}"
        );
        assert!(!violations[0].description.is_empty(), "{what}");
    }
    if let Comes::Pending(secs) | Comes::SlowDown(secs) = expected {
        let told = details.retry_info().and_then(|info| info.retry_delay);
        assert_eq!(told, Some(Duration::from_secs(secs)), "{what}");
    }
    if expected == Comes::Limited {
        let told = details.retry_info().and_then(|info| info.retry_delay);
        assert!(told.is_some_and(|delay| !delay.is_zero()), "{what}");
    }
    let challenged = status.metadata().get_all("dpop-nonce").iter().count();
    assert_eq!(challenged, usize::from(expected == Comes::N), "{what}");
}

/// The nonce of a challenge.
#[track_caller]
pub(crate) fn nonce_of(status: &Status) -> String {
    let challenge = status
        .metadata()
        .get("www-authenticate")
        .expect("a challenge");
    assert_eq!(
        challenge.to_str().expect("ASCII"),
        "DPoP error=\"use_dpop_nonce\", algs=\"ES256 Ed25519\""
    );
    let nonce = status.metadata().get("dpop-nonce").expect("a nonce");
    nonce.to_str().expect("ASCII").to_owned()
}
