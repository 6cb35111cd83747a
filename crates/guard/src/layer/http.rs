//! The layer that stands in front of HTTP handlers, such as axum's.

mod begun;
mod body;
mod future;

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use countersign_telemetry::spans;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

pub use self::body::{HttpGuardBody, HttpRequestBody, TokenEnded};
pub use self::future::HttpGuardFuture;
use crate::check::{Checks, Head};

/// An error of a body.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Lets only such requests through as the rules of HTTP routes allow; made by
/// [`Guard::http_layer`](crate::Guard::http_layer).
#[derive(Clone)]
pub struct HttpGuardLayer(pub(crate) Arc<Checks>);

impl<S> Layer<S> for HttpGuardLayer {
    type Service = HttpGuardService<S>;

    fn layer(&self, inner: S) -> HttpGuardService<S> {
        HttpGuardService {
            inner,
            checks: Arc::clone(&self.0),
        }
    }
}

/// The service that [`HttpGuardLayer`] makes.
#[derive(Clone)]
pub struct HttpGuardService<S> {
    inner: S,
    checks: Arc<Checks>,
}

impl<S, B, R> Service<Request<B>> for HttpGuardService<S>
where
    S: Service<Request<HttpRequestBody<B>>, Response = Response<R>> + Clone,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BodyError>,
{
    type Response = Response<HttpGuardBody<R>>;
    type Error = S::Error;
    type Future = HttpGuardFuture<S, B, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(document) = self.checks.published.answer(&request) {
            return HttpGuardFuture::answered(&self.checks, document);
        }
        let verdict = spans::guard().in_scope(|| self.checks.check(Head::of_http(&request)));
        // The one that was polled ready is called; the clone is polled next.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        HttpGuardFuture::new(&self.checks, verdict, ready, request)
    }
}
