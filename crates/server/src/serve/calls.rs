//! The calls of one connection: handed to the service, and noted in the connection's traffic.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use countersign_form::RestDue;
use countersign_guard::PeerCertificate as PeerCertificateOfGuard;
use countersign_issuer::model::PeerCertificate;
use futures_util::future::Either;
use http::header::TRANSFER_ENCODING;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tonic::body::Body;
use tower::ServiceExt as _;
use tower::util::Oneshot;

use super::Answers;
use super::connection::Edge;
use super::heads::EndsTwice;
use super::life::Greeting;
use super::traffic::{InFlight, Traffic, UnderWay};

/// What hyper calls for every request of one connection. `I` is who is connected.
pub(super) struct Calls<S, I> {
    pub(super) edge: Arc<Edge<S>>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) peer: I,
    /// What the connection was opened with (RFC 8705).
    pub(super) certificate: Option<Arc<PeerCertificate>>,
    pub(super) greeting: Greeting,
}

impl<S, I> hyper::service::Service<Request<Incoming>> for Calls<S, I>
where
    S: Answers,
    I: Clone + Send + Sync + 'static,
{
    type Response = Response<Answer<S::Answer>>;
    type Error = Infallible;
    type Future = Answering<Either<S::Future, Oneshot<S, Request<Body>>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (in_flight, under_way) = self.traffic.begin();
        let mut request = request.map(|body| {
            let traffic = Arc::clone(&self.traffic);
            if http_body::Body::is_end_stream(&body) {
                traffic.whole();
            }
            Body::new(Asked { body, traffic })
        });
        request.extensions_mut().insert(self.peer.clone());
        if let Some(certificate) = &self.certificate {
            let extensions = request.extensions_mut();
            extensions.insert(PeerCertificateOfGuard::with_thumbprint(
                certificate.thumbprint,
            ));
            extensions.insert(Arc::clone(certificate));
        }
        if !self.traffic.has_greeted() {
            let rest = self.greeting.rest(Instant::now());
            request.extensions_mut().insert(RestDue(rest));
        }
        // Only one that has an encoding can be it. The connection ends after that one.
        if self.traffic.one_ends_twice() && request.headers().contains_key(TRANSFER_ENCODING) {
            request.extensions_mut().insert(EndsTwice);
        }
        let mut service = self.edge.service.clone();
        // Our layers are always ready: who is full refuses. So a call is counted when its head
        // comes, and not when its task has its first turn.
        let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
        let answer = match ready {
            Poll::Ready(Ok(())) => Either::Left(service.call(request)),
            Poll::Pending => Either::Right(service.oneshot(request)),
        };
        Answering {
            answer,
            in_flight: Some(in_flight),
            under_way: Some(under_way),
        }
    }
}

pin_project! {
    /// An answer that is being made.
    pub(super) struct Answering<F> {
        #[pin]
        answer: F,
        in_flight: Option<InFlight>,
        under_way: Option<UnderWay>,
    }
}

impl<F, B> Future for Answering<F>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Answer<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answer.poll(cx))?;
        *this.under_way = None;
        let mut in_flight = this.in_flight.take();
        if let Some(call) = &mut in_flight {
            call.answered();
        }
        Poll::Ready(Ok(response.map(|body| Answer { body, in_flight })))
    }
}

/// A request's body.
struct Asked {
    body: Incoming,
    traffic: Arc<Traffic>,
}

impl http_body::Body for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.traffic.read(data.len());
                }
            }
            Some(Err(_)) => return Poll::Ready(frame),
            None => {}
        }
        if frame.is_none() || self.body.is_end_stream() {
            self.traffic.whole();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// An answer's body. Its call is in flight until it has left.
    pub(super) struct Answer<B> {
        #[pin]
        body: B,
        in_flight: Option<InFlight>,
    }
}

impl<B: http_body::Body> http_body::Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        // Asked for only when the peer has room for it.
        let frame = this.body.poll_frame(cx);
        if let Some(call) = this.in_flight {
            call.taken(frame.is_ready());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
