//! Refusals that are prepared once: a flood of them costs little more than sending them.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tonic::body::Body;

use super::spread::{Spread, VARIANTS, wait};
use crate::http as http_edge;
use crate::protocol::Words;
use crate::refused::Refused;
use crate::status;

/// The two refusals of this layer, each with different times to wait.
pub(super) struct Answers {
    overloaded: Prepared,
    limited: Prepared,
    spread: Spread,
}

/// One refusal in all words.
struct Prepared {
    grpc: Vec<Response<Bytes>>,
    json: Vec<Response<Bytes>>,
    page: Vec<Response<Bytes>>,
}

impl Answers {
    pub(super) fn prepare() -> Self {
        Self {
            overloaded: Prepared::of(|retry_after| Refused::Overloaded { retry_after }),
            limited: Prepared::of(|retry_after| Refused::RateLimited { retry_after }),
            spread: Spread::default(),
        }
    }

    /// There is more work than can be done.
    pub(super) fn overloaded(&self, words: Words) -> Response<Body> {
        self.answer(&self.overloaded, words)
    }

    /// The method has had its share.
    pub(super) fn limited(&self, words: Words) -> Response<Body> {
        self.answer(&self.limited, words)
    }

    fn answer(&self, prepared: &Prepared, words: Words) -> Response<Body> {
        let variants = match words {
            Words::Grpc => &prepared.grpc,
            Words::Json => &prepared.json,
            Words::Page => &prepared.page,
        };
        let response = variants[self.spread.next()].clone();
        response.map(|bytes| match bytes.is_empty() {
            true => Body::empty(),
            false => Body::new(Full::new(bytes)),
        })
    }
}

impl Prepared {
    fn of(refused: impl Fn(Duration) -> Refused) -> Self {
        let refusals = || (0..VARIANTS).map(|nth| refused(wait(nth, Duration::ZERO)));
        Self {
            grpc: refusals().map(|refused| trailers(&refused)).collect(),
            json: refusals()
                .map(|refused| http_edge::prepared(&refused))
                .collect(),
            page: refusals().map(http_edge::prepared_page).collect(),
        }
    }
}

/// A gRPC answer of trailers only.
fn trailers(refused: &Refused) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.headers_mut() = status::of(refused).into_http::<()>().into_parts().0.headers;
    response
}

#[cfg(test)]
mod tests {
    use countersign_client::outcome::Refused as Read;
    use tonic::Status;

    use super::super::spread::RETRY;
    use super::*;

    #[test]
    fn each_says_why_and_how_long_to_wait_and_they_differ() {
        let (least, most) = RETRY;
        let answers = Answers::prepare();
        let read = |response: Response<Body>| {
            let status = Status::from_header_map(response.headers()).expect("a status");
            let refused = Read::of(&status).expect("one of ours");
            let wait = refused.retry_after.expect("says how long");
            assert!(least <= wait && wait < most, "{wait:?}");
            (refused.reason.as_str_name(), wait)
        };
        let mut waits = Vec::new();
        for _ in 0..VARIANTS {
            let (reason, wait) = read(answers.overloaded(Words::Grpc));
            assert_eq!(reason, "REASON_OVERLOADED");
            waits.push(wait);
        }
        waits.sort_unstable();
        waits.dedup();
        assert_eq!(waits.len(), VARIANTS);
        assert_eq!(read(answers.limited(Words::Grpc)).0, "REASON_RATE_LIMITED");
    }

    #[test]
    fn over_http_each_has_its_status_and_a_time_to_wait() {
        let answers = Answers::prepare();
        for (response, status, kind) in [
            (answers.overloaded(Words::Json), 503, "application/json"),
            (answers.limited(Words::Json), 429, "application/json"),
            (
                answers.overloaded(Words::Page),
                503,
                "text/html; charset=utf-8",
            ),
            (
                answers.limited(Words::Page),
                429,
                "text/html; charset=utf-8",
            ),
        ] {
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["content-type"], kind);
            let wait = response.headers()["retry-after"].to_str().expect("ASCII");
            assert!(wait.parse::<u64>().expect("whole seconds") >= 1);
        }
    }
}
