//! Both protocols on one address: each call to its own service.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body_util::Either;
use pin_project_lite::pin_project;
use tonic::body::Body;
use tower_service::Service;

use crate::protocol::Protocol;
use crate::serve::Answers;

/// Two services that are always ready, told apart by what a request says of itself.
#[derive(Clone)]
pub(crate) struct Fork<G, H> {
    pub(crate) grpc: G,
    pub(crate) http: H,
}

impl<G: Answers, H: Answers> Service<Request<Body>> for Fork<G, H> {
    type Response = Response<Either<G::Answer, H::Answer>>;
    type Error = Infallible;
    type Future = Forked<G::Future, H::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        ready!(self.grpc.poll_ready(cx))?;
        self.http.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match Protocol::of(&request) {
            Protocol::Grpc => Forked::Grpc {
                answer: self.grpc.call(request),
            },
            Protocol::Http => Forked::Http {
                answer: self.http.call(request),
            },
        }
    }
}

pin_project! {
    /// The answer of [`Fork`].
    #[project = ForkedProjection]
    pub(crate) enum Forked<G, H> {
        Grpc {
            #[pin]
            answer: G,
        },
        Http {
            #[pin]
            answer: H,
        },
    }
}

impl<G, H, A, B> Future for Forked<G, H>
where
    G: Future<Output = Result<Response<A>, Infallible>>,
    H: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Either<A, B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ForkedProjection::Grpc { answer } => answer
                .poll(cx)
                .map_ok(|response| response.map(Either::Left)),
            ForkedProjection::Http { answer } => answer
                .poll(cx)
                .map_ok(|response| response.map(Either::Right)),
        }
    }
}
