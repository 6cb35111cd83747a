//! The connection to one server: one, or one for each certificate that the client shows.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::transport::channel::ResponseFuture;
use tower::ServiceExt as _;
use tower_service::Service;

use crate::credential::{Edition, KeptCertificate};
use crate::error::{ConnectError, WarmError};
use crate::transport::{Transport, is_encrypted};

/// The newest certificate has a connection, and the one before it as long as tokens are bound to it.
const CHANNELS_MAX: usize = 2;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A channel, which may show a certificate. A connection keeps the one that it began with, so another
/// certificate is another connection; calls that are under way end on theirs.
///
/// What a token is bound to must be what the connection shows: a request says in its extensions with
/// which [`Edition`] its token was asked for.
#[derive(Clone)]
pub(crate) enum Link {
    /// It shows none, or somebody else has made it.
    Plain(Channel),
    /// It shows what is in files.
    Showing(Arc<Showing>),
}

pub(crate) struct Showing {
    transport: Transport,
    url: String,
    certificate: Arc<KeptCertificate>,
    channels: Mutex<Vec<(Edition, Channel)>>,
}

impl Link {
    /// Connects when it is first used.
    pub(crate) fn lazy(
        transport: &Transport,
        url: &str,
        certificate: Option<&Arc<KeptCertificate>>,
    ) -> Result<Self, ConnectError> {
        // Fails now rather than at the first call.
        let plain = transport.channel(url)?;
        Ok(match certificate.filter(|_| is_encrypted(url)) {
            Some(certificate) => Self::showing(transport, url, certificate, Vec::new()),
            None => Self::Plain(plain),
        })
    }

    /// The same, connected.
    pub(crate) async fn warm(
        transport: &Transport,
        url: &str,
        certificate: Option<&Arc<KeptCertificate>>,
    ) -> Result<Self, WarmError> {
        let certificate = certificate.filter(|_| is_encrypted(url));
        let shown = certificate.and_then(|certificate| certificate.shown_with(None));
        let identity = shown.as_ref().map(|shown| &shown.identity);
        let channel = transport.connected_showing(url, identity).await?;
        Ok(match (certificate, shown) {
            (Some(certificate), Some(shown)) => {
                let channels = vec![(shown.edition, channel)];
                Self::showing(transport, url, certificate, channels)
            }
            _ => Self::Plain(channel),
        })
    }

    fn showing(
        transport: &Transport,
        url: &str,
        certificate: &Arc<KeptCertificate>,
        channels: Vec<(Edition, Channel)>,
    ) -> Self {
        Self::Showing(Arc::new(Showing {
            transport: transport.clone(),
            url: url.to_owned(),
            certificate: Arc::clone(certificate),
            channels: Mutex::new(channels),
        }))
    }
}

impl Showing {
    /// The channel for what was asked for with `edition`.
    fn channel(&self, edition: Option<Edition>) -> Result<Channel, ConnectError> {
        let Some(shown) = self.certificate.shown_with(edition) else {
            return self.transport.channel(&self.url);
        };
        let mut channels = self.channels.lock();
        let found = channels.iter().find(|(of, _)| *of == shown.edition);
        if let Some((_, channel)) = found {
            return Ok(channel.clone());
        }
        let identity = &shown.identity;
        let channel = self.transport.channel_showing(&self.url, identity)?;
        if channels.len() >= CHANNELS_MAX {
            channels.remove(0);
        }
        channels.push((shown.edition, channel.clone()));
        Ok(channel)
    }
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = Error;
    type Future = LinkFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self {
            Self::Plain(channel) => channel.poll_ready(cx).map_err(Into::into),
            // Which channel it will be, the request says.
            Self::Showing(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<Body>) -> LinkFuture {
        match self {
            Self::Plain(channel) => LinkFuture::Plain {
                answer: channel.call(request),
            },
            Self::Showing(showing) => {
                let edition = request.extensions().get::<Edition>().copied();
                let channel = showing.channel(edition);
                let answer = async move { Ok(channel?.oneshot(request).await?) };
                LinkFuture::Showing {
                    answer: Box::pin(answer),
                }
            }
        }
    }
}

pin_project! {
    /// The future of a call over a [`Link`].
    #[project = Answer]
    pub(crate) enum LinkFuture {
        Plain { #[pin] answer: ResponseFuture },
        Showing { answer: Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>> },
    }
}

impl Future for LinkFuture {
    type Output = Result<Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Answer::Plain { answer } => answer.poll(cx).map_err(Into::into),
            Answer::Showing { answer } => answer.as_mut().poll(cx),
        }
    }
}
