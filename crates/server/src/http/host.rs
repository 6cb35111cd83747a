//! Whom a request of HTTP/1.1 is for is said once (RFC 9112 §3.2). The service goes by no host, but a
//! proxy in front may, and must not be told another one than the service is.
//!
//! Where a request ends is hyper's affair: it refuses what says two lengths, and ends the connection
//! after a request that has both a length and an encoding (§6.3).

use ::http::header::HOST;
use ::http::{HeaderMap, Version};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::{Misfit, Problem};

pub(super) async fn check(request: Request, next: Next) -> Response {
    if is_said_once(request.version(), request.headers()) {
        next.run(request).await
    } else {
        Problem::from(Misfit::Host).into_response()
    }
}

fn is_said_once(version: Version, headers: &HeaderMap) -> bool {
    let hosts = headers.get_all(HOST).iter().count();
    // HTTP/1.0 needs none, and HTTP/2 has `:authority`.
    match version {
        Version::HTTP_11 => hosts == 1,
        _ => hosts <= 1,
    }
}
