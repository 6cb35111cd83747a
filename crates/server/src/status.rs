//! Refusals on the wire: the only place in this crate that names a gRPC code.

use std::collections::HashMap;
use std::time::Duration;

use countersign::error::v1::Reason;
use countersign_dpop::Refusal as ProofRefusal;
use countersign_guard::LedgerRefusal;
use countersign_issuer::Refusal;
use countersign_store::StoreError;
use countersign_store::embedded::BackupError;
use http::HeaderMap;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing::error;

use crate::refused::{Challenge, Refused};
use crate::watchers;

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "countersign";

/// Long enough that a store which restarts is back, short enough that nobody is kept waiting.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// A bucket of spent proofs empties every few seconds.
const LEDGER_RETRY: Duration = Duration::from_secs(5);

/// A backup of a usual store takes some seconds.
const BACKUP_RETRY: Duration = Duration::from_secs(10);

/// What one refusal is on the wire.
struct Answer {
    code: Code,
    told: Told,
}

/// What a refused peer is told, whichever protocol it speaks.
#[derive(Copy, Clone)]
pub(crate) struct Told {
    pub(crate) reason: Reason,
    /// The RFC's error code, where there is one.
    pub(crate) oauth: Option<&'static str>,
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        let answer = answer(&refused);
        countersign_telemetry::refused(answer.told.reason.as_str_name(), refused.label());
        if answer.code == Code::Internal {
            error!(cause = refused.label(), "a fault of the service itself");
        }
        of(&refused)
    }
}

/// The refusal on the wire. Nobody is told that there was one.
pub(crate) fn of(refused: &Refused) -> Status {
    let answer = answer(refused);
    let mut details = ErrorDetails::with_error_info(
        answer.told.reason.as_str_name(),
        DOMAIN,
        answer
            .told
            .oauth
            .map(|error| HashMap::from([("oauth_error".to_owned(), error.to_owned())]))
            .unwrap_or_default(),
    );
    if let Some((field, problem)) = fault(refused) {
        details.add_bad_request_violation(field, problem);
    }
    if let Some(delay) = retry_after(refused) {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details_and_metadata(
        answer.code,
        message(refused),
        details,
        metadata(refused),
    )
}

/// Why, in the peer's words. The HTTP edge finds its status by this.
pub(crate) fn told(refused: &Refused) -> Told {
    answer(refused).told
}

fn answer(refused: &Refused) -> Answer {
    match refused {
        Refused::DeadlinePassed => plain(Code::DeadlineExceeded, Reason::DeadlinePassed),
        Refused::Field { .. } => oauth(
            Code::InvalidArgument,
            Reason::InvalidRequest,
            "invalid_request",
        ),
        Refused::Proof {
            challenge: Some(_), ..
        } => oauth(
            Code::Unauthenticated,
            Reason::DpopNonceRequired,
            "use_dpop_nonce",
        ),
        Refused::Proof {
            challenge: None, ..
        }
        | Refused::Ledger(LedgerRefusal::Forgotten) => oauth(
            Code::Unauthenticated,
            Reason::DpopProofInvalid,
            "invalid_dpop_proof",
        ),
        Refused::Ledger(LedgerRefusal::Replayed) => oauth(
            Code::Unauthenticated,
            Reason::DpopProofReplayed,
            "invalid_dpop_proof",
        ),
        Refused::Ledger(LedgerRefusal::KeyFull)
        | Refused::RateLimited { .. }
        | Refused::WatchesTaken { .. }
        | Refused::Guessing { .. }
        | Refused::Crowd { .. } => plain(Code::ResourceExhausted, Reason::RateLimited),
        Refused::Ledger(LedgerRefusal::Full) | Refused::Overloaded { .. } => {
            plain(Code::ResourceExhausted, Reason::Overloaded)
        }
        Refused::CursorTooOld => plain(Code::OutOfRange, Reason::CursorTooOld),
        Refused::Issuer(refusal) => decided(refusal),
        Refused::Backup(BackupError::Busy | BackupError::TooSlow) => {
            plain(Code::ResourceExhausted, Reason::Overloaded)
        }
        Refused::Backup(BackupError::Store(error)) => stored(error),
        Refused::Store(error) => stored(error),
        Refused::NoNewKey(_) | Refused::Fault(_) => plain(Code::Internal, Reason::Internal),
        Refused::Contended => unavailable(),
    }
}

/// A store that failed.
fn stored(error: &StoreError) -> Answer {
    match error {
        StoreError::Malformed(_) => plain(Code::Internal, Reason::Internal),
        StoreError::Unavailable(_) | StoreError::UnknownOutcome(_) | StoreError::Closed => {
            unavailable()
        }
    }
}

fn unavailable() -> Answer {
    oauth(
        Code::Unavailable,
        Reason::StoreUnavailable,
        "temporarily_unavailable",
    )
}

/// RFC 6749 §5.2, RFC 8628 §3.5, RFC 8707 §2, and the admin services.
fn decided(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::InvalidRequest(_) => oauth(
            Code::InvalidArgument,
            Reason::InvalidRequest,
            "invalid_request",
        ),
        Refusal::ClientAuthentication(_) => oauth(
            Code::Unauthenticated,
            Reason::ClientAuthenticationFailed,
            "invalid_client",
        ),
        // Not UNAUTHENTICATED: an interceptor that fetches a new token on that would loop.
        Refusal::GrantInvalid(_) => oauth(
            Code::FailedPrecondition,
            Reason::GrantInvalid,
            "invalid_grant",
        ),
        Refusal::ClientNotAllowed(_) => oauth(
            Code::PermissionDenied,
            Reason::ClientNotAllowed,
            "unauthorized_client",
        ),
        Refusal::AccessDenied => oauth(
            Code::PermissionDenied,
            Reason::ClientNotAllowed,
            "access_denied",
        ),
        Refusal::AuthorizationPending { .. } => oauth(
            Code::FailedPrecondition,
            Reason::AuthorizationPending,
            "authorization_pending",
        ),
        Refusal::SlowDown { .. } => oauth(Code::ResourceExhausted, Reason::SlowDown, "slow_down"),
        Refusal::DeviceCodeExpired => oauth(
            Code::FailedPrecondition,
            Reason::ExpiredToken,
            "expired_token",
        ),
        Refusal::UnsupportedGrantType => oauth(
            Code::InvalidArgument,
            Reason::UnsupportedGrantType,
            "unsupported_grant_type",
        ),
        Refusal::UnsupportedResponseType => oauth(
            Code::InvalidArgument,
            Reason::InvalidRequest,
            "unsupported_response_type",
        ),
        Refusal::InvalidScope { .. } => {
            oauth(Code::InvalidArgument, Reason::InvalidScope, "invalid_scope")
        }
        Refusal::InvalidTarget { .. } => oauth(
            Code::InvalidArgument,
            Reason::InvalidTarget,
            "invalid_target",
        ),
        Refusal::InvalidAuthorizationDetails(_) => oauth(
            Code::InvalidArgument,
            Reason::InvalidAuthorizationDetails,
            "invalid_authorization_details",
        ),
        Refusal::NotFound => plain(Code::NotFound, Reason::ResourceNotFound),
        Refusal::Exists => plain(Code::AlreadyExists, Reason::ResourceExists),
        Refusal::Changed => plain(Code::Aborted, Reason::ResourceChanged),
    }
}

fn plain(code: Code, reason: Reason) -> Answer {
    Answer {
        code,
        told: Told {
            reason,
            oauth: None,
        },
    }
}

fn oauth(code: Code, reason: Reason, error: &'static str) -> Answer {
    Answer {
        code,
        told: Told {
            reason,
            oauth: Some(error),
        },
    }
}

/// The field that is wrong, and what would be right.
pub(crate) fn fault(refused: &Refused) -> Option<(String, String)> {
    match refused {
        Refused::Field { field, expected } => Some(((*field).to_owned(), (*expected).to_owned())),
        Refused::Issuer(Refusal::UnsupportedGrantType) => {
            Some(("grant".to_owned(), "must name a grant".to_owned()))
        }
        Refused::Issuer(refusal) => refusal
            .fault()
            .map(|(field, problem)| (field.to_owned(), problem)),
        Refused::DeadlinePassed
        | Refused::Overloaded { .. }
        | Refused::RateLimited { .. }
        | Refused::WatchesTaken { .. }
        | Refused::Guessing { .. }
        | Refused::Crowd { .. }
        | Refused::Proof { .. }
        | Refused::Ledger(_)
        | Refused::CursorTooOld
        | Refused::Store(_)
        | Refused::Backup(_)
        | Refused::Contended
        | Refused::NoNewKey(_)
        | Refused::Fault(_) => None,
    }
}

/// How long to wait before the same may be asked again, where waiting helps.
pub(crate) fn retry_after(refused: &Refused) -> Option<Duration> {
    match refused {
        Refused::Overloaded { retry_after }
        | Refused::RateLimited { retry_after }
        | Refused::Guessing { retry_after }
        | Refused::Crowd { retry_after } => Some(*retry_after),
        Refused::Issuer(
            Refusal::AuthorizationPending { interval } | Refusal::SlowDown { interval },
        ) => Some(*interval),
        Refused::WatchesTaken { .. } => Some(watchers::RETRY_AFTER),
        Refused::Ledger(LedgerRefusal::KeyFull | LedgerRefusal::Full) => Some(LEDGER_RETRY),
        Refused::Store(StoreError::Malformed(_))
        | Refused::Backup(BackupError::TooSlow | BackupError::Store(StoreError::Malformed(_))) => {
            None
        }
        Refused::Backup(BackupError::Busy) => Some(BACKUP_RETRY),
        Refused::Store(_) | Refused::Backup(BackupError::Store(_)) | Refused::Contended => {
            Some(STORE_RETRY)
        }
        Refused::Ledger(LedgerRefusal::Replayed | LedgerRefusal::Forgotten)
        | Refused::DeadlinePassed
        | Refused::Field { .. }
        | Refused::Proof { .. }
        | Refused::CursorTooOld
        | Refused::Issuer(_)
        | Refused::NoNewKey(_)
        | Refused::Fault(_) => None,
    }
}

/// What the peer reads. Which check failed stays with the operator.
pub(crate) fn message(refused: &Refused) -> String {
    match refused {
        Refused::DeadlinePassed => "the deadline had passed".to_owned(),
        Refused::Overloaded { .. } => "more work than can be done now".to_owned(),
        Refused::RateLimited { .. } => "too many calls a second".to_owned(),
        Refused::WatchesTaken { by } => format!(
            "this {by} has its share of watches: end some, or share one among the guards of a \
             process (limits.caller_watchers_max)"
        ),
        Refused::Guessing { .. } => "too many user codes were wrong".to_owned(),
        Refused::Crowd { .. } => "too many requests came from this address".to_owned(),
        Refused::Field { field, expected } => format!("{field}: {expected}"),
        Refused::Proof {
            challenge: Some(_), ..
        } => "the proof must carry the nonce of this answer".to_owned(),
        Refused::Proof {
            refusal: ProofRefusal::ProofMissing,
            challenge: None,
        } => "a DPoP proof must be there".to_owned(),
        Refused::Proof {
            challenge: None, ..
        }
        | Refused::Ledger(LedgerRefusal::Forgotten) => "the DPoP proof is not valid".to_owned(),
        Refused::Ledger(LedgerRefusal::Replayed) => "the DPoP proof was used before".to_owned(),
        Refused::Ledger(LedgerRefusal::KeyFull) => "too many calls with this key".to_owned(),
        Refused::Ledger(LedgerRefusal::Full) => "too many calls".to_owned(),
        Refused::CursorTooOld => {
            "what came after the cursor is not kept any more: begin without one".to_owned()
        }
        Refused::Issuer(refusal) => refusal.to_string(),
        // Only who commands the service's keys gets this.
        Refused::NoNewKey(why) => format!("no key could be made to take its place: {why}"),
        Refused::Backup(error @ (BackupError::Busy | BackupError::TooSlow)) => error.to_string(),
        Refused::Store(StoreError::Malformed(_))
        | Refused::Backup(BackupError::Store(StoreError::Malformed(_)))
        | Refused::Fault(_) => "a fault of the service".to_owned(),
        Refused::Store(_) | Refused::Backup(BackupError::Store(_)) | Refused::Contended => {
            "the store is not available now".to_owned()
        }
    }
}

/// The challenge, where the refusal is one (RFC 9449 §8): exactly one nonce.
fn metadata(refused: &Refused) -> MetadataMap {
    let Refused::Proof {
        challenge: Some(Challenge { nonce, algorithms }),
        ..
    } = refused
    else {
        return MetadataMap::new();
    };
    let mut headers = HeaderMap::new();
    let challenge = format!("DPoP error=\"use_dpop_nonce\", algs=\"{algorithms}\"");
    for (name, value) in [("dpop-nonce", nonce), ("www-authenticate", &challenge)] {
        // Both are made of base64url and algorithm names.
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    MetadataMap::from_headers(headers)
}
