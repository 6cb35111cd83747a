//! The layer that stands in front of a server's handlers.

mod after;
mod body;
mod future;
pub mod http;

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::{Request, Response};
use bytes::Bytes;
use countersign_telemetry::spans;
use tonic::body::Body;
use tonic::server::NamedService;
use tower_layer::Layer;
use tower_service::Service;

pub use self::body::GuardBody;
pub use self::future::GuardFuture;
use crate::check::{Checks, Head};

/// Lets only such calls through as the rules allow; made by
/// [`Guard::layer`](crate::Guard::layer).
#[derive(Clone)]
pub struct GuardLayer(pub(crate) Arc<Checks>);

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService {
            inner,
            checks: Arc::clone(&self.0),
        }
    }
}

/// The service that [`GuardLayer`] makes.
#[derive(Clone)]
pub struct GuardService<S> {
    inner: S,
    checks: Arc<Checks>,
}

impl<S, B, R> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Clone,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = GuardFuture<S, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verdict = spans::guard().in_scope(|| self.checks.check(Head::of(&request)));
        // The one that was polled ready is called; the clone is polled next.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        // Of tonic's own body nothing is made anew here.
        let request = request.map(Body::new);
        GuardFuture::new(Arc::clone(&self.checks), verdict, ready, request)
    }
}

impl<S: NamedService> NamedService for GuardService<S> {
    const NAME: &'static str = S::NAME;
}
