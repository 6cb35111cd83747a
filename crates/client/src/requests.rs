//! Requests of reqwest to servers that are guarded over HTTP.

mod exchange;
mod middleware;

use std::sync::Arc;

use reqwest::redirect;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware};

use self::middleware::{Attach, Server};
use crate::audience::{Audience, Source};
use crate::countersign::Countersign;
use crate::error::ConnectError;
use crate::source::{RefreshToken, TokenSource};

/// Describes a client of reqwest whose every request has a token and a proof; made by
/// [`Countersign::http`].
///
/// ```no_run
/// use countersign_client::outcome::HttpRefused;
/// use countersign_client::{Countersign, HttpServer};
///
/// # async fn ask(countersign: Countersign) -> Result<(), Box<dyn std::error::Error>> {
/// let http = countersign
///     .http(reqwest::Client::builder())
///     .server(HttpServer::at("https://orders.example").scopes(["orders.read"]))
///     .server(HttpServer::at("https://stock.example").scopes(["stock.read"]))
///     .build()?;
/// let answer = http.get("https://orders.example/orders/7").send().await?;
/// if let Some(refused) = HttpRefused::of_response(&answer) {
///     println!("refused: {:?}", refused.error);
/// }
/// # Ok(())
/// # }
/// ```
///
/// A request for any other origin fails with [`CallError::Elsewhere`](crate::CallError::Elsewhere)
/// and is not sent. What it already has in `authorization` and `dpop` is replaced.
#[must_use]
pub struct HttpBuilder {
    countersign: Countersign,
    http: reqwest::ClientBuilder,
    servers: Vec<HttpServer>,
    above: Vec<Arc<dyn Middleware>>,
}

/// A server that is guarded over HTTP, and what requests to it carry.
#[must_use]
pub struct HttpServer {
    url: String,
    audience: Audience,
}

impl HttpServer {
    /// The server at this URL: the origin that its guard serves, and its resource. With a path,
    /// all that is below it.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            audience: Audience::default(),
        }
    }

    /// The scopes that requests need. None: all that the client is registered for at the resource.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.audience.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The resource that the token is for, as it was registered. Without it, the URL.
    pub fn resource(mut self, uri: impl Into<String>) -> Self {
        self.audience.resource = Some(uri.into());
        self
    }

    /// Takes access tokens from this refresh token's family instead of asking for them in the
    /// client's own name.
    pub fn refresh_token(mut self, family: RefreshToken) -> Self {
        self.audience.source = Some(Source::Refresh(Box::new(family)));
        self
    }

    /// Takes access tokens from elsewhere. They must be bound to this [`Countersign`]'s proof key.
    pub fn tokens(mut self, source: Arc<dyn TokenSource>) -> Self {
        self.audience.source = Some(Source::Given(source));
        self
    }
}

impl HttpBuilder {
    pub(crate) fn new(countersign: Countersign, http: reqwest::ClientBuilder) -> Self {
        Self {
            countersign,
            http,
            servers: Vec::new(),
            above: Vec::new(),
        }
    }

    /// Sends requests to this server. Where two have the same host and one a longer path, requests
    /// below that path are its own.
    pub fn server(mut self, server: HttpServer) -> Self {
        self.servers.push(server);
        self
    }

    /// Puts a middleware above, such as one that retries: each of its attempts gets a proof of its
    /// own. The first is outermost.
    pub fn with(mut self, middleware: impl Middleware) -> Self {
        self.above.push(Arc::new(middleware));
        self
    }

    /// The client. Connects, and fetches tokens, when it is first used.
    ///
    /// # Errors
    /// When the configuration is wrong; see [`ConnectError`].
    pub fn build(self) -> Result<ClientWithMiddleware, ConnectError> {
        let servers = self
            .servers
            .iter()
            .map(|server| self.countersign.caller_at(&server.url, &server.audience))
            .collect::<Result<Vec<_>, _>>()?;
        let attach = Attach::to(servers.into_iter().map(Server::of).collect())?;
        let http = self
            .http
            // It would send the same proof once more, and the proof and perhaps the token to
            // somebody else.
            .redirect(redirect::Policy::none())
            // A proof is accepted once: what is sent again is signed again, by the middleware.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| ConnectError::Http(error.to_string()))?;
        let above = self
            .above
            .into_iter()
            .fold(ClientBuilder::new(http), ClientBuilder::with_arc);
        // Innermost: what stands below it would not be signed again.
        Ok(above.with(attach).build())
    }
}
