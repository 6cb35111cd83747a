//! What a person reads where there is nobody to send the browser to: a page without anything that
//! runs, loads, posts, or can be framed.

use std::fmt::Write as _;
use std::sync::LazyLock;

use ::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_FRAME_OPTIONS,
};
use ::http::{HeaderMap, HeaderValue};
use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign_jose::sha256;

use super::answer;
use super::problem::Problem;

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;\
padding:0 1.25rem;color:#1c1c1e;background:#fff}h1{font-size:1.5rem}p{overflow-wrap:anywhere}\
.why{color:#545458;font-size:.95rem}\
@media(prefers-color-scheme:dark){body{color:#f2f2f7;background:#1c1c1e}.why{color:#aeaeb2}}";

/// What is to be done about it: title, and what comes below.
const NOT_SO: (&str, &str) = (
    "This request cannot go on",
    "Go back to the application that you came from, and begin again there.",
);
const NOT_NOW: (&str, &str) = (
    "This does not work right now",
    "Wait a moment, and load this page again.",
);

/// For browsers that know no `frame-ancestors`.
const UNFRAMED: HeaderValue = HeaderValue::from_static("DENY");

/// The one style is let in by its hash, and nothing else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(sha256(&[STYLE.as_bytes()]));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    // Base64 and words.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(
        "default-src 'none'; frame-ancestors 'none'",
    ))
});

/// The problem as a page, and a word of it in the trace.
pub(super) fn of(problem: &Problem) -> Response {
    problem.noted();
    made(problem).map(Body::from)
}

/// The problem as a page.
pub(super) fn made(problem: &Problem) -> ::http::Response<Bytes> {
    let told = problem.told();
    let (title, advice) = if told.passes() { NOT_NOW } else { NOT_SO };
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n<p>{advice}</p>\n\
         <p class=\"why\">For whoever runs it: {}</p>\n</main>\n</body>\n</html>\n",
        escaped(&told.description)
    );
    let mut response = ::http::Response::new(Bytes::from(html));
    *response.status_mut() = told.status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(answer::NO_STORE));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(X_FRAME_OPTIONS, UNFRAMED);
    if let Some(secs) = told.retry_after_secs {
        headers.insert(RETRY_AFTER, secs.into());
    }
    if told.ends_connection {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Nobody shows the answer inside a page of his.
pub(super) fn unframed(headers: &mut HeaderMap) {
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.insert(X_FRAME_OPTIONS, UNFRAMED);
}

/// Nothing in it is markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // A string takes everything.
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text() {
        assert_eq!(
            escaped("a<script>\"x\"&'é"),
            "a&#60;script&#62;&#34;x&#34;&#38;&#39;é"
        );
    }
}
