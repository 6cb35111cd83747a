//! What goes back to the browser: pages with their policy, redirects, and why there is neither.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use cookie::{Cookie, SameSite};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, StatusCode};
use tracing::{error, warn};
use url::Url;

use super::asking::Browser;
use crate::accounts::AccountsError;
use crate::pages::{self, Page, Place};
use crate::password::NotHashed;
use crate::session::BrowserId;
use crate::token_service::Trouble;

/// What is said where the token service does not say how long to wait.
const WAIT: Duration = Duration::from_secs(5);

/// Schemes that a browser runs or shows itself: nowhere to send anybody.
const OWN_SCHEMES: [&str; 7] = [
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "javascript",
    "view-source",
];

/// No script, no frame, nothing from elsewhere; forms lead here and nowhere else, redirects after
/// them included.
const POLICY: &str = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'self'";

/// An answer.
pub(crate) struct Reply {
    status: StatusCode,
    body: Content,
    cookie: Option<Keeps>,
    retry_after: Option<Duration>,
}

/// What the browser is told to keep.
enum Keeps {
    /// Who it is from now on.
    Name(String),
    /// Nothing.
    Nothing,
}

enum Content {
    Page(Page),
    /// A form was dealt with: on with GET.
    Redirect(String),
}

/// Why a request comes to nothing. People are shown a page.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A form that no page of ours sent, or a browser without cookies.
    Forged,
    /// A request that no page of ours makes.
    Malformed,
    TooLarge,
    /// No form, or a compressed one.
    MediaType,
    /// The rest of a form did not come.
    Late,
    NoSuchPage,
    Method,
    /// No authorization request of that name waits.
    Gone,
    Busy(Duration),
    Fault,
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Gone => Self::Gone,
            Trouble::Busy(wait) => Self::Busy(wait.unwrap_or(WAIT)),
            Trouble::Away(why) => {
                warn!(%why, "the token service cannot be asked");
                Self::Busy(WAIT)
            }
        }
    }
}

impl From<AccountsError> for Stop {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::NotHashed(NotHashed::Busy) => Self::Busy(WAIT),
            AccountsError::Store(cause) => {
                error!(%cause, "the store of the login application");
                Self::Busy(WAIT)
            }
            error => {
                error!(%error, "the login application");
                Self::Fault
            }
        }
    }
}

impl Stop {
    pub(crate) fn reply(self, place: &Place) -> Reply {
        let (status, wait) = match &self {
            Self::Forged => (StatusCode::FORBIDDEN, None),
            Self::Malformed | Self::Gone => (StatusCode::BAD_REQUEST, None),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Self::Late => (StatusCode::REQUEST_TIMEOUT, None),
            Self::NoSuchPage => (StatusCode::NOT_FOUND, None),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, None),
            Self::Busy(wait) => (StatusCode::SERVICE_UNAVAILABLE, Some(*wait)),
            Self::Fault => (StatusCode::INTERNAL_SERVER_ERROR, None),
        };
        let page = match self {
            Self::Forged => pages::forged(place),
            Self::Malformed | Self::TooLarge | Self::MediaType | Self::Method => {
                pages::malformed(place)
            }
            Self::Late => pages::late(place),
            Self::NoSuchPage => pages::no_such_page(place),
            Self::Gone => pages::gone(),
            Self::Busy(_) => pages::busy(),
            Self::Fault => pages::fault(),
        };
        Reply {
            status,
            retry_after: wait,
            ..Reply::page(page)
        }
    }
}

impl Reply {
    /// A page.
    pub(crate) fn page(page: Page) -> Self {
        Self {
            status: StatusCode::OK,
            body: Content::Page(page),
            cookie: None,
            retry_after: None,
        }
    }

    /// On to another place.
    pub(crate) fn redirect(to: impl Into<String>) -> Self {
        Self {
            status: StatusCode::SEE_OTHER,
            body: Content::Redirect(to.into()),
            cookie: None,
            retry_after: None,
        }
    }

    /// On to a client, after a form: by a page, or the form's policy would hold for whatever the
    /// client redirects to.
    pub(crate) fn going_on(to: &str) -> Result<Self, Stop> {
        match Url::parse(to) {
            Ok(url) if !OWN_SCHEMES.contains(&url.scheme()) => Ok(Self::page(pages::going_on(to))),
            _ => {
                error!("the token service sends browsers to where nobody can go");
                Err(Stop::Fault)
            }
        }
    }

    /// The form was not taken: the page says why, and has it again.
    pub(crate) fn refused(mut self) -> Self {
        self.status = StatusCode::UNPROCESSABLE_ENTITY;
        self
    }

    /// Another attempt only after so long.
    pub(crate) fn paused(mut self, wait: Duration) -> Self {
        self.status = StatusCode::TOO_MANY_REQUESTS;
        self.retry_after = Some(wait);
        self
    }

    /// For a browser that the page's forms know by its cookie.
    pub(crate) fn for_browser(self, browser: &Browser) -> Self {
        if browser.is_new {
            self.known_as(&browser.id)
        } else {
            self
        }
    }

    /// The browser is known by this from now on.
    pub(crate) fn known_as(mut self, id: &BrowserId) -> Self {
        self.cookie = Some(Keeps::Name(id.reveal()));
        self
    }

    /// The browser forgets who it was.
    pub(crate) fn forgotten(mut self) -> Self {
        self.cookie = Some(Keeps::Nothing);
        self
    }

    pub(crate) fn response(self, place: &Place) -> Response {
        let cookie = self.cookie.map(|keeps| keeps.cookie(place));
        let body = match self.body {
            Content::Page(page) => page.html(place),
            Content::Redirect(to) => match HeaderValue::try_from(to) {
                Ok(to) => {
                    let mut response = self.status.into_response();
                    response.headers_mut().insert(LOCATION, to);
                    return finished(response, cookie);
                }
                Err(_) => {
                    error!("the token service sends browsers to what is no URL");
                    return Stop::Fault.reply(place).response(place);
                }
            },
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, html);
        if let Some(wait) = self.retry_after {
            let secs = pages::whole_secs(wait);
            response.headers_mut().insert(RETRY_AFTER, secs.into());
        }
        finished(response, cookie)
    }
}

impl Keeps {
    fn cookie(self, place: &Place) -> Cookie<'static> {
        let (value, is_gone) = match self {
            Self::Name(name) => (name, false),
            Self::Nothing => (String::new(), true),
        };
        let mut cookie = Cookie::build((place.cookie_name.clone(), value))
            .path("/")
            .secure(true)
            .http_only(true)
            // Sent when another site leads here, as clients do, and with no form of another site.
            .same_site(SameSite::Lax)
            .build();
        if is_gone {
            cookie.make_removal();
        }
        cookie
    }
}

fn finished(mut response: Response, cookie: Option<Cookie<'static>>) -> Response {
    let headers = response.headers_mut();
    protect(headers, POLICY);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie.and_then(|it| HeaderValue::try_from(it.to_string()).ok()) {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

fn protect(headers: &mut HeaderMap, policy: &'static str) {
    let fixed: [(HeaderName, &'static str); 5] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: browsers would then send forms with `Origin: null`.
        (REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static(policy);
    headers.insert(CONTENT_SECURITY_POLICY, policy);
}

/// The one stylesheet.
pub(crate) async fn style() -> Response {
    let mut response = Response::new(Body::from(pages::STYLE));
    let headers = response.headers_mut();
    protect(headers, "default-src 'none'; frame-ancestors 'none'");
    let css = HeaderValue::from_static("text/css; charset=utf-8");
    headers.insert(CONTENT_TYPE, css);
    let hour = HeaderValue::from_static("public, max-age=3600");
    headers.insert(CACHE_CONTROL, hour);
    response
}
