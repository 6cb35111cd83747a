//! How a refusal looks to the caller: the only place of this crate with gRPC
//! codes, and beside it, in `http`, the only one with HTTP's.

pub(crate) mod http;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use countersign::error::v1::Reason;
use countersign_jose::Algorithms;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::backoff::at_random_within;
use crate::check::Refused;
use crate::ledger::LedgerRefusal;
use crate::permit::Denial;
use crate::refusal::{Refusal, StepUp, TokenRefusal};
use crate::streams::EndCause;

/// Who our `ErrorInfo` comes from.
const DOMAIN: &str = "countersign";

pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
pub(crate) const WWW_AUTHENTICATE: HeaderName = ::http::header::WWW_AUTHENTICATE;

/// A ledger frees room bucket by bucket, each of 20 s; a key set is asked for
/// again within seconds. Sooner is not worth it, and up to a quarter later for
/// some, so that those who were refused together do not come back together.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Answers refusals.
pub(crate) struct Responder {
    algs: String,
}

/// What a refusal says to the caller.
struct Answer {
    code: Code,
    reason: Reason,
    /// The RFC's error code, where there is one.
    oauth_error: Option<&'static str>,
    message: &'static str,
}

impl Responder {
    /// Names `algorithms` in challenges (RFC 9449 §7.1).
    pub(crate) fn new(algorithms: Algorithms) -> Self {
        Self {
            algs: algorithms.to_string(),
        }
    }

    /// The status of a refusal; with a nonce, if it asks for one. Goes out with
    /// trailers only: the handler has not run.
    pub(crate) fn refuse(&self, refused: &Refused) -> Status {
        let answer = answer(&refused.refusal);
        let mut status = answer.status(details(&refused.refusal));
        let mut headers = HeaderMap::new();
        if let Some(challenge) = self.challenge(&answer, &refused.refusal) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = refused.nonce_value() {
            headers.insert(DPOP_NONCE, nonce);
        }
        *status.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
        status
    }

    /// RFC 9449 §7.1. Without credentials there is no error to name (RFC 6750
    /// §3.1).
    fn challenge(&self, answer: &Answer, refusal: &Refusal) -> Option<HeaderValue> {
        let challenged = matches!(answer.code, Code::Unauthenticated | Code::PermissionDenied);
        let algs = &self.algs;
        let text = match (refusal, answer.oauth_error) {
            _ if !challenged => return None,
            (Refusal::CredentialsMissing, _) => format!("DPoP algs=\"{algs}\""),
            (Refusal::ScopeInsufficient(missing), Some(error)) => {
                let scope = missing.join(" ");
                format!("DPoP error=\"{error}\", scope=\"{scope}\", algs=\"{algs}\"")
            }
            // RFC 9470 §3.
            (Refusal::StepUpRequired(asked), Some(error)) => {
                let asked: String = said(asked)
                    .map(|(name, value)| format!("{name}=\"{value}\", "))
                    .collect();
                format!("DPoP error=\"{error}\", {asked}algs=\"{algs}\"")
            }
            (_, Some(error)) => format!("DPoP error=\"{error}\", algs=\"{algs}\""),
            (_, None) => return None,
        };
        HeaderValue::try_from(text).ok()
    }
}

/// The stable name of a refusal, the same at every edge.
pub(crate) fn reason(refusal: &Refusal) -> Reason {
    answer(refusal).reason
}

/// A stream that ends before its handler does. Never with a challenge: its
/// handler has run, and the call must not be sent again by itself.
pub(crate) fn stream_ended(cause: EndCause) -> Status {
    note_end(cause);
    stream_over(cause)
}

/// Says once that a stream was ended.
pub(crate) fn note_end(cause: EndCause) {
    let label = match cause {
        EndCause::Expired => "stream_outlived_token",
        EndCause::Revoked => "stream_token_revoked",
        EndCause::Unvouched => "stream_knowledge_too_old",
        EndCause::TooOld => "stream_too_old",
    };
    countersign_telemetry::refused(end_reason(cause).as_str_name(), label);
}

/// The stable name of a stream's end.
pub(crate) fn end_reason(cause: EndCause) -> Reason {
    match ended(cause) {
        Ok(refusal) => reason(&refusal),
        Err(answer) => answer.reason,
    }
}

/// The same, for the handler that reads it. The caller is told once.
pub(crate) fn stream_over(cause: EndCause) -> Status {
    match ended(cause) {
        Ok(refusal) => answer(&refusal).status(details(&refusal)),
        Err(answer) => answer.status(ErrorDetails::new()),
    }
}

/// What a stream's end is like: a refusal, or the one answer that is none.
fn ended(cause: EndCause) -> Result<Refusal, Answer> {
    match cause {
        EndCause::Expired => Ok(Refusal::Token(TokenRefusal::Expired)),
        EndCause::Revoked => Ok(Refusal::Token(TokenRefusal::Revoked)),
        EndCause::Unvouched => Ok(Refusal::KnowledgeTooOld),
        EndCause::TooOld => Err(Answer {
            code: Code::DeadlineExceeded,
            reason: Reason::StreamTooOld,
            oauth_error: None,
            message: "the stream was open for as long as is allowed: open it again",
        }),
    }
}

/// A handler's refusal, without a challenge: it makes nobody call again.
pub(crate) fn denied(denial: &Denial) -> Status {
    denial_answer(denial).status(match denial {
        Denial::Refused(refusal) => details(refusal),
        Denial::NotOwner | Denial::NoPermit => ErrorDetails::new(),
    })
}

/// The stable name and the label of a handler's refusal.
pub(crate) fn denial_names(denial: &Denial) -> (Reason, &'static str) {
    let label = match denial {
        Denial::Refused(refusal) => refusal.label(),
        Denial::NotOwner => "not_owner",
        Denial::NoPermit => "no_permit",
    };
    (denial_answer(denial).reason, label)
}

/// What a handler's refusal says.
pub(crate) fn denial_message(denial: &Denial) -> &'static str {
    denial_answer(denial).message
}

fn denial_answer(denial: &Denial) -> Answer {
    match denial {
        Denial::Refused(refusal) => answer(refusal),
        Denial::NotOwner => Answer {
            code: Code::PermissionDenied,
            reason: Reason::NotOwner,
            oauth_error: None,
            message: "this belongs to somebody else",
        },
        Denial::NoPermit => Answer {
            code: Code::Internal,
            reason: Reason::Internal,
            oauth_error: None,
            message: "this handler needs a guard in front of it and a method that is not public",
        },
    }
}

/// A refused status as the headers of a response without body, or as trailers.
pub(crate) fn headers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Fails for a message or metadata that no header can carry. Ours can; the
    // code alone would still be a refusal.
    if status.add_header(&mut headers).is_err() {
        headers.insert(Status::GRPC_STATUS, HeaderValue::from(status.code() as i32));
    }
    headers
}

fn answer(refusal: &Refusal) -> Answer {
    let of = |code, reason, oauth_error, message| Answer {
        code,
        reason,
        oauth_error,
        message,
    };
    match refusal {
        Refusal::MethodNotAllowed => of(
            Code::PermissionDenied,
            Reason::MethodNotAllowed,
            None,
            "no one may call this method: it has no rule, or its name is misspelt",
        ),
        Refusal::CredentialsMissing => of(
            Code::Unauthenticated,
            Reason::CredentialsMissing,
            None,
            "an access token is needed: authorization: DPoP …, with a proof in dpop",
        ),
        Refusal::AuthorizationRepeated => of(
            Code::InvalidArgument,
            Reason::InvalidRequest,
            Some("invalid_request"),
            "there must be one authorization",
        ),
        Refusal::AuthorizationMalformed => of(
            Code::InvalidArgument,
            Reason::InvalidRequest,
            Some("invalid_request"),
            "authorization must be a scheme, a space and a token",
        ),
        Refusal::DeadlinePassed => of(
            Code::DeadlineExceeded,
            Reason::DeadlinePassed,
            None,
            "the deadline passed before the call was looked at: give it more time",
        ),
        Refusal::Token(TokenRefusal::Expired) => of(
            Code::Unauthenticated,
            Reason::TokenExpired,
            Some("invalid_token"),
            "the access token has expired: get another one",
        ),
        Refusal::Token(TokenRefusal::Revoked) => of(
            Code::Unauthenticated,
            Reason::TokenRevoked,
            Some("invalid_token"),
            "the access token was revoked: get another one, if you still may",
        ),
        Refusal::Token(
            TokenRefusal::TooLarge
            | TokenRefusal::NotJws
            | TokenRefusal::WrongType
            | TokenRefusal::NamesKey
            | TokenRefusal::AlgorithmNotAllowed
            | TokenRefusal::UnknownKey
            | TokenRefusal::BadSignature
            | TokenRefusal::NotJson
            | TokenRefusal::ClaimMalformed
            | TokenRefusal::WrongIssuer
            | TokenRefusal::WrongAudience
            | TokenRefusal::NotYetValid
            | TokenRefusal::BindingNotSupported
            | TokenRefusal::Unbound
            | TokenRefusal::BoundAsBearer
            | TokenRefusal::OtherKey
            | TokenRefusal::OtherCertificate
            | TokenRefusal::ReferenceNotTaken
            | TokenRefusal::ReferenceAsBearer
            | TokenRefusal::ReferenceMalformed
            | TokenRefusal::NotActive,
        ) => of(
            Code::Unauthenticated,
            Reason::TokenInvalid,
            Some("invalid_token"),
            "the access token is not accepted here, or not with this proof's key: get one for this resource, bound to the key that signs the proofs",
        ),
        Refusal::Proof(proof) if proof.asks_for_nonce() => of(
            Code::Unauthenticated,
            Reason::DpopNonceRequired,
            Some("use_dpop_nonce"),
            "the proof must carry the nonce in dpop-nonce: sign another one with it",
        ),
        Refusal::Proof(_) | Refusal::Ledger(LedgerRefusal::Forgotten) => of(
            Code::Unauthenticated,
            Reason::DpopProofInvalid,
            Some("invalid_dpop_proof"),
            "the DPoP proof is not valid for this call: sign one for its method, this origin and this token, by a clock that is right",
        ),
        Refusal::AuthorityUnreachable
        | Refusal::KnowledgeTooOld
        | Refusal::IntrospectionUnreachable
        | Refusal::IntrospectionsFull
        | Refusal::IntrospectionsKeyFull
        | Refusal::NotWaitedFor => of(
            Code::Unavailable,
            Reason::AuthorityUnreachable,
            Some("temporarily_unavailable"),
            "nobody can vouch for the access token now: try again later",
        ),
        Refusal::ScopeInsufficient(_) => of(
            Code::PermissionDenied,
            Reason::ScopeInsufficient,
            Some("insufficient_scope"),
            "the access token lacks a scope: get one with the scopes that are named",
        ),
        Refusal::StepUpRequired(_) => of(
            Code::Unauthenticated,
            Reason::StepUpRequired,
            Some("insufficient_user_authentication"),
            "the person must prove again who they are, as acr_values and max_age say",
        ),
        Refusal::Ledger(LedgerRefusal::Replayed) => of(
            Code::Unauthenticated,
            Reason::DpopProofReplayed,
            Some("invalid_dpop_proof"),
            "the DPoP proof was used before: sign a new one for every call",
        ),
        Refusal::Ledger(LedgerRefusal::KeyFull) => of(
            Code::ResourceExhausted,
            Reason::RateLimited,
            None,
            "this key has made more calls than can be remembered: try again later",
        ),
        Refusal::Ledger(LedgerRefusal::Full) => of(
            Code::ResourceExhausted,
            Reason::Overloaded,
            None,
            "more calls have been made than can be remembered: try again later",
        ),
    }
}

/// When somebody who is refused for want of room should come back.
fn retry_after() -> Duration {
    RETRY_AFTER + at_random_within(RETRY_AFTER / 4)
}

fn details(refusal: &Refusal) -> ErrorDetails {
    let mut details = ErrorDetails::new();
    match refusal {
        Refusal::AuthorizationRepeated => {
            details.add_bad_request_violation("authorization", "give exactly one, without commas");
        }
        Refusal::AuthorizationMalformed => {
            details.add_bad_request_violation("authorization", "write: DPoP <access token>");
        }
        Refusal::ScopeInsufficient(missing) => {
            let scope = ("scope".to_owned(), missing.join(" "));
            details.set_error_info("", "", HashMap::from([scope]));
        }
        Refusal::StepUpRequired(asked) => {
            let asked = said(asked).map(|(name, value)| (name.to_owned(), value));
            details.set_error_info("", "", HashMap::<String, String>::from_iter(asked));
        }
        Refusal::AuthorityUnreachable
        | Refusal::IntrospectionUnreachable
        | Refusal::IntrospectionsFull
        | Refusal::IntrospectionsKeyFull
        | Refusal::NotWaitedFor
        | Refusal::KnowledgeTooOld
        | Refusal::Ledger(LedgerRefusal::KeyFull | LedgerRefusal::Full) => {
            details.set_retry_info(Some(retry_after()));
        }
        Refusal::MethodNotAllowed
        | Refusal::CredentialsMissing
        | Refusal::DeadlinePassed
        | Refusal::Token(_)
        | Refusal::Proof(_)
        | Refusal::Ledger(LedgerRefusal::Replayed | LedgerRefusal::Forgotten) => {}
    }
    details
}

/// What a step-up asks, in the words of RFC 9470 §3.
fn said(asked: &StepUp) -> impl Iterator<Item = (&'static str, String)> {
    let acr_values = (!asked.acr_values.is_empty()).then(|| asked.acr_values.join(" "));
    let max_age = asked.max_age.map(|max_age| max_age.as_secs().to_string());
    let acr_values = acr_values.map(|values| ("acr_values", values));
    acr_values
        .into_iter()
        .chain(max_age.map(|seconds| ("max_age", seconds)))
}

impl Refused {
    fn nonce_value(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.nonce.as_deref()?).ok()
    }
}

impl Answer {
    fn status(&self, mut details: ErrorDetails) -> Status {
        let mut metadata = details
            .error_info()
            .map(|info| info.metadata.clone())
            .unwrap_or_default();
        if let Some(error) = self.oauth_error {
            metadata.insert("oauth_error".to_owned(), error.to_owned());
        }
        details.set_error_info(self.reason.as_str_name(), DOMAIN, metadata);
        Status::with_error_details(self.code, self.message, details)
    }
}
