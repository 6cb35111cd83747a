//! The keys that verify access tokens, as a JWK Set (RFC 7517 §5).

use std::sync::Arc;

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use ::http::{HeaderMap, HeaderValue, StatusCode};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;

use super::Edge;

/// RFC 7517 §8.5.
const JWK_SET: &str = "application/jwk-set+json";

pub(super) async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let set = &edge.desk.keys;
    let in_use = set.in_use();
    let document = in_use.document();
    let is_known = is_among(&headers, &document.etag);
    let mut response = match is_known {
        true => Response::new(Body::empty()),
        false => Response::new(Body::from(document.json.clone())),
    };
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let answered = response.headers_mut();
    answered.insert(CONTENT_TYPE, HeaderValue::from_static(JWK_SET));
    answered.insert(ETAG, document.etag.clone());
    let age = format!("public, max-age={}", set.max_age().as_secs());
    if let Ok(age) = age.parse() {
        answered.insert(CACHE_CONTROL, age);
    }
    response
}

/// RFC 9110 §13.1.2: by weak comparison.
fn is_among(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter();
    known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/").as_bytes() == etag.as_bytes())
}
