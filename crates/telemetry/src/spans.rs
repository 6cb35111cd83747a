//! The spans inside a call, one function each. Each belongs to the current
//! trace, and is [`Span::none`] where that is not recorded; then it costs a few
//! nanoseconds.
//!
//! Run work in one with [`Span::in_scope`], or with `tracing::Instrument` for a
//! future.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::time::Duration;

use http::{Method, Uri, Version};
use opentelemetry::Context;
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use crate::measures::Asked;
use crate::names;
use crate::sampling::{self, Decision};

/// A span of the current trace, with the fields that any of ours may be given later.
macro_rules! child {
    ($name:expr $(, { $key:expr } = $value:expr)* $(,)?) => {
        if sampling::wanted() {
            info_span!(
                $name,
                $({ $key } = $value,)*
                { names::CLIENT_ID } = Empty,
                { names::JKT } = Empty,
                { names::REFUSAL_REASON } = Empty,
                { names::REFUSAL_CAUSE } = Empty,
                { names::OTEL_STATUS } = Empty,
            )
        } else {
            Span::none()
        }
    };
}

/// A client gets itself a token; `operation` is `issue` or `rotate`.
pub fn token_fetch(operation: &'static str) -> Span {
    child!(names::TOKEN_FETCH, { names::OPERATION } = operation)
}

/// A client signs a DPoP proof.
pub fn proof_mint() -> Span {
    child!(names::PROOF_MINT)
}

/// The token service decides and issues; `grant` is the OAuth grant type.
pub fn issue(grant: &'static str) -> Span {
    child!(names::ISSUE, { names::GRANT } = grant)
}

/// The token service rotates a refresh token.
pub fn rotate() -> Span {
    child!(names::ROTATE)
}

/// The token service says what a token is.
pub fn introspect() -> Span {
    child!(names::INTROSPECT)
}

/// The token service revokes.
pub fn revoke() -> Span {
    child!(names::REVOKE)
}

/// An authorization is pushed, read or decided; `operation` says which.
pub fn authorize(operation: &'static str) -> Span {
    child!(names::AUTHORIZE, { names::OPERATION } = operation)
}

/// So many records are read.
pub fn store_load(keys: usize) -> Span {
    child!(names::STORE_LOAD, { names::STORE_KEYS } = number(keys))
}

/// A change is written: all of it, or nothing.
pub fn store_commit(writes: usize, appends: usize) -> Span {
    child!(
        names::STORE_COMMIT,
        { names::STORE_WRITES } = number(writes),
        { names::STORE_APPENDS } = number(appends),
        { names::STORE_OUTCOME } = Empty,
    )
}

/// How the commit of `span` ended: `done`, `conflict`, `unavailable`, `unknown`.
pub fn store_outcome(span: &Span, outcome: &'static str) {
    span.record(names::STORE_OUTCOME, outcome);
}

/// The guard checks a call, before its handler runs.
pub fn guard() -> Span {
    child!(
        names::GUARD,
        { names::KNOWLEDGE_AGE } = Empty,
        { names::OBSERVED_REASON } = Empty,
        { names::OBSERVED_CAUSE } = Empty,
        { names::BEARER_ACCEPTED } = Empty,
    )
}

/// A DPoP proof is checked, RFC 9449 §4.3.
pub fn proof_verify() -> Span {
    child!(names::PROOF_VERIFY)
}

/// An access token is checked: `offline`, `online` or `remembered`.
pub fn token_verify(how: &'static str) -> Span {
    child!(names::TOKEN_VERIFY, { names::TOKEN_CHECK } = how)
}

/// The protected handler runs.
pub fn handler() -> Span {
    child!(names::HANDLER)
}

/// The token service's keys are fetched.
pub fn keys_fetch() -> Span {
    child!(names::KEYS_FETCH)
}

/// Expired records are removed: nobody's call, so it begins a trace of its own.
pub fn sweep() -> Span {
    match Context::map_current(sampling::decide) {
        Decision::Record => info_span!(names::SWEEP, { names::OTEL_STATUS } = Empty),
        Decision::Skip(_) => Span::none(),
    }
}

/// The registered client that the current call says it is of. Never a name that is not known:
/// strangers send anything, secrets in the wrong field among it.
pub fn note_client(client_id: &str) {
    Span::current().record(names::CLIENT_ID, client_id);
}

/// The thumbprint of the key that the current call's proof was signed with.
pub fn note_jkt(jkt: &dyn Display) {
    let span = Span::current();
    if !span.is_disabled() {
        span.record(names::JKT, display(jkt));
    }
}

/// How long ago the guard knew all that was revoked, in whole seconds.
pub fn note_knowledge_age(age: Duration) {
    Span::current().record(names::KNOWLEDGE_AGE, age.as_secs());
}

/// A call that arrived.
pub(crate) fn served_call(uri: &Uri) -> Span {
    info_span!(
        parent: None,
        names::CALL,
        { names::OTEL_KIND } = names::KIND_SERVER,
        { names::OTEL_NAME } = method(uri),
        { names::OTEL_STATUS } = Empty,
        { names::RPC_SYSTEM_NAME } = names::GRPC,
        { names::RPC_METHOD } = method(uri),
        { names::RPC_STATUS_CODE } = Empty,
        { names::ERROR_TYPE } = Empty,
        { names::CLIENT_ID } = Empty,
        { names::JKT } = Empty,
        { names::REFUSAL_REASON } = Empty,
        { names::REFUSAL_CAUSE } = Empty,
    )
}

/// A request that arrived and is not gRPC.
pub(crate) fn served_request(asked: &Asked) -> Span {
    let Asked {
        method,
        route,
        scheme,
        version,
    } = *asked;
    let name = match route {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    info_span!(
        parent: None,
        names::HTTP_REQUEST,
        { names::OTEL_KIND } = names::KIND_SERVER,
        { names::OTEL_NAME } = name,
        { names::OTEL_STATUS } = Empty,
        { names::HTTP_METHOD } = method,
        { names::HTTP_ROUTE } = route,
        { names::URL_PATH } = route,
        { names::URL_SCHEME } = scheme,
        { names::PROTOCOL_VERSION } = version,
        { names::HTTP_STATUS } = Empty,
        { names::ERROR_TYPE } = Empty,
        { names::CLIENT_ID } = Empty,
        { names::JKT } = Empty,
        { names::REFUSAL_REASON } = Empty,
        { names::REFUSAL_CAUSE } = Empty,
    )
}

/// A request that leaves and is not gRPC. Its path is told to nobody: it may hold anything.
pub(crate) fn made_request(method: &Method, address: Option<&str>, port: Option<u16>) -> Span {
    let method = http_method(method);
    info_span!(
        names::HTTP_REQUEST,
        { names::OTEL_KIND } = names::KIND_CLIENT,
        { names::OTEL_NAME } = method,
        { names::OTEL_STATUS } = Empty,
        { names::HTTP_METHOD } = method,
        { names::HTTP_STATUS } = Empty,
        { names::ERROR_TYPE } = Empty,
        { names::SERVER_ADDRESS } = address,
        { names::SERVER_PORT } = port.map(i64::from),
    )
}

/// The methods of RFC 9110 and RFC 5789. A stranger's becomes part of no span's name.
pub(crate) fn http_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::CONNECT => "CONNECT",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::PATCH => "PATCH",
        _ => names::OTHER,
    }
}

pub(crate) fn protocol(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    }
}

/// A call that leaves.
pub(crate) fn made_call(uri: &Uri, address: Option<&str>, port: Option<u16>) -> Span {
    info_span!(
        names::CALL,
        { names::OTEL_KIND } = names::KIND_CLIENT,
        { names::OTEL_NAME } = method(uri),
        { names::OTEL_STATUS } = Empty,
        { names::RPC_SYSTEM_NAME } = names::GRPC,
        { names::RPC_METHOD } = method(uri),
        { names::RPC_STATUS_CODE } = Empty,
        { names::ERROR_TYPE } = Empty,
        { names::SERVER_ADDRESS } = address,
        { names::SERVER_PORT } = port.map(i64::from),
        { names::REFUSAL_REASON } = Empty,
        { names::REFUSAL_CAUSE } = Empty,
    )
}

/// Longer than the path of any method we or our users have; a stranger's path
/// becomes a span's name only when it could be one.
const METHOD_BYTES_MAX: usize = 256;

/// `package.Service/Method`.
pub(crate) fn method(uri: &Uri) -> &str {
    method_of(uri.path())
}

/// The same, of a path.
pub(crate) fn method_of(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    let could_be = path.len() <= METHOD_BYTES_MAX
        && path.split('/').count() == 2
        && path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/'));
    if could_be { path } else { names::OTHER }
}

/// OpenTelemetry has signed numbers only; an unsigned one would go as text.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
