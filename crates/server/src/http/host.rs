//! Whom a request is for is said once (RFC 9112 §3.2, RFC 9113 §8.3.1), and where one of HTTP/1.1 ends
//! (RFC 9112 §6.3). The service goes by no host, but a proxy in front may, and must not be told another
//! one than the service is; nor may the two differ about where the next request begins.
//!
//! Two lengths that differ hyper refuses. Of a length and an encoding it hands on the encoding alone,
//! so the edge tells what it saw ([`EndsTwice`]).

use ::http::Version;
use ::http::header::{HOST, TRANSFER_ENCODING};
use ::http::uri::Authority;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::page;
use super::problem::{Misfit, Problem};
use crate::protocol::Words;
use crate::serve::EndsTwice;

/// What a path is answered in.
pub(super) type Worded = fn(&str) -> Words;

pub(super) async fn check(State(words): State<Worded>, request: Request, next: Next) -> Response {
    let Some(misfit) = fault(&request) else {
        return next.run(request).await;
    };
    let problem = Problem::from(misfit);
    match words(request.uri().path()) {
        Words::Page => page::of(&problem),
        Words::Json | Words::Grpc => problem.into_response(),
    }
}

fn fault(request: &Request) -> Option<Misfit> {
    let headers = request.headers();
    if let Some(misfit) = host_fault(request) {
        return Some(misfit);
    }
    if !headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    if request.extensions().get::<EndsTwice>().is_some() {
        return Some(Misfit::EndsTwice);
    }
    // RFC 9112 §6.1: whoever does not undo a coding does not read what is below it.
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = match (codings.next(), codings.next()) {
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    (!is_chunked).then_some(Misfit::Coding)
}

fn host_fault(request: &Request) -> Option<Misfit> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        (Some(_), Some(_)) => return Some(Misfit::Host),
        // HTTP/1.0 needs none, and HTTP/2 has `:authority`.
        (None, _) => return (request.version() == Version::HTTP_11).then_some(Misfit::Host),
    };
    // RFC 9112 §3.2: a field that names no host is refused.
    let named = Authority::try_from(host.as_bytes()).ok();
    let named = named.filter(|host| !host.host().is_empty() && !host.as_str().contains('@'));
    let Some(named) = named else {
        return Some(Misfit::Host);
    };
    // RFC 9113 §8.3.1: so is one beside `:authority` that names another. (Beside a whole URL in HTTP/1.1
    // it counts for nothing, RFC 9112 §3.2.2.)
    let is_another = request.version() == Version::HTTP_2
        && request.uri().authority().is_some_and(|ours| *ours != named);
    is_another.then_some(Misfit::OtherHost)
}
