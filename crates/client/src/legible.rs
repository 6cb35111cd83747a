//! Answers that can be read, whoever sent them.
//!
//! tonic panics when the details of a status (`grpc-status-details-bin`) are
//! not base64. A server must not be able to do that to its callers, so details
//! that cannot be decoded are taken out before tonic sees them; the status is
//! then one without details.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tower_layer::Layer;
use tower_service::Service;

/// Makes a [`Legible`]. [`DpopLayer`](crate::layer::DpopLayer) has it built in;
/// for calls without proofs, put it directly above the transport.
#[derive(Copy, Clone, Debug, Default)]
pub struct LegibleLayer;

impl<S> Layer<S> for LegibleLayer {
    type Service = Legible<S>;

    fn layer(&self, inner: S) -> Legible<S> {
        Legible(inner)
    }
}

/// A transport whose answers tonic can read.
#[derive(Clone, Debug)]
pub struct Legible<S>(S);

impl<S, B, R> Service<Request<B>> for Legible<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<LegibleBody<R>>;
    type Error = S::Error;
    type Future = LegibleFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        LegibleFuture {
            answer: self.0.call(request),
        }
    }
}

pin_project! {
    /// The future of a call through [`Legible`].
    pub struct LegibleFuture<F> {
        #[pin]
        answer: F,
    }
}

impl<F, R, E> Future for LegibleFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<LegibleBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.project().answer.poll(cx));
        Poll::Ready(answer.map(|mut answer| {
            clear(answer.headers_mut());
            answer.map(|inner| LegibleBody { inner })
        }))
    }
}

pin_project! {
    /// The body of an answer, whose trailers tonic can read.
    #[derive(Default)]
    pub struct LegibleBody<R> {
        #[pin]
        inner: R,
    }
}

impl<R: Body> Body for LegibleBody<R> {
    type Data = R::Data;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, R::Error>>> {
        let mut polled = self.project().inner.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
        {
            clear(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Takes out details that cannot be decoded.
pub(crate) fn clear(headers: &mut HeaderMap) {
    if !headers
        .get_all(Status::GRPC_STATUS_DETAILS)
        .iter()
        .all(decodes)
    {
        headers.remove(Status::GRPC_STATUS_DETAILS);
    }
}

/// As tonic itself would decode it.
fn decodes(details: &HeaderValue) -> bool {
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(Status::GRPC_STATUS_DETAILS, details.clone());
    MetadataMap::from_headers(headers)
        .get_bin(Status::GRPC_STATUS_DETAILS.as_str())
        .is_some_and(|details| details.to_bytes().is_ok())
}

impl<F> fmt::Debug for LegibleFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegibleFuture")
    }
}

impl<R> fmt::Debug for LegibleBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegibleBody")
    }
}
