//! Refusals that are prepared once: a flood of them costs little more than sending them.

use std::time::Duration;

use http::{HeaderMap, Response};

use super::spread::{Spread, VARIANTS, wait};
use crate::refused::Refused;
use crate::status;

/// The two refusals of this layer, each with different times to wait.
pub(super) struct Answers {
    overloaded: Vec<HeaderMap>,
    limited: Vec<HeaderMap>,
    spread: Spread,
}

impl Answers {
    pub(super) fn prepare() -> Self {
        let waits = || (0..VARIANTS).map(|nth| wait(nth, Duration::ZERO));
        Self {
            overloaded: waits()
                .map(|retry_after| trailers(&Refused::Overloaded { retry_after }))
                .collect(),
            limited: waits()
                .map(|retry_after| trailers(&Refused::RateLimited { retry_after }))
                .collect(),
            spread: Spread::default(),
        }
    }

    /// There is more work than can be done.
    pub(super) fn overloaded<B: Default>(&self) -> Response<B> {
        self.answer(&self.overloaded)
    }

    /// The method has had its share.
    pub(super) fn limited<B: Default>(&self) -> Response<B> {
        self.answer(&self.limited)
    }

    fn answer<B: Default>(&self, variants: &[HeaderMap]) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.headers_mut() = variants[self.spread.next()].clone();
        response
    }
}

/// A gRPC answer of trailers only.
fn trailers(refused: &Refused) -> HeaderMap {
    status::of(refused).into_http::<()>().into_parts().0.headers
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
        let read = |response: Response<()>| {
            let status = Status::from_header_map(response.headers()).expect("a status");
            let refused = Read::of(&status).expect("one of ours");
            let wait = refused.retry_after.expect("says how long");
            assert!(least <= wait && wait < most, "{wait:?}");
            (refused.reason.as_str_name(), wait)
        };
        let mut waits = Vec::new();
        for _ in 0..VARIANTS {
            let (reason, wait) = read(answers.overloaded());
            assert_eq!(reason, "REASON_OVERLOADED");
            waits.push(wait);
        }
        waits.sort_unstable();
        waits.dedup();
        assert_eq!(waits.len(), VARIANTS);
        assert_eq!(read(answers.limited()).0, "REASON_RATE_LIMITED");
    }
}
