//! Requests that are not gRPC: their status stands in the head of the answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Polling, Poll, ready};

use http::{Request, Response, StatusCode, Uri};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::refusal::{self, Slot};
use crate::sampling::{Decision, decide};
use crate::scope::Scope;
use crate::{names, propagate, spans};

/// Makes the server span of every HTTP request that is not gRPC, as a child of the caller's where
/// its headers name one. See the [module](super).
#[derive(Clone, Copy, Debug)]
pub struct HttpServerLayer {
    scheme: &'static str,
    route: fn(&Uri) -> Option<&'static str>,
}

impl HttpServerLayer {
    /// A layer for servers that clients reach by `scheme`; `route` tells the endpoints.
    pub fn new(scheme: &'static str, route: fn(&Uri) -> Option<&'static str>) -> Self {
        Self { scheme, route }
    }
}

impl<S> Layer<S> for HttpServerLayer {
    type Service = ServedRequests<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServedRequests {
            inner,
            layer: *self,
        }
    }
}

/// The service that [`HttpServerLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct ServedRequests<S> {
    inner: S,
    layer: HttpServerLayer,
}

impl<S, B, R> Service<Request<B>> for ServedRequests<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RequestFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Polling<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let served = Served::begin(&request, &self.layer);
        RequestFuture {
            inner: served.scope.within(|| self.inner.call(request)),
            served,
        }
    }
}

pin_project! {
    /// The future of [`ServedRequests`].
    pub struct RequestFuture<F> {
        #[pin]
        inner: F,
        served: Served,
    }
}

impl<F, R, E> Future for RequestFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.served.scope.within(|| this.inner.poll(cx)));
        if let Ok(response) = &answer {
            this.served.tell(response.status());
        }
        Poll::Ready(answer)
    }
}

/// One request, from its head to the head of its answer.
struct Served {
    scope: Scope,
    slot: Option<Slot>,
}

impl Served {
    fn begin<B>(request: &Request<B>, layer: &HttpServerLayer) -> Self {
        let parent = propagate::extract(request.headers()).unwrap_or_default();
        let mut slot = None;
        let scope = match decide(&parent) {
            Decision::Skip(context) => Scope::Unrecorded(context),
            Decision::Record => {
                let route = (layer.route)(request.uri());
                let span =
                    spans::served_request(request.method(), route, layer.scheme, request.version());
                if !span.is_disabled() {
                    let slot = slot.insert(Slot::default());
                    // Fails where a subscriber is not ours and exports nothing.
                    let _ = span.set_parent(parent.with_value(slot.clone()));
                }
                Scope::of(span, &parent)
            }
        };
        Self { scope, slot }
    }

    fn tell(&self, status: StatusCode) {
        let Scope::Span(span) = &self.scope else {
            return;
        };
        span.record(names::HTTP_STATUS, i64::from(status.as_u16()));
        // To a server, what the client got wrong is no error.
        if status.is_server_error() {
            span.record(names::OTEL_STATUS, names::STATUS_ERROR);
            span.record(names::ERROR_TYPE, status.as_str());
        }
        if let Some(refused) = self.slot.as_ref().and_then(Slot::said) {
            refusal::note(span, refused);
        }
    }
}
