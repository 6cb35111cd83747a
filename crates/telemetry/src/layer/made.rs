//! Requests that leave and are not gRPC.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Polling, Poll, ready};

use http::{HeaderMap, Method, StatusCode};
use opentelemetry::Context;
use pin_project_lite::pin_project;

use crate::sampling::{Decision, decide};
use crate::scope::Scope;
use crate::{names, propagate, spans};

/// The client span of one HTTP request, for clients that are no tower services.
pub struct MadeRequest(Scope);

impl MadeRequest {
    /// A request with this method to this server, in the current trace.
    pub fn begin(method: &Method, server: Option<&str>, port: Option<u16>) -> Self {
        Self(Context::map_current(|current| match decide(current) {
            Decision::Skip(context) => Scope::Unrecorded(context),
            Decision::Record => Scope::of(spans::made_request(method, server, port), current),
        }))
    }

    /// Names the span to the server.
    pub fn mark(&self, headers: &mut HeaderMap) {
        self.0.within(|| propagate::inject(headers));
    }

    /// Does the work in the span, and notes the `status` of what is answered. As long as its
    /// future is.
    pub fn during<F, T, E>(self, work: F, status: fn(&T) -> StatusCode) -> MadeFuture<F, T>
    where
        F: Future<Output = Result<T, E>>,
    {
        MadeFuture {
            work,
            status,
            scope: self.0,
        }
    }
}

pin_project! {
    /// The future of [`MadeRequest::during`].
    pub struct MadeFuture<F, T> {
        #[pin]
        work: F,
        status: fn(&T) -> StatusCode,
        scope: Scope,
    }
}

impl<F, T, E> Future for MadeFuture<F, T>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.scope.within(|| this.work.poll(cx)));
        if let Scope::Span(span) = this.scope {
            match &answer {
                Ok(response) => {
                    let status = (this.status)(response);
                    span.record(names::HTTP_STATUS, i64::from(status.as_u16()));
                    // To a client, both are its failure.
                    if status.is_client_error() || status.is_server_error() {
                        span.record(names::OTEL_STATUS, names::STATUS_ERROR);
                        span.record(names::ERROR_TYPE, status.as_str());
                    }
                }
                Err(_) => {
                    span.record(names::OTEL_STATUS, names::STATUS_ERROR);
                    span.record(names::ERROR_TYPE, names::ERROR_TRANSPORT);
                }
            }
        }
        Poll::Ready(answer)
    }
}
