//! Drops calls whose deadline has passed: before anything is computed for them, or while they wait;
//! and those that take far too long.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::Either;
use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Timeout, timeout};
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::http as http_edge;
use crate::protocol::Words;
use crate::refused::Refused;

/// A call takes milliseconds, and a commit to a slow disk a second. What takes longer was not sent
/// whole: a request without its end must not hold its place until the connection ends.
const CALL_DUE: Duration = Duration::from_secs(10);

/// Refuses calls that have no time left, by their `grpc-timeout` or by [`CALL_DUE`]. Of a stream it
/// waits for the opening.
#[derive(Copy, Clone)]
pub(crate) struct DeadlineLayer {
    /// What the refusal is worded in, by the path.
    pub(crate) words: fn(&str) -> Words,
    /// The paths of calls that take as long as they take: only who calls sets them a time.
    pub(crate) long: &'static [&'static str],
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService {
            inner,
            long: self.long,
            words: self.words,
        }
    }
}

/// What [`DeadlineLayer`] makes.
#[derive(Clone)]
pub(crate) struct DeadlineService<S> {
    inner: S,
    long: &'static [&'static str],
    words: fn(&str) -> Words,
}

impl<S, B> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<Ready<Answer<S::Error>>, Due<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let given = given(request.headers());
        let words = (self.words)(request.uri().path());
        if given.is_some_and(|given| given.is_zero()) {
            return Either::Left(ready(Ok(refused(words))));
        }
        let most = if self.long.contains(&request.uri().path()) {
            // What does not fit on the clock is never.
            Duration::MAX
        } else {
            CALL_DUE
        };
        let due = given.map_or(most, |given| given.min(most));
        Either::Right(Due {
            answer: timeout(due, self.inner.call(request)),
            words,
        })
    }
}

type Answer<E> = Result<Response<Body>, E>;

pin_project! {
    /// An answer that must be there in time.
    pub(crate) struct Due<F> {
        #[pin]
        answer: Timeout<F>,
        words: Words,
    }
}

impl<F, E> Future for Due<F>
where
    F: Future<Output = Answer<E>>,
{
    type Output = Answer<E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let ended = ready!(this.answer.poll(cx));
        Poll::Ready(ended.unwrap_or_else(|_| Ok(refused(*this.words))))
    }
}

fn refused(words: Words) -> Response<Body> {
    let refused = Refused::DeadlinePassed;
    match words {
        Words::Grpc => tonic::Status::from(refused).into_http(),
        Words::Json => http_edge::refused(refused),
        Words::Page => http_edge::refused_page(refused),
    }
}

/// The time that the caller gives. `grpc-timeout` is relative: a caller, or a proxy that counts
/// down, sends zero when its deadline has passed. A malformed value is no deadline, as in tonic.
fn given(headers: &HeaderMap) -> Option<Duration> {
    // gRPC over HTTP/2, "Timeout": at most 8 digits, then the unit.
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::time::Instant;
    use tower::service_fn;

    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        for (value, expected) in [
            ("0n", Some(Duration::ZERO)),
            ("0H", Some(Duration::ZERO)),
            ("00000000m", Some(Duration::ZERO)),
            ("1n", Some(Duration::from_nanos(1))),
            ("20u", Some(Duration::from_micros(20))),
            ("300m", Some(Duration::from_millis(300))),
            ("10S", Some(Duration::from_secs(10))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("100000000n", None),
            ("n", None),
            ("0", None),
            ("0x", None),
            ("", None),
            ("-0S", None),
            ("+1S", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", value.parse().expect("a header value"));
            assert_eq!(given(&headers), expected, "{value}");
        }
        assert_eq!(given(&HeaderMap::new()), None);
    }

    /// After what time a call that is never answered is refused.
    async fn refused_after(path: &'static str, value: Option<&str>) -> Duration {
        let mut request = Request::new(());
        *request.uri_mut() = path.parse().expect("a path");
        if let Some(value) = value {
            let value = value.parse().expect("a header value");
            request.headers_mut().insert("grpc-timeout", value);
        }
        let silent = service_fn(|_: Request<()>| {
            std::future::pending::<Result<Response<Body>, Infallible>>()
        });
        let begun = Instant::now();
        let layer = DeadlineLayer {
            words: |_| Words::Grpc,
            long: &["/long"],
        };
        let answer = layer.layer(silent).call(request).await;
        let headers = answer.expect("answered").into_parts().0.headers;
        let status = tonic::Status::from_header_map(&headers).expect("a status");
        assert_eq!(status.message(), refused_message());
        begun.elapsed()
    }

    fn refused_message() -> String {
        tonic::Status::from(Refused::DeadlinePassed)
            .message()
            .to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_has_the_time_that_its_caller_gives_and_never_more_than_ours() {
        for (value, expected) in [
            (None, CALL_DUE),
            (Some("0m"), Duration::ZERO),
            (Some("300m"), Duration::from_millis(300)),
            (Some("1H"), CALL_DUE),
            (Some("soon"), CALL_DUE),
        ] {
            let after = refused_after("/usual", value).await;
            // Timers are exact to the millisecond.
            assert_eq!(
                after.as_millis() / 10,
                expected.as_millis() / 10,
                "{value:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_call_has_the_time_that_its_caller_gives() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(refused_after("/long", Some("1H")).await.as_secs(), 3_600);
        assert_eq!(refused_after("/long", Some("0m")).await, Duration::ZERO);
        tokio::time::timeout(hour, refused_after("/long", None))
            .await
            .expect_err("it goes on");
    }
}
