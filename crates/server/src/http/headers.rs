//! What browsers are told with every answer: to take it for nothing else than it says it is, and, where
//! people come by https, never to come otherwise again (RFC 6797).
//!
//! Outside of every layer that refuses: a refusal is an answer, too.

use std::convert::Infallible;
use std::task::{Context, Poll};

use ::http::header::{STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use ::http::{HeaderValue, Request, Response};
use futures_util::TryFutureExt as _;
use futures_util::future::MapOk;
use tower_layer::Layer;
use tower_service::Service;
use url::Url;

use crate::config;
use crate::protocol::Words;

/// A year. What else is served below the host's name (`includeSubDomains`) is not ours to decide about.
const STRICT: &str = "max-age=31536000";

/// Tells browsers so.
#[derive(Copy, Clone, Debug)]
pub(crate) struct HeadersLayer {
    strict: bool,
    words: fn(&str) -> Words,
}

impl HeadersLayer {
    /// Of what browsers reach by `url`, where `words` says which paths they go to. The name of a
    /// loopback address is everybody's who develops on that machine: there nothing is held to https.
    pub(crate) fn of(url: &str, words: fn(&str) -> Words) -> Self {
        let url = Url::parse(url);
        let strict = url.is_ok_and(|url| url.scheme() == "https" && !config::is_loopback(&url));
        Self { strict, words }
    }
}

impl<S> Layer<S> for HeadersLayer {
    type Service = Headers<S>;

    fn layer(&self, inner: S) -> Headers<S> {
        Headers {
            inner,
            layer: *self,
        }
    }
}

/// What [`HeadersLayer`] makes.
#[derive(Clone)]
pub(crate) struct Headers<S> {
    inner: S,
    layer: HeadersLayer,
}

impl<S, B, R> Service<Request<B>> for Headers<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = MapOk<S::Future, fn(Response<R>) -> Response<R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let HeadersLayer { strict, words } = self.layer;
        let people = strict && words(request.uri().path()) == Words::Page;
        let told = if people { to_people } else { to_anybody };
        self.inner.call(request).map_ok(told)
    }
}

fn to_anybody<R>(mut response: Response<R>) -> Response<R> {
    let nosniff = HeaderValue::from_static("nosniff");
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

fn to_people<R>(response: Response<R>) -> Response<R> {
    let mut response = to_anybody(response);
    let strict = HeaderValue::from_static(STRICT);
    response
        .headers_mut()
        .insert(STRICT_TRANSPORT_SECURITY, strict);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_people_reach_by_https_is_held_to_it() {
        for (url, strict) in [
            ("https://tokens.example.com", true),
            ("https://tokens.example.com:8443/a", true),
            ("https://192.0.2.1", true),
            ("http://tokens.example.com", false),
            ("https://localhost:7443", false),
            ("https://127.0.0.1:7443", false),
            ("https://[::1]:7443", false),
            ("http://127.0.0.1:7443", false),
        ] {
            let layer = HeadersLayer::of(url, |_| Words::Page);
            assert_eq!(layer.strict, strict, "{url}");
        }
    }
}
