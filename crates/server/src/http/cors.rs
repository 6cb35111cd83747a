//! Scripts of other origins (the Fetch standard's CORS): only those that are configured, at those
//! endpoints that a browser has business with.
//!
//! Outside of every layer that refuses: a script must be able to read why, and when to come again;
//! and what a browser asks beforehand costs nothing, and is not a call that counts.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use ::http::{HeaderValue, Method, Request, Response};
use bytes::Bytes;
use futures_util::TryFutureExt as _;
use futures_util::future::{Either, MapOk};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_http::cors::{AllowOrigin, Cors, CorsLayer, ResponseFuture};
use tower_layer::Layer;
use tower_service::Service;

use super::answer::DPOP_NONCE;
use super::{KEYS, METADATA, PAR, REVOKE, TOKEN};

/// How long a browser may remember what it was told. Longer than a page loads, shorter than an
/// operator waits for a change.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Every origin.
pub(crate) const ANY: &str = "*";

/// What scripts may use.
const USED: [&str; 5] = [TOKEN, PAR, REVOKE, KEYS, METADATA];

/// Lets scripts of some origins send and read what OAuth needs; never with cookies.
#[derive(Clone)]
pub(crate) struct ScriptsLayer {
    cors: Option<CorsLayer>,
}

impl ScriptsLayer {
    /// Of these origins, if there are any.
    pub(crate) fn of(origins: &[String]) -> Self {
        Self {
            cors: (!origins.is_empty()).then(|| layer(origins)),
        }
    }
}

fn layer(origins: &[String]) -> CorsLayer {
    let allowed = if origins.iter().any(|origin| origin == ANY) {
        AllowOrigin::any()
    } else {
        // What is configured are URLs.
        let origins = origins.iter().map(String::as_str);
        AllowOrigin::list(origins.filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("dpop")])
        .expose_headers([DPOP_NONCE, RETRY_AFTER])
        .max_age(REMEMBERED)
}

impl<S: Clone> Layer<S> for ScriptsLayer {
    type Service = Scripts<S>;

    fn layer(&self, inner: S) -> Scripts<S> {
        let endpoints = Endpoints { inner };
        Scripts {
            seen: self.cors.as_ref().map(|cors| cors.layer(endpoints.clone())),
            endpoints,
        }
    }
}

/// What [`ScriptsLayer`] makes.
#[derive(Clone)]
pub(crate) struct Scripts<S> {
    seen: Option<Cors<Endpoints<S>>>,
    endpoints: Endpoints<S>,
}

impl<S, B, R> Service<Request<B>> for Scripts<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<Answer<R>>;
    type Error = Infallible;
    type Future = Either<ResponseFuture<Answering<S::Future, R>>, Answering<S::Future, R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if let Some(seen) = &mut self.seen {
            ready!(seen.poll_ready(cx))?;
        }
        self.endpoints.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match &mut self.seen {
            Some(seen) if USED.contains(&request.uri().path()) => Either::Left(seen.call(request)),
            _ => Either::Right(self.endpoints.call(request)),
        }
    }
}

/// The endpoints, with answers of which there may be none.
#[derive(Clone)]
struct Endpoints<S> {
    inner: S,
}

type Answering<F, R> = MapOk<F, fn(Response<R>) -> Response<Answer<R>>>;

impl<S, B, R> Service<Request<B>> for Endpoints<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<Answer<R>>;
    type Error = Infallible;
    type Future = Answering<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.inner.call(request).map_ok(answered)
    }
}

fn answered<R>(response: Response<R>) -> Response<Answer<R>> {
    response.map(|body| Answer::Body { body })
}

pin_project! {
    /// The body of an answer.
    #[project = AnswerProjection]
    #[derive(Default)]
    pub(crate) enum Answer<R> {
        Body {
            #[pin]
            body: R,
        },
        // To what a browser asks beforehand.
        #[default]
        Nothing,
    }
}

impl<R: Body<Data = Bytes>> Body for Answer<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        match self.project() {
            AnswerProjection::Body { body } => body.poll_frame(cx),
            AnswerProjection::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Body { body } => body.is_end_stream(),
            Self::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Body { body } => body.size_hint(),
            Self::Nothing => SizeHint::with_exact(0),
        }
    }
}
