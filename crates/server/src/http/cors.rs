//! Scripts of other origins (the Fetch standard's CORS): only those that are configured.

use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use ::http::{HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::answer::DPOP_NONCE;

/// How long a browser may remember what it was told. Longer than a page loads, shorter than an
/// operator waits for a change.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Every origin.
pub(crate) const ANY: &str = "*";

/// Lets scripts of these origins send and read what OAuth needs; never with cookies. `None` where
/// there is no origin.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == ANY) {
        AllowOrigin::any()
    } else {
        // What is configured are URLs.
        let origins = origins.iter().map(String::as_str);
        AllowOrigin::list(origins.filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("dpop")])
            .expose_headers([DPOP_NONCE, RETRY_AFTER])
            .max_age(REMEMBERED),
    )
}
