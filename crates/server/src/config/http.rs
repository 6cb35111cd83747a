//! Where the HTTP endpoints are served, and to whose scripts.

use std::net::SocketAddr;
use std::sync::Arc;

use countersign_issuer::IssuerName;
use countersign_issuer::model::Acr;
use url::Url;

use super::check::{contradiction, is_secure};
use super::{Config, ConfigError};
use crate::login;

/// The HTTP endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where they are.
    pub place: HttpPlace,
    /// Origins whose scripts may use them; `*` is every origin.
    pub cors_origins: Vec<String>,
    /// The login application that `/authorize` sends browsers to. `None`: there is no `/authorize`.
    pub login_url: Option<String>,
    /// How people can log in there (`acr_values`), for the metadata.
    pub login_acr_values: Vec<String>,
    /// The metadata list the scopes of all resources.
    pub list_scopes: bool,
    /// `/authorize` takes only requests that were pushed (RFC 9126 §5), whoever the client is.
    pub only_pushed: bool,
}

/// Where people log in.
#[derive(Clone, Debug)]
pub(crate) struct LoginUrl(Arc<str>);

impl LoginUrl {
    /// What is configured, or the application that the service serves itself.
    pub(crate) fn of(config: &Config, issuer: &IssuerName) -> Option<Self> {
        if let Some(url) = &config.http.login_url {
            return Some(Self(url.as_str().into()));
        }
        let own = || Self(issuer.below(login::PATH).into());
        config.login.serve.then(own)
    }

    /// With the handle of an interaction behind it: letters, digits, `-` and `_`.
    pub(crate) fn with(&self, interaction: &str) -> String {
        let separator = if self.0.contains('?') { '&' } else { '?' };
        format!("{}{separator}interaction={interaction}", self.0)
    }
}

/// Where the HTTP endpoints are.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum HttpPlace {
    /// At the address of gRPC: requests are told apart by content type.
    Shared,
    /// At an address of their own; port 0 takes any free one.
    Own(SocketAddr),
    /// Nowhere: gRPC alone is served.
    Nowhere,
}

impl HttpPlace {
    pub(super) const SHARED: &'static str = "shared";
    pub(super) const NOWHERE: &'static str = "none";

    /// The address of their own, if they have one.
    pub(crate) fn own(self) -> Option<SocketAddr> {
        match self {
            Self::Own(address) => Some(address),
            Self::Shared | Self::Nowhere => None,
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            Self::SHARED => Some(Self::Shared),
            Self::NOWHERE => Some(Self::Nowhere),
            text => text.parse().ok().map(Self::Own),
        }
    }
}

/// An origin of scripts, as a browser writes it: scheme, host and port, nothing behind.
pub(super) fn is_origin(text: &str) -> bool {
    text == "*"
        || Url::parse(text).is_ok_and(|url| {
            matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text
        })
}

/// One of the words of `acr_values`, which are separated by spaces.
pub(super) fn is_acr_value(text: &str) -> bool {
    !text.contains(char::is_whitespace) && Acr::parse(text).is_ok_and(|acr| acr.is_some())
}

/// Where browsers with the handle of an interaction may be sent.
fn is_login(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    Url::parse(text).is_ok_and(|url| {
        let bare = url.username().is_empty() && url.password().is_none();
        is_plain && is_secure(&url) && bare && url.fragment().is_none()
    })
}

impl Config {
    pub(super) fn check_http(&self) -> Result<(), ConfigError> {
        if self
            .http
            .login_url
            .as_deref()
            .is_some_and(|url| !is_login(url))
        {
            return Err(contradiction(
                "http.login_url",
                "must be an https URL (http for loopback) without user and fragment",
            ));
        }
        if self.http.login_url.is_none() && !self.http.login_acr_values.is_empty() {
            return Err(contradiction(
                "http.login_acr_values",
                "must be set only where http.login_url is: they are of the application there",
            ));
        }
        let Some(address) = self.http.place.own() else {
            return Ok(());
        };
        if self.tls.is_none() && !address.ip().is_loopback() {
            return Err(contradiction(
                "tls.certificate_file",
                "must be set, with tls.key_file, unless http.address is a loopback address",
            ));
        }
        if self.issuer.is_none() {
            return Err(contradiction(
                "issuer",
                "must be set where http.address is an address: the URL that HTTP clients reach the \
                 service by (add that of gRPC to listen.origins)",
            ));
        }
        if address == self.listen.address && address.port() != 0 {
            return Err(contradiction(
                "http.address",
                "must be another address than listen.address, or the word shared",
            ));
        }
        Ok(())
    }
}
