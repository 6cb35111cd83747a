//! How a refusal looks to a caller over HTTP: the only place of this crate with HTTP's codes.

#[cfg(test)]
mod tests;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use ::http::{Response, StatusCode};
use countersign::error::v1::Reason;
use serde_json::{Map, Value, json};

use super::{
    Answer, DPOP_NONCE, Responder, WWW_AUTHENTICATE, answer, denial_answer, ended, note_end,
    retry_after, said,
};
use crate::check::Refused;
use crate::ledger::LedgerRefusal;
use crate::permit::Denial;
use crate::refusal::Refusal;
use crate::streams::EndCause;

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl Responder {
    /// The answer to a request that is refused; `metadata` is where the resource describes itself
    /// (RFC 9728 §5.1).
    pub(crate) fn refuse_http(
        &self,
        refused: &Refused,
        metadata: Option<&str>,
    ) -> Response<String> {
        let refusal = &refused.refusal;
        let answer = answer(refusal);
        let status = status(refusal);
        let mut response = problem(status, &answer, Some(refusal));
        let headers = response.headers_mut();
        if let Some(challenge) = self.http_challenge(status, &answer, refusal, metadata) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = refused.nonce_value() {
            headers.insert(DPOP_NONCE, nonce);
        }
        response
    }

    /// The answer where a token ends before its handler has answered. Its challenge names no
    /// error: the handler has run, and clients call again for one.
    pub(crate) fn end_http(&self, cause: EndCause, metadata: Option<&str>) -> Response<String> {
        note_end(cause);
        let (status, answer) = match ended(cause) {
            Ok(refusal) => (status(&refusal), answer(&refusal)),
            Err(answer) => (StatusCode::GATEWAY_TIMEOUT, answer),
        };
        let mut response = problem(status, &answer, None);
        // RFC 9110 §15.5.2: a 401 has one.
        if status == StatusCode::UNAUTHORIZED
            && let Ok(bare) = HeaderValue::try_from(self.scheme([], metadata))
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, bare);
        }
        response
    }

    /// RFC 9449 §7.1, RFC 6750 §3, RFC 9470 §3, RFC 9728 §5.1.
    fn http_challenge(
        &self,
        status: StatusCode,
        answer: &Answer,
        refusal: &Refusal,
        metadata: Option<&str>,
    ) -> Option<HeaderValue> {
        let due = match status {
            StatusCode::UNAUTHORIZED => true,
            // RFC 6750 §3.1 gives these two errors their codes.
            StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => answer.oauth_error.is_some(),
            _ => false,
        };
        if !due {
            return None;
        }
        let error = answer.oauth_error.into_iter().flat_map(|error| {
            let description = ("error_description", answer.message.to_owned());
            [("error", error.to_owned()), description]
        });
        let text = self.scheme(error.chain(asked(refusal)), metadata);
        HeaderValue::try_from(text).ok()
    }

    /// A challenge with these parameters, none of which needs escaping.
    fn scheme(
        &self,
        parameters: impl IntoIterator<Item = (&'static str, String)>,
        metadata: Option<&str>,
    ) -> String {
        let metadata = metadata.map(|url| ("resource_metadata", url.to_owned()));
        let all: Vec<String> = parameters
            .into_iter()
            .chain([("algs", self.algs.clone())])
            .chain(metadata)
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        format!("DPoP {}", all.join(", "))
    }
}

/// A handler's refusal, without a challenge: it makes nobody call again. Only a guard that observes
/// lets a request so far that would have had a 401, and the layer takes away what handlers say of
/// `WWW-Authenticate`: RFC 9110 §15.5.2 is not kept here, knowingly.
pub(crate) fn denied(denial: &Denial) -> Response<String> {
    let (status, refusal) = match denial {
        Denial::Refused(refusal) => (status(refusal), Some(refusal)),
        Denial::NotOwner => (StatusCode::FORBIDDEN, None),
        Denial::NoPermit => (StatusCode::INTERNAL_SERVER_ERROR, None),
    };
    problem(status, &denial_answer(denial), refusal)
}

/// The code of each refusal.
fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::MethodNotAllowed | Refusal::ScopeInsufficient(_) => StatusCode::FORBIDDEN,
        Refusal::AuthorizationRepeated | Refusal::AuthorizationMalformed => StatusCode::BAD_REQUEST,
        // Of gRPC's deadlines alone.
        Refusal::DeadlinePassed => StatusCode::GATEWAY_TIMEOUT,
        Refusal::CredentialsMissing
        | Refusal::Token(_)
        | Refusal::Proof(_)
        | Refusal::StepUpRequired(_)
        | Refusal::Ledger(LedgerRefusal::Replayed | LedgerRefusal::Forgotten) => {
            StatusCode::UNAUTHORIZED
        }
        // Each key has a share, and this one has used its own.
        Refusal::Ledger(LedgerRefusal::KeyFull) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Ledger(LedgerRefusal::Full)
        | Refusal::AuthorityUnreachable
        | Refusal::KnowledgeTooOld
        | Refusal::IntrospectionUnreachable
        | Refusal::IntrospectionsFull
        | Refusal::IntrospectionsKeyFull
        | Refusal::NotWaitedFor => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A body for people and programs (RFC 9457): the stable name of the refusal is `reason`.
fn problem(status: StatusCode, answer: &Answer, refusal: Option<&Refusal>) -> Response<String> {
    let mut body = Map::new();
    body.insert("title".to_owned(), title(status).into());
    body.insert("status".to_owned(), status.as_u16().into());
    body.insert("detail".to_owned(), answer.message.into());
    body.insert("reason".to_owned(), name(answer.reason).into());
    body.extend(
        answer
            .oauth_error
            .map(|error| ("error".to_owned(), json!(error))),
    );
    let asked = refusal.into_iter().flat_map(asked);
    body.extend(asked.map(|(name, value)| (name.to_owned(), Value::from(value))));
    let mut response = Response::new(Value::from(body).to_string());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM);
    headers.insert(CACHE_CONTROL, NO_STORE);
    let later = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if later.contains(&status) {
        // In whole seconds (RFC 9110 §10.2.3), and not sooner.
        let wait = retry_after().as_secs_f64().ceil();
        headers.insert(RETRY_AFTER, HeaderValue::from(wait as u64));
    }
    response
}

/// RFC 9457 §4.2.1: without a `type` of its own, a problem is called what its code is called.
fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or_default()
}

fn name(reason: Reason) -> &'static str {
    reason.as_str_name()
}

/// What would be enough, in the words of RFC 6750 §3 and RFC 9470 §3.
fn asked(refusal: &Refusal) -> Vec<(&'static str, String)> {
    match refusal {
        Refusal::ScopeInsufficient(missing) => vec![("scope", missing.join(" "))],
        Refusal::StepUpRequired(asked) => said(asked).collect(),
        Refusal::MethodNotAllowed
        | Refusal::CredentialsMissing
        | Refusal::AuthorizationRepeated
        | Refusal::AuthorizationMalformed
        | Refusal::DeadlinePassed
        | Refusal::Token(_)
        | Refusal::Proof(_)
        | Refusal::AuthorityUnreachable
        | Refusal::IntrospectionUnreachable
        | Refusal::IntrospectionsFull
        | Refusal::IntrospectionsKeyFull
        | Refusal::NotWaitedFor
        | Refusal::KnowledgeTooOld
        | Refusal::Ledger(_) => Vec::new(),
    }
}
