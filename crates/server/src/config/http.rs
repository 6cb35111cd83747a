//! Where the HTTP endpoints are served, and to whose scripts.

use std::net::SocketAddr;

use url::Url;

use super::check::contradiction;
use super::{Config, ConfigError};

/// The HTTP endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where they are.
    pub place: HttpPlace,
    /// Origins whose scripts may use them; `*` is every origin.
    pub cors_origins: Vec<String>,
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

impl Config {
    pub(super) fn check_http(&self) -> Result<(), ConfigError> {
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
