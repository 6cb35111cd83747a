//! Calls that a test makes: what generated stubs are made with.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use countersign_client::TokenError;
use countersign_client::source::{AccessToken, BoxFuture, TokenSource};
use http::{Request, Response};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// What a generated stub is made with, instead of a channel:
/// `OrderServiceClient::new(calls)`.
#[derive(Clone)]
pub struct Calls(Boxed);

impl Calls {
    /// Calls by way of any transport: a `tonic::transport::Channel`, or a service
    /// in this process.
    pub fn over<T, R>(transport: T) -> Self
    where
        T: Service<Request<Body>, Response = Response<R>> + Clone + Send + Sync + 'static,
        T::Error: Into<BoxError>,
        T::Future: Send + 'static,
        R: http_body::Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        Self(BoxCloneSyncService::new(
            transport
                .map_response(|response: Response<R>| response.map(Body::new))
                .map_err(Into::into),
        ))
    }
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = <Boxed as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

/// One token, whatever is said of it: a test wants to see the guard's refusal.
pub(crate) struct Same(pub(crate) Arc<AccessToken>);

impl TokenSource for Same {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.0))))
    }

    fn discard(&self, _: &Arc<AccessToken>) {}
}
