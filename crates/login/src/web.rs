//! What a browser asks for: the routes, and what the handlers share.

mod account;
mod asking;
mod decide;
mod device;
mod enter;
mod leave;
mod password;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use countersign_client::clock::Clock;
use countersign_client::reach::is_confidential;
use countersign_jose::UnixTime;
use countersign_store::Store;
use http::HeaderValue;
use http::header::ALLOW;
use thiserror::Error;
use url::Url;

use crate::accounts::Accounts;
use crate::address::Proxies;
use crate::consents::Consents;
use crate::event::Witness;
use crate::pages::Place;
use crate::sessions::Sessions;
use crate::throttle::Throttle;
use crate::token_service::TokenService;
use asking::{Asking, Sent};
use reply::{Reply, Stop};

/// Every page and form, below the path of the application.
pub const PAGES: [&str; 9] = [
    "",
    "password",
    "decision",
    "device",
    "account",
    "forget",
    "end-session",
    "logout",
    "style.css",
];

/// Shows what a browser asks for.
macro_rules! page {
    ($shown:path) => {
        |State(app): State<App>, asking: Asking| async move {
            app.answer($shown(&app.0, &asking).await)
        }
    };
}

/// Does what a form says.
macro_rules! form {
    ($done:path) => {
        |State(app): State<App>, sent: Sent| async move { app.answer($done(&app.0, sent).await) }
    };
}

/// How the application is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL that browsers reach it by.
    pub url: String,
    /// The issuer: where browsers are sent afterwards.
    pub issuer: String,
    /// Whether a proxy stands in front.
    pub proxies: Proxies,
}

impl Settings {
    /// Whether they make sense: the URL that browsers reach it by, read.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn check(&self) -> Result<Url, SettingsError> {
        let url = Url::parse(&self.url).map_err(|_| SettingsError::Url)?;
        if !is_right(&url) {
            return Err(SettingsError::Url);
        }
        let issuer = Url::parse(&self.issuer).map_err(|_| SettingsError::Issuer)?;
        if !matches!(issuer.scheme(), "https" | "http") {
            return Err(SettingsError::Issuer);
        }
        Ok(url)
    }
}

/// Settings that make no sense.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SettingsError {
    /// The application's own URL.
    #[error(
        "the URL of the login application must be an https URL without query and fragment, or http on loopback"
    )]
    Url,
    /// The issuer.
    #[error("the issuer must be an https or http URL")]
    Issuer,
}

/// The application.
#[derive(Clone)]
pub struct App(Arc<Inner>);

pub(crate) struct Inner {
    place: Place,
    /// As browsers write it in `Origin`.
    origin: String,
    proxies: Proxies,
    clock: Arc<dyn Clock>,
    accounts: Accounts,
    sessions: Sessions,
    consents: Consents,
    throttle: Throttle,
    tokens: Arc<dyn TokenService>,
    witness: Arc<dyn Witness>,
}

impl App {
    /// An application of these accounts, with sessions and consent in `store`; `witness` counts
    /// logins that were refused.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(
        settings: &Settings,
        store: &Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        accounts: Accounts,
        tokens: Arc<dyn TokenService>,
        witness: Arc<dyn Witness>,
    ) -> Result<Self, SettingsError> {
        let url = settings.check()?;
        Ok(Self(Arc::new(Inner {
            place: Place::at(&url),
            origin: url.origin().ascii_serialization(),
            proxies: settings.proxies,
            sessions: Sessions::new(Arc::clone(store), accounts.clone()),
            consents: Consents::new(Arc::clone(store)),
            clock,
            accounts,
            throttle: Throttle::new(),
            tokens,
            witness,
        })))
    }

    /// What it answers, below the path of its URL. Whoever serves it says where connections come
    /// from, with axum's `ConnectInfo<SocketAddr>` among the extensions of requests.
    pub fn router(&self) -> Router {
        self.router_below(&self.0.place.base)
    }

    /// The same where somebody in front takes a part of its URL's path off: below `base`.
    pub fn router_below(&self, base: &str) -> Router {
        let at = |path: &str| format!("{base}/{path}");
        // A path of its URL that begins with `:` or `*` is that path.
        let mut router = Router::new()
            .without_v07_checks()
            .route(&at(""), entrance())
            .route(&at("password"), post(form!(password::given)))
            .route(&at("decision"), post(form!(decide::decided)))
            .route(
                &at("device"),
                get(page!(device::asked)).post(form!(device::typed)),
            )
            .route(&at("account"), get(page!(account::shown)))
            .route(&at("forget"), post(form!(account::forgotten)))
            .route(&at("end-session"), post(form!(account::ended)))
            .route(
                &at("logout"),
                get(page!(leave::asked)).post(form!(leave::left)),
            )
            .route(&at("style.css"), get(reply::style));
        if !base.is_empty() {
            router = router.route(base, entrance());
        }
        let nothing = |State(app): State<Self>| async move { app.answer(Err(Stop::NoSuchPage)) };
        let other = |State(app): State<Self>| async move { app.answer(Err(Stop::Method)) };
        router
            .fallback(nothing)
            .method_not_allowed_fallback(other)
            .with_state(self.clone())
    }

    fn answer(&self, reply: Result<Reply, Stop>) -> Response {
        let place = &self.0.place;
        match reply {
            Ok(reply) => reply.response(place),
            Err(stop) => stop.reply(place).response(place),
        }
    }
}

/// Where browsers arrive. Looking at it first (`HEAD`) would decide what need not be asked.
fn entrance() -> MethodRouter<App> {
    let other = |State(app): State<App>| async move {
        let mut response = app.answer(Err(Stop::Method));
        let allowed = HeaderValue::from_static("GET");
        response.headers_mut().insert(ALLOW, allowed);
        response
    };
    get(page!(enter::entered)).head(other).fallback(other)
}

/// A cookie that must be sent over TLS is also sent to this machine itself.
fn is_right(url: &Url) -> bool {
    let secure = is_confidential(url.scheme(), url.host_str().unwrap_or_default());
    let plain = url.query().is_none() && url.fragment().is_none();
    secure && plain && url.username().is_empty() && url.password().is_none()
}

impl Inner {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// By a clock that never jumps.
    fn steady(&self) -> Duration {
        self.clock.steady()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pages_are_named() {
        // Of this file, and not of its test.
        let (source, _) = include_str!("web.rs").split_once("#[cfg(test)]").unwrap();
        let routes = source.split("&at(\"").skip(1);
        let routes: Vec<_> = routes.map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(routes, PAGES);
    }
}
