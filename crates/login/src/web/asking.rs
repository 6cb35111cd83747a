//! What every request is asked first: which browser it is, and, of a form, whether it is ours.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use cookie::Cookie;
use countersign_form::{Unread, read};
use countersign_jose::UnixTime;
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, USER_AGENT};
use http::request::Parts;

use super::App;
use super::reply::Stop;
use crate::address::Address;
use crate::csrf;
use crate::fields::Fields;
use crate::named::Named;
use crate::pages::Place;
use crate::session::{BrowserId, BrowserName};
use crate::sessions::Sessions;

/// The longest form: a hundred scopes of the longest that there are fit.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// A browser, by its cookie.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) id: BrowserId,
    /// It has no cookie yet.
    pub(crate) is_new: bool,
}

/// A page is asked for.
pub(crate) struct Asking {
    pub(crate) browser: Browser,
    pub(crate) query: Fields,
}

/// A form of ours was sent from a page of ours.
pub(crate) struct Sent {
    pub(crate) browser: Browser,
    pub(crate) address: Address,
    /// What the browser calls itself.
    pub(crate) agent: BrowserName,
    pub(crate) fields: Fields,
}

impl Asking {
    /// The authorization request that it is about.
    pub(crate) fn request(&self, now: UnixTime) -> Option<Named<'_>> {
        Named::of(&self.query, &self.browser.id, now)
    }
}

impl Sent {
    /// The authorization request that it is about.
    pub(crate) fn request(&self, now: UnixTime) -> Option<Named<'_>> {
        Named::of(&self.fields, &self.browser.id, now)
    }
}

impl FromRequestParts<App> for Asking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let browser = match browser(&parts.headers, &app.0.place) {
            Some(id) => Browser { id, is_new: false },
            None => Browser {
                id: Sessions::new_id().map_err(|error| app.answer(Err(error.into())))?,
                is_new: true,
            },
        };
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let query = Fields::parse(query).map_err(|_| app.answer(Err(Stop::Malformed)))?;
        Ok(Self { browser, query })
    }
}

impl FromRequest<App> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let stop = |stop: Stop| app.answer(Err(stop));
        let (parts, body) = request.into_parts();
        // Before anything is read.
        if !csrf::from_our_page(&parts.headers, &app.0.origin) {
            return Err(stop(Stop::Forged));
        }
        let id = browser(&parts.headers, &app.0.place).ok_or_else(|| stop(Stop::Forged))?;
        let address = Address::of_request(&parts, app.0.proxies);
        let agent = parts.headers.get(USER_AGENT).map(HeaderValue::as_bytes);
        let agent = BrowserName::of(&String::from_utf8_lossy(agent.unwrap_or_default()));
        let bytes = read(&parts, body, FORM_BYTES_MAX).await;
        let bytes = bytes.map_err(|unread| {
            stop(match unread {
                Unread::MediaType => Stop::MediaType,
                Unread::TooLarge => Stop::TooLarge,
                Unread::Late => Stop::Late,
                Unread::Cut => Stop::Malformed,
            })
        })?;
        let fields = Fields::parse(&bytes).map_err(|_| stop(Stop::Malformed))?;
        let token = fields.one("token").unwrap_or_default();
        if !csrf::is_token_of(&id, token) {
            return Err(stop(Stop::Forged));
        }
        Ok(Self {
            browser: Browser { id, is_new: false },
            address,
            agent,
            fields,
        })
    }
}

fn browser(headers: &HeaderMap, place: &Place) -> Option<BrowserId> {
    let cookies = headers.get_all(COOKIE).iter();
    cookies
        .flat_map(|it| it.as_bytes().split(|byte| *byte == b';'))
        // One that is no text is passed over by itself: a neighbour's host can plant it beside ours, and
        // must not hide it.
        .filter_map(|it| str::from_utf8(it).ok())
        .filter_map(|it| Cookie::parse(it).ok())
        .find(|cookie| cookie.name() == place.cookie_name)
        .and_then(|cookie| BrowserId::parse(cookie.value()))
}
