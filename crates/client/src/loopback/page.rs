//! What a person sees in the browser. Nothing in it comes from the request, and nothing in it runs.

use std::sync::LazyLock;

use bytes::Bytes;
use countersign_jose::{base64url, sha256};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;\
padding:0 1.25rem;color:#1c1c1e;background:#fff}h1{font-size:1.5rem}\
@media(prefers-color-scheme:dark){body{color:#f2f2f7;background:#1c1c1e}}";

/// The one style is let in by its hash, and nothing else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let url_safe = base64url::encode(sha256(&[STYLE.as_bytes()]));
    // Content Security Policy writes it in the ordinary alphabet, padded.
    let hash = url_safe.replace('-', "+").replace('_', "/");
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}='; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(
        "default-src 'none'; frame-ancestors 'none'",
    ))
});

/// What is shown.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Approved,
    Refused,
    Wrong,
    OtherRequest,
    OtherPlace,
    OtherMethod,
}

impl Page {
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let (status, title, text) = self.says();
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <main>\n<h1>{title}</h1>\n<p>{text}</p>\n</main>\n</body>\n</html>\n"
        );
        let mut response = Response::new(Full::new(Bytes::from(html)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            // The address of this page has a code in it.
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        if self == Self::OtherMethod {
            headers.insert(ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }

    fn says(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Approved => (
                StatusCode::OK,
                "You are done here",
                "Go back to the program that sent you. This window can be closed.",
            ),
            Self::Refused => (
                StatusCode::OK,
                "Nothing was approved",
                "Go back to the program that sent you: it says why. This window can be closed.",
            ),
            Self::Wrong => (
                StatusCode::BAD_REQUEST,
                "This answer cannot be used",
                "Go back to the program that sent you: it says why.",
            ),
            Self::OtherRequest => (
                StatusCode::BAD_REQUEST,
                "This answers another request",
                "The program waits for the answer to its own. Go on in the window that it opened \
                 last, or begin again in the program.",
            ),
            Self::OtherPlace => (
                StatusCode::NOT_FOUND,
                "There is nothing here",
                "A program waits here for a browser that comes back from a login, and for nothing \
                 else.",
            ),
            Self::OtherMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "There is nothing here",
                "A program waits here for a browser that comes back from a login, and for nothing \
                 else.",
            ),
        }
    }
}
