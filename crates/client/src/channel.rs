//! A channel to a guarded server.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use countersign_telemetry::ClientLayer;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use tonic::body::Body;
use tonic::transport::Channel;
use tower_layer::Layer as _;
use tower_service::Service;

use crate::audience::{Audience, Source};
use crate::countersign::Countersign;
use crate::error::{ConnectError, FailedCall, WarmError};
use crate::layer::{CallFuture, DpopLayer, DpopService};
use crate::legible::LegibleBody;
use crate::link::Link;
use crate::source::{RefreshToken, TokenSource};

/// Describes a channel; made by [`Countersign::channel`].
#[must_use]
pub struct ChannelBuilder {
    countersign: Countersign,
    url: String,
    origin: Option<String>,
    audience: Audience,
    over: Option<Channel>,
}

impl ChannelBuilder {
    pub(crate) fn new(countersign: Countersign, url: String) -> Self {
        Self {
            countersign,
            url,
            origin: None,
            audience: Audience::default(),
            over: None,
        }
    }

    /// The scopes that the calls need. None: all that the client is registered
    /// for at the resource.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.audience.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The resource that the token is for, as it was registered. Without it,
    /// the origin.
    pub fn resource(mut self, uri: impl Into<String>) -> Self {
        self.audience.resource = Some(uri.into());
        self
    }

    /// The origin that the server's guard was configured with, where it is not
    /// the URL that is connected to: proofs are made for the origin.
    pub fn origin(mut self, uri: impl Into<String>) -> Self {
        self.origin = Some(uri.into());
        self
    }

    /// Takes access tokens from this refresh token's family instead of asking
    /// for them in the client's own name.
    pub fn refresh_token(mut self, family: RefreshToken) -> Self {
        self.audience.source = Some(Source::Refresh(Box::new(family)));
        self
    }

    /// Takes access tokens from elsewhere. They must be bound to this
    /// [`Countersign`]'s proof key.
    pub fn tokens(mut self, source: Arc<dyn TokenSource>) -> Self {
        self.audience.source = Some(Source::Given(source));
        self
    }

    /// Calls over this channel instead of connecting to the URL: over one that is
    /// [balanced](Channel::balance_list), for example. Whether it encrypts, and
    /// shows a certificate, is for whoever made it to see to.
    pub fn over(mut self, channel: Channel) -> Self {
        self.over = Some(channel);
        self
    }

    /// The channel. Connects, and fetches a token, when it is first used.
    ///
    /// # Errors
    /// When the configuration is wrong; see [`ConnectError`].
    // Async so that connecting at once can be added without changing callers.
    #[expect(clippy::unused_async, reason = "see above")]
    pub async fn connect(self) -> Result<GuardedChannel, ConnectError> {
        let (layer, _) = self.layer()?;
        let certificate = self.countersign.certificate();
        let link = match &self.over {
            Some(channel) => Link::Plain(channel.clone()),
            None => Link::lazy(self.countersign.transport(), &self.url, certificate)?,
        };
        GuardedChannel::new(&self.url, link, &layer)
    }

    /// The channel, with a token in hand and connected, so that the first call is
    /// as fast as any other. Both at once; the connection afterwards is as that of
    /// [`connect`](Self::connect). A channel that was given with [`over`](Self::over)
    /// is taken as it is.
    ///
    /// # Errors
    /// What would fail the first call; see [`WarmError`]. Ten seconds without an
    /// answer are an error.
    pub async fn warm(self) -> Result<GuardedChannel, WarmError> {
        let (layer, tokens) = self.layer()?;
        let connected = async {
            let certificate = self.countersign.certificate();
            match &self.over {
                Some(channel) => Ok(Link::Plain(channel.clone())),
                None => Link::warm(self.countersign.transport(), &self.url, certificate).await,
            }
        };
        let (token, link) = tokio::join!(tokens.token(), connected);
        token?;
        Ok(GuardedChannel::new(&self.url, link?, &layer)?)
    }

    /// What signs the calls, and where their tokens come from.
    fn layer(&self) -> Result<(DpopLayer, Arc<dyn TokenSource>), ConnectError> {
        let origin = self.origin.as_deref().unwrap_or(&self.url);
        let tokens = self.audience.tokens(&self.countersign, origin);
        let layer = self.countersign.layer(origin)?.tokens(Arc::clone(&tokens));
        Ok((layer, tokens))
    }
}

/// A channel for generated stubs: every call carries a token and a fresh proof.
/// Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct GuardedChannel {
    scheme: Scheme,
    authority: Authority,
    service: countersign_telemetry::ClientCalls<DpopService<Link>>,
}

impl GuardedChannel {
    /// The list of layers, outermost first.
    pub(crate) fn new(url: &str, link: Link, dpop: &DpopLayer) -> Result<Self, ConnectError> {
        let refuse = |cause: &str| ConnectError::Url {
            url: url.to_owned(),
            cause: cause.to_owned(),
        };
        let parts = url
            .parse::<Uri>()
            .map_err(|error| refuse(&error.to_string()))?
            .into_parts();
        Ok(Self {
            scheme: parts.scheme.ok_or_else(|| refuse("it has no scheme"))?,
            authority: parts.authority.ok_or_else(|| refuse("it has no host"))?,
            // The span first: fetching a token and all attempts belong to it.
            service: ClientLayer::new().layer(dpop.layer(link)),
        })
    }

    /// With the server's name in the URI, which a stub leaves out, for whoever
    /// reads the trace.
    fn addressed(&self, uri: &Uri) -> Option<Uri> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(uri.path_and_query()?.clone())
            .build()
            .ok()
    }
}

impl Service<Request<Body>> for GuardedChannel {
    type Response = Response<countersign_telemetry::CallBody<LegibleBody<Body>>>;
    type Error = FailedCall;
    type Future = countersign_telemetry::CallFuture<CallFuture<LegibleBody<Body>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FailedCall>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(uri) = self.addressed(request.uri()) {
            *request.uri_mut() = uri;
        }
        self.service.call(request)
    }
}

impl fmt::Debug for GuardedChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedChannel")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
