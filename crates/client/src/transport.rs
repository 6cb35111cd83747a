//! Connections: encrypted, unless they stay on this machine.

use std::time::Duration;

use countersign_dpop::without_userinfo;
use http::Uri;
use http::uri::Scheme;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::error::{ConnectError, WarmError};
use crate::reach::is_this_machine;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// With TLS.
const CONNECTED: Duration = Duration::from_secs(10);
/// A connection whose other end is gone is noticed within 40 s, also behind
/// something that drops idle connections silently.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(10);

/// How connections are made.
#[derive(Clone, Debug, Default)]
pub struct Transport {
    authorities: Vec<Vec<u8>>,
    plaintext: bool,
}

impl Transport {
    /// TLS with the system's roots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts this certificate authority, and the system's roots no more.
    #[must_use]
    pub fn trust_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// Connects to `http` URLs of other machines too. Only where something else
    /// encrypts the connection.
    #[must_use]
    pub fn allow_plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// A channel that connects when it is first used, and again whenever the
    /// connection is lost.
    ///
    /// # Errors
    /// When the URL cannot be called, or not safely.
    pub fn channel(&self, url: &str) -> Result<Channel, ConnectError> {
        Ok(self.endpoint(url, None)?.connect_lazy())
    }

    /// The same, which shows this certificate if it is asked for one.
    pub(crate) fn channel_showing(
        &self,
        url: &str,
        identity: &Identity,
    ) -> Result<Channel, ConnectError> {
        Ok(self.endpoint(url, Some(identity))?.connect_lazy())
    }

    /// The same, connected.
    ///
    /// # Errors
    /// When the URL cannot be called, or not safely, or nobody answers there
    /// within ten seconds.
    pub async fn connected(&self, url: &str) -> Result<Channel, WarmError> {
        self.connected_showing(url, None).await
    }

    pub(crate) async fn connected_showing(
        &self,
        url: &str,
        identity: Option<&Identity>,
    ) -> Result<Channel, WarmError> {
        let unreachable = |cause: String| WarmError::Unreachable {
            url: without_userinfo(url).into_owned(),
            cause,
        };
        let endpoint = self.endpoint(url, identity)?;
        match tokio::time::timeout(CONNECTED, endpoint.connect()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(unreachable(chain(&error))),
            Err(_) => Err(unreachable("no answer within 10 s".to_owned())),
        }
    }

    /// Looks at a URL that others connect to.
    #[cfg(feature = "reqwest")]
    pub(crate) fn look_at(&self, url: &str) -> Result<(), ConnectError> {
        self.permitted(url).map(drop)
    }

    fn endpoint(&self, url: &str, identity: Option<&Identity>) -> Result<Endpoint, ConnectError> {
        Ok(self
            .safe(url, identity)?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEPALIVE_EVERY)
            .keep_alive_timeout(KEEPALIVE_WITHIN)
            .tcp_nodelay(true))
    }

    fn safe(&self, url: &str, identity: Option<&Identity>) -> Result<Endpoint, ConnectError> {
        let uri = self.permitted(url)?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Endpoint::from(uri));
        }
        let tls = |error: tonic::transport::Error| ConnectError::Tls {
            url: without_userinfo(url).into_owned(),
            cause: chain(&error),
        };
        // rustls would take it for an authority that trusts nobody.
        if !self.authorities.iter().all(|pem| holds_certificate(pem)) {
            return Err(ConnectError::Tls {
                url: without_userinfo(url).into_owned(),
                cause: "the authority's file holds no certificate".to_owned(),
            });
        }
        let config = match identity {
            Some(identity) => self.tls().identity(identity.clone()),
            None => self.tls(),
        };
        Endpoint::from(uri).tls_config(config).map_err(tls)
    }

    /// A URL to which tokens may be sent: nobody on the way can read them.
    fn permitted(&self, url: &str) -> Result<Uri, ConnectError> {
        let refuse = |cause: &str| ConnectError::Url {
            url: without_userinfo(url).into_owned(),
            cause: cause.to_owned(),
        };
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| refuse(&error.to_string()))?;
        let host = uri.host().ok_or_else(|| refuse("it has no host"))?;
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if self.plaintext || is_this_machine(host) => Ok(uri),
            Some("http") => Err(ConnectError::Plaintext {
                url: without_userinfo(url).into_owned(),
            }),
            Some(other) => Err(refuse(&format!("scheme {other:?} is not http or https"))),
            None => Err(refuse("it has no scheme")),
        }
    }

    fn tls(&self) -> ClientTlsConfig {
        let config = ClientTlsConfig::new();
        if self.authorities.is_empty() {
            return config.with_native_roots();
        }
        config.ca_certificates(self.authorities.iter().map(Certificate::from_pem))
    }
}

/// RFC 7468 §5.1.
pub(crate) fn holds_certificate(pem: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    pem.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// Whether whoever answers at this URL can ask for a certificate.
pub(crate) fn is_encrypted(url: &str) -> bool {
    let uri = url.parse::<Uri>();
    uri.is_ok_and(|uri| uri.scheme() == Some(&Scheme::HTTPS))
}

/// tonic says only "transport error"; its sources say which.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_stays_on_this_machine_unless_told() {
        let check = |url: &str, allowed: bool| {
            assert_eq!(
                Transport::new().endpoint(url, None).is_ok(),
                allowed,
                "{url}"
            );
        };
        check("http://127.0.0.1:1", true);
        check("http://127.9.9.9:1", true);
        check("http://[::1]:1", true);
        check("http://localhost:1", true);
        check("http://10.0.0.1:1", false);
        check("http://localhost.example:1", false);
        check("http://orders.internal", false);
        check("ftp://127.0.0.1", false);
        check("/relative", false);
        check("", false);
        let told = Transport::new().allow_plaintext();
        assert!(told.endpoint("http://orders.internal", None).is_ok());
    }
}
