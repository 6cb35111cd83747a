//! A gRPC answer that is not OK, read as a failure of the command.

use std::error::Error;

use countersign::error::v1::Reason;
use countersign_client::TokenError;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{Failure, Kind};

/// The longest text of a peer that is repeated to the person: a few lines.
const PEER_TEXT_CHARS_MAX: usize = 400;

impl Failure {
    /// What an answer other than OK means for the command.
    pub(crate) fn answered(status: &Status) -> Self {
        match reason(status) {
            Some(reason) => refused(reason, status),
            None => unexplained(status),
        }
    }

    /// What it means that the client library got no token.
    pub(crate) fn untokened(error: &TokenError) -> Self {
        match error {
            TokenError::Refused(_, status)
            | TokenError::Unavailable(status)
            | TokenError::Unexpected(status) => Self::answered(status),
            TokenError::NotDpop(_) | TokenError::Incomplete(_) => {
                Self::new(Kind::Refused, error.to_string())
            }
            TokenError::Credential(_) => Self::configuration(error.to_string()),
            TokenError::Signing(_)
            | TokenError::Randomness(_)
            | TokenError::Spent
            | TokenError::Interrupted => Self::internal(error.to_string()),
        }
    }
}

/// The reason that a refusal of Countersign carries; none if it is somebody
/// else's.
pub(crate) fn reason(status: &Status) -> Option<Reason> {
    let info = status.get_details_error_info()?;
    (info.domain == "countersign")
        .then(|| Reason::from_str_name(&info.reason))
        .flatten()
}

/// The name of an answer's code, as the specification of gRPC writes it.
pub(crate) fn code_name(status: &Status) -> &'static str {
    match status.code() {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Whether what answers has no such method.
pub(crate) fn is_unimplemented(status: &Status) -> bool {
    status.code() == Code::Unimplemented
}

fn refused(reason: Reason, status: &Status) -> Failure {
    let mut what = format!("{} ({})", plain(status.message()), reason.as_str_name());
    let mut registration = false;
    for field in status
        .get_details_bad_request()
        .into_iter()
        .flat_map(|bad| bad.field_violations)
    {
        let said = format!("{}: {}", plain(&field.field), plain(&field.description));
        registration |= of_a_registration(&field.field);
        // Our own service's message names the field already.
        if !what.contains(&said) {
            what.push_str(&format!("; {said}"));
        }
    }
    let failure = Failure::new(kind(reason), what);
    let next = match registration {
        true => next(Reason::InvalidRequest),
        false => next(reason),
    };
    match next {
        Some(next) => failure.next(next),
        None => failure,
    }
}

/// Whether the field stands in what is being registered, not in what is asked for.
fn of_a_registration(field: &str) -> bool {
    field.starts_with("client.permissions") || field.starts_with("resource.")
}

fn kind(reason: Reason) -> Kind {
    match reason {
        Reason::InvalidRequest
        | Reason::InvalidScope
        | Reason::InvalidTarget
        | Reason::InvalidAuthorizationDetails
        | Reason::UnsupportedGrantType
        | Reason::ClientAuthenticationFailed
        | Reason::GrantInvalid
        | Reason::ClientNotAllowed
        | Reason::TokenInvalid
        | Reason::TokenExpired
        | Reason::TokenRevoked
        | Reason::DpopProofInvalid
        | Reason::DpopProofReplayed
        | Reason::DpopNonceRequired
        | Reason::ScopeInsufficient
        | Reason::CredentialsMissing
        | Reason::MethodNotAllowed
        | Reason::CursorTooOld
        | Reason::NotOwner
        | Reason::StepUpRequired
        | Reason::AuthorizationPending
        | Reason::SlowDown
        | Reason::ExpiredToken => Kind::Refused,
        Reason::StoreUnavailable
        | Reason::RateLimited
        | Reason::Overloaded
        | Reason::AuthorityUnreachable
        | Reason::StreamTooOld
        | Reason::DeadlinePassed => Kind::Unreachable,
        Reason::ResourceNotFound | Reason::ResourceExists | Reason::ResourceChanged => {
            Kind::Registry
        }
        Reason::Unspecified | Reason::Internal => Kind::Internal,
    }
}

fn next(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::InvalidRequest => Some("correct the value named above"),
        Reason::InvalidScope => Some(
            "ask for scopes that the client is registered for; see `countersign client show ID`",
        ),
        Reason::InvalidTarget => Some(
            "name a resource that the client is registered for with --resource; see `countersign client show ID`",
        ),
        Reason::InvalidAuthorizationDetails => Some(
            "`countersign resource show URI` shows the types of a resource with their schemas, `countersign client show ID` those that the client may ask for",
        ),
        Reason::ClientAuthenticationFailed => Some(
            "check the client's identifier and its secret, key or certificate; `countersign client rotate-secret ID` makes a new secret",
        ),
        Reason::GrantInvalid => Some(
            "a code or refresh token works once, before it ends, with the key and client that it was given to; get a new one",
        ),
        Reason::ClientNotAllowed => {
            Some("register the client for it; see `countersign client add --help`")
        }
        Reason::TokenInvalid => {
            Some("the token must be for this service and bound to the key of the proof")
        }
        Reason::TokenExpired | Reason::TokenRevoked => Some("get a new token"),
        Reason::DpopProofInvalid => Some(
            "check that --server is the address the service calls itself, and that this machine's clock is right",
        ),
        Reason::DpopProofReplayed => Some("make a new proof for every call"),
        Reason::DpopNonceRequired => {
            Some("make a proof with the nonce of the answer; see `countersign proof --nonce`")
        }
        Reason::ScopeInsufficient => Some("get a token with the scopes named above"),
        Reason::StepUpRequired => {
            Some("get a token for which the person proves again who they are")
        }
        Reason::CredentialsMissing => Some("present a token and a proof"),
        Reason::StoreUnavailable
        | Reason::RateLimited
        | Reason::Overloaded
        | Reason::AuthorityUnreachable
        | Reason::DeadlinePassed => Some("try again in a moment"),
        Reason::ResourceNotFound => {
            Some("see `countersign client list`, `resource list` and `account list`")
        }
        Reason::ResourceExists => Some("choose another name, or remove the one that is there"),
        Reason::ResourceChanged => Some("look at it again, then repeat the change"),
        Reason::AuthorizationPending | Reason::SlowDown => {
            Some("approve the device first; it asks again by itself")
        }
        Reason::ExpiredToken => Some("begin anew: the device shows another code then"),
        Reason::StreamTooOld => Some("open the stream again"),
        Reason::CursorTooOld => Some("begin without a cursor"),
        Reason::Internal => Some("the cause is in the service's log"),
        Reason::UnsupportedGrantType
        | Reason::MethodNotAllowed
        | Reason::NotOwner
        | Reason::Unspecified => None,
    }
}

/// An answer that carries no reason of ours: the connection broke, or what
/// answers is not a token service.
fn unexplained(status: &Status) -> Failure {
    let said = match cause(status) {
        Some(cause) => format!("{}: {}", plain(status.message()), plain(&cause)),
        None => plain(status.message()),
    };
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Cancelled => {
            Failure::unreachable(format!("no answer from the service: {said}"))
                .next("check that it runs, that the address is right, and whether it wants https:// or http://")
        }
        Code::Unimplemented => Failure::unreachable(format!(
            "what answers does not offer this call: {said}"
        ))
        .next("check that the address is a token service's, and that it is not older than this program"),
        Code::Unauthenticated | Code::PermissionDenied => {
            Failure::new(Kind::Refused, format!("refused without a reason: {said}"))
        }
        Code::Ok
        | Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss => Failure::internal(format!("{} without a reason: {said}", code_name(status))),
    }
}

/// What lies at the bottom of a transport's error, which is what helps.
fn cause(status: &Status) -> Option<String> {
    let mut source = status.source()?;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    Some(source.to_string())
}

/// A peer's text without what would confuse a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(PEER_TEXT_CHARS_MAX)
        .collect()
}
