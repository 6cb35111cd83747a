//! Where clients are asked for certificates (RFC 8705).

use std::net::SocketAddr;

use url::Url;

use super::check::contradiction;
use super::{Config, ConfigError};

/// The listener that asks clients for certificates: one of its own, so that browsers are never asked
/// (RFC 8705 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mtls {
    /// Its address; port 0 takes any free one. `None`: nobody is asked.
    pub address: Option<SocketAddr>,
    /// The URL that clients reach it by. `None`: `https://` and the address.
    pub url: Option<String>,
}

impl Mtls {
    /// The URL that clients reach it by, when it is at this address.
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        let said = self.url.clone();
        said.unwrap_or_else(|| format!("https://{address}"))
    }
}

/// As it stands before the path of an endpoint.
fn is_base(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| url.scheme() == "https" && url.origin().ascii_serialization() == text)
}

impl Config {
    pub(super) fn check_mtls(&self) -> Result<(), ConfigError> {
        let authorities = self
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_authorities_file.is_some());
        let Some(address) = self.mtls.address else {
            if authorities {
                return Err(contradiction(
                    "mtls.address",
                    "must be set where tls.client_authorities_file is: the address at which clients \
                     are asked for certificates",
                ));
            }
            return match &self.mtls.url {
                Some(_) => Err(contradiction(
                    "mtls.address",
                    "must be set where mtls.url is: the address that it leads to",
                )),
                None => Ok(()),
            };
        };
        if self.tls.is_none() {
            return Err(contradiction(
                "tls.certificate_file",
                "must be set, with tls.key_file, where mtls.address is",
            ));
        }
        let others = [Some(self.listen.address), self.http.place.own()];
        if address.port() != 0 && others.contains(&Some(address)) {
            return Err(contradiction(
                "mtls.address",
                "must be another address than listen.address and http.address: browsers must not be \
                 asked for certificates",
            ));
        }
        match &self.mtls.url {
            Some(url) if !is_base(url) => Err(contradiction(
                "mtls.url",
                "must be https:// with a host, a port unless it is 443, and nothing behind, as in \
                 https://mtls.tokens.internal:7444",
            )),
            None if !address.ip().is_loopback() => Err(contradiction(
                "mtls.url",
                "must be set unless mtls.address is a loopback address: the URL that clients with \
                 certificates reach the service by",
            )),
            Some(_) | None => Ok(()),
        }
    }
}
