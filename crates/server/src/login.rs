//! The login application: as a part of the token service, or in a process of its own.
//!
//! What people see and what they decide is `countersign-login`'s affair. Here it gets a store, a
//! clock, listeners, and a way to ask the token service: gRPC, or the same decisions in process.

mod alone;
mod in_process;

use std::future::{Ready, ready};
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use axum::Router;
use axum::extract::{ConnectInfo, RawQuery};
use axum::response::{IntoResponse, Redirect, Response};
use countersign_client::clock::Clock;
use countersign_issuer::IssuerName;
use countersign_issuer::model::ClientId;
use countersign_login::{Accounts, App, Passwords, Proxies, Settings, SettingsError};
use countersign_store::Store;
use http::Request;
use http::header::CACHE_CONTROL;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;

use crate::config::Config;
use crate::start::StartError;

pub use alone::{LoginApp, LoginConfig, LoginRunning};
pub(crate) use in_process::InProcess;

/// Where it is, below the issuer.
pub(crate) const PATH: &str = "/login";

/// Where people type the codes of devices: short, since they type this, too.
pub(crate) const DEVICE: &str = "/device";

/// Where a form with a password goes.
pub(crate) const PASSWORD: &str = "/login/password";

/// The pages below [`PATH`], and the short address that leads to one of them.
const PAGES: [&str; 10] = [
    PATH,
    PASSWORD,
    "/login/decision",
    "/login/device",
    "/login/account",
    "/login/forget",
    "/login/end-session",
    "/login/logout",
    "/login/style.css",
    DEVICE,
];

/// The page that has this path.
pub(crate) fn page(path: &str) -> Option<&'static str> {
    PAGES.into_iter().find(|page| *page == path)
}

/// Passwords that are hashed at once, at most: each takes 19 MiB.
const PASSWORDS_AT_ONCE_MAX: usize = 8;

/// The accounts in that store.
pub(crate) fn accounts(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> Result<Accounts, StartError> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let passwords = Passwords::new(cores.min(PASSWORDS_AT_ONCE_MAX));
    let passwords = passwords.map_err(|error| StartError::Login(error.to_string()))?;
    Ok(Accounts::new(
        Arc::clone(store),
        Arc::clone(clock),
        passwords,
    ))
}

/// The application as a part of the service, if it is to be served: what answers below [`PATH`].
pub(crate) fn mounted(
    config: &Config,
    issuer: &IssuerName,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    accounts: &Accounts,
    tokens: InProcess,
) -> Result<Option<Router>, StartError> {
    let witness = Arc::clone(&tokens.desk.engine.audit);
    if !config.login.serve {
        return Ok(None);
    }
    let settings = Settings {
        url: issuer.below(PATH),
        issuer: issuer.as_str().to_owned(),
        proxies: proxies(config.login.behind_proxy),
    };
    let app = App::new(
        &settings,
        store,
        Arc::clone(clock),
        accounts.clone(),
        Arc::new(tokens),
        witness,
    );
    let app = app.map_err(|error| wrong(&error))?;
    Ok(Some(app.router_below("")))
}

/// Where people log in at the application that is a part of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedLogin {
    /// The page, which a person can also open without having been sent there by a client.
    pub url: String,
    /// Nobody can log in: there is no account at all.
    pub is_empty: bool,
}

/// Where it is, if it is to be served.
pub(crate) async fn served(
    config: &Config,
    issuer: &IssuerName,
    accounts: &Accounts,
) -> Result<Option<ServedLogin>, StartError> {
    if !config.login.serve {
        return Ok(None);
    }
    let page = accounts.page(None, 1).await;
    let page = page.map_err(|error| StartError::Login(error.to_string()))?;
    Ok(Some(ServedLogin {
        url: issuer.below(PATH),
        is_empty: page.accounts.is_empty(),
    }))
}

/// Leads from [`DEVICE`] to the application's own page, with the code if the link has one.
pub(crate) fn device_page(
    issuer: &IssuerName,
) -> impl Fn(RawQuery) -> Ready<Response> + Clone + use<> {
    let page = format!("{}{DEVICE}", issuer.below(PATH));
    move |RawQuery(query)| {
        let to = match query {
            Some(query) => Redirect::to(&format!("{page}?{query}")),
            None => Redirect::to(&page),
        };
        // The code is in it.
        ready(([(CACHE_CONTROL, "no-store")], to).into_response())
    }
}

pub(crate) const fn proxies(one: bool) -> Proxies {
    if one { Proxies::One } else { Proxies::None }
}

fn wrong(error: &SettingsError) -> StartError {
    StartError::Login(error.to_string())
}

/// Who decides in process, as the audit log has it: no client is registered for it.
pub(crate) fn decider() -> ClientId {
    ClientId::parse("countersign-login-app").expect("it is a client's name")
}

/// The request with its peer as axum has it.
pub(crate) fn with_peer(mut request: Request<Body>) -> Request<Body> {
    let peer = request.extensions().get::<TcpConnectInfo>();
    if let Some(address) = peer.and_then(TcpConnectInfo::remote_addr) {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pages_have_their_names() {
        for below in countersign_login::PAGES {
            let path = format!("{PATH}/{below}");
            let path = path.trim_end_matches('/');
            assert_eq!(page(path), Some(path));
        }
        assert_eq!(PAGES.len(), countersign_login::PAGES.len() + 1);
        assert_eq!(page(DEVICE), Some(DEVICE));
        assert_eq!(page("/login/none"), None);
    }
}
