//! Documents that whoever asks may keep for a while, and then ask whether they are still the same
//! (RFC 9111 §4.2, RFC 9110 §13.1.2).

use std::time::Duration;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use axum::body::Body;
use axum::response::Response;

use super::answer;
use crate::document::Document;

/// The document, or that it is the one which is known. With no age, nobody keeps it.
pub(super) fn answer(
    asking: &HeaderMap,
    document: &Document,
    content_type: &'static str,
    age: Duration,
) -> Response {
    let mut response = Response::new(Body::empty());
    if is_known(asking, &document.etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(document.json.clone());
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(ETAG, document.etag.clone());
    let control = match age.as_secs() {
        0 => answer::NO_STORE.to_owned(),
        secs => format!("public, max-age={secs}"),
    };
    if let Ok(control) = control.parse() {
        headers.insert(CACHE_CONTROL, control);
    }
    response
}

/// RFC 9110 §13.1.2: by weak comparison.
fn is_known(asking: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = asking.get_all(IF_NONE_MATCH).iter();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/").as_bytes() == etag.as_bytes())
}
