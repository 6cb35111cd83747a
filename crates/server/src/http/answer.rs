//! Answers that are JSON, or nothing.

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, PRAGMA};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use axum::body::Body;
use axum::response::Response;
use serde::Serialize;

pub(super) const JSON: &str = "application/json";

/// RFC 6749 §5.1: nobody keeps what holds a token.
pub(super) const NO_STORE: &str = "no-store";

/// RFC 9449 §8.
pub(super) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// A JSON object that nobody keeps.
pub(super) fn json(body: &impl Serialize) -> Response {
    let mut response = empty();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    // Texts, numbers and lists of them.
    *response.body_mut() = Body::from(serde_json::to_vec(body).unwrap_or_default());
    response
}

/// As [`json`], of something that was made.
pub(super) fn created(body: &impl Serialize) -> Response {
    let mut response = json(body);
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// Nothing, successfully.
pub(super) fn empty() -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// The nonce for the next proof, where there is one.
pub(super) fn with_nonce(mut response: Response, nonce: Option<String>) -> Response {
    if let Some(nonce) = nonce {
        put_nonce(response.headers_mut(), &nonce);
    }
    response
}

pub(super) fn put_nonce(headers: &mut HeaderMap, nonce: &str) {
    // A nonce is base64url.
    if let Ok(nonce) = nonce.parse() {
        headers.insert(DPOP_NONCE, nonce);
    }
}
