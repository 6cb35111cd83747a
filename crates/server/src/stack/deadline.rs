//! Drops calls whose deadline has passed before anything is computed for them, and those that take
//! far too long.

use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, Map};
use http::{HeaderMap, Request, Response};
use tokio::time::error::Elapsed;
use tokio::time::{Timeout, timeout};
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::refused::Refused;

/// A call takes milliseconds, and a commit to a slow disk a second. What takes longer was not sent
/// whole: a request without its end must not hold its place until the connection ends.
const CALL_DUE: Duration = Duration::from_secs(10);

/// Refuses calls that have no time left. Of a stream it waits for the opening.
#[derive(Copy, Clone)]
pub(crate) struct DeadlineLayer;

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService { inner }
    }
}

/// What [`DeadlineLayer`] makes.
#[derive(Clone)]
pub(crate) struct DeadlineService<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<Ready<Answer<S::Error>>, Map<Timeout<S::Future>, Ended<S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if passed(request.headers()) {
            return Either::Left(ready(Ok(refused())));
        }
        let answer = timeout(CALL_DUE, self.inner.call(request));
        Either::Right(answer.map(|ended| ended.unwrap_or_else(|_| Ok(refused()))))
    }
}

type Answer<E> = Result<Response<Body>, E>;
type Ended<E> = fn(Result<Answer<E>, Elapsed>) -> Answer<E>;

fn refused() -> Response<Body> {
    tonic::Status::from(Refused::DeadlinePassed).into_http()
}

/// Whether the caller gave no time at all. `grpc-timeout` is relative: a caller, or a proxy that
/// counts down, sends zero when its deadline has passed. A malformed value is no deadline, as in
/// tonic.
fn passed(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get("grpc-timeout") else {
        return false;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((digits, "H" | "M" | "S" | "m" | "u" | "n")) => {
            !digits.is_empty() && digits.bytes().all(|digit| digit == b'0')
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_has_passed() {
        for (value, expected) in [
            ("0n", true),
            ("0H", true),
            ("00000000m", true),
            ("1n", false),
            ("10S", false),
            ("n", false),
            ("0", false),
            ("0x", false),
            ("", false),
            ("-0S", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", value.parse().expect("a header value"));
            assert_eq!(passed(&headers), expected, "{value}");
        }
        assert!(!passed(&HeaderMap::new()));
    }
}
