//! Requests that are not gRPC: their status stands in the head of the answer, and they are measured
//! to there.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Polling, Poll, ready};

use http::{Request, Response, StatusCode, Uri};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::measures::{Asked, Begun, Ended};
use crate::refusal::{self, Slot};
use crate::sampling::{Decision, decide};
use crate::scope::Scope;
use crate::{names, propagate, spans};

/// Makes the server span of every HTTP request that is not gRPC, as a child of the caller's where
/// its headers name one, and measures each. See the [module](super).
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

    /// Measures a request that was answered in front of this layer.
    pub fn answered_before<B>(&self, request: &Request<B>, status: StatusCode) {
        let begun = Begun::now();
        if begun.is_measured() {
            let route = (self.route)(request.uri());
            begun.request(&self.asked(request, route), Ended::Answered(status));
        }
    }

    fn asked<B>(&self, request: &Request<B>, route: Option<&'static str>) -> Asked {
        Asked {
            method: spans::http_method(request.method()),
            route,
            scheme: self.scheme,
            version: spans::protocol(request.version()),
        }
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
        this.served.tell(match &answer {
            Ok(response) => Ended::Answered(response.status()),
            Err(_) => Ended::Failed,
        });
        Poll::Ready(answer)
    }
}

/// One request, from its head to the head of its answer.
struct Served {
    scope: Scope,
    slot: Option<Slot>,
    begun: Begun,
    asked: Asked,
    /// Set when the status is told, which happens once.
    told: bool,
}

impl Served {
    fn begin<B>(request: &Request<B>, layer: &HttpServerLayer) -> Self {
        let begun = Begun::now();
        let route = (layer.route)(request.uri());
        let asked = layer.asked(request, route);
        let parent = propagate::extract(request.headers()).unwrap_or_default();
        let mut slot = None;
        let scope = match decide(&parent) {
            Decision::Skip(context) => Scope::Unrecorded(context),
            Decision::Record => {
                let span = spans::served_request(&asked);
                if !span.is_disabled() {
                    let slot = slot.insert(Slot::default());
                    // Fails where a subscriber is not ours and exports nothing.
                    let _ = span.set_parent(parent.with_value(slot.clone()));
                }
                Scope::of(span, &parent)
            }
        };
        Self {
            scope,
            slot,
            begun,
            asked,
            told: false,
        }
    }

    fn tell(&mut self, ended: Ended) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        self.begun.request(&self.asked, ended);
        let Scope::Span(span) = &self.scope else {
            return;
        };
        match ended {
            Ended::Answered(status) => {
                span.record(names::HTTP_STATUS, i64::from(status.as_u16()));
                // To a server, what the client got wrong is no error.
                if status.is_server_error() {
                    span.record(names::OTEL_STATUS, names::STATUS_ERROR);
                    span.record(names::ERROR_TYPE, status.as_str());
                }
            }
            Ended::Failed => {
                span.record(names::OTEL_STATUS, names::STATUS_ERROR);
                span.record(names::ERROR_TYPE, names::ERROR_TRANSPORT);
            }
            Ended::GivenUp => {
                span.record(names::ERROR_TYPE, names::ERROR_CANCELLED);
            }
        }
        if let Some(refused) = self.slot.as_ref().and_then(Slot::said) {
            refusal::note(span, refused);
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Whoever asked has gone.
        self.tell(Ended::GivenUp);
    }
}
