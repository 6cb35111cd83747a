//! The keys that verify access tokens, as a JWK Set (RFC 7517 §5).

use std::sync::Arc;

use ::http::HeaderMap;
use axum::extract::State;
use axum::response::Response;

use super::{Edge, kept};

/// RFC 7517 §8.5.
const JWK_SET: &str = "application/jwk-set+json";

pub(super) async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let set = &edge.desk.keys;
    let in_use = set.in_use();
    kept::answer(&headers, in_use.document(), JWK_SET, set.max_age())
}
