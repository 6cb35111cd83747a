//! Reading the body of a request that is to be a form.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use thiserror::Error;
use tokio::time::timeout;

use crate::is_form;

/// The rest of a request comes within this time, if not sooner ([`RestDue`]). Less than a call may
/// take in all, so that who is late is told that it was the request.
const BODY_DUE: Duration = Duration::from_secs(5);

/// Among the extensions of a request: how long the rest of it may take, from its head on, so that
/// who is late is told so before the connection is cut. No form is given longer than this.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RestDue(pub Duration);

/// Why a body was not read.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum Unread {
    /// The headers do not say that it is a form; see [`is_form`].
    #[error("it is no form")]
    MediaType,
    /// It is longer than is taken.
    #[error("it is too large")]
    TooLarge,
    /// Its end did not come in time.
    #[error("its end did not come in time")]
    Late,
    /// It broke off.
    #[error("it broke off")]
    Cut,
}

/// The body, of at most so many bytes.
///
/// # Errors
/// [`Unread`].
pub async fn read<B>(head: &Parts, body: B, bytes_max: usize) -> Result<Bytes, Unread>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !is_form(&head.headers) {
        return Err(Unread::MediaType);
    }
    // By the length that is said, before anything of it is waited for or asked for (`Expect`).
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(Unread::TooLarge);
    }
    let due = head.extensions.get::<RestDue>();
    let due = due.map_or(BODY_DUE, |rest| rest.0.min(BODY_DUE));
    match timeout(due, Limited::new(body, bytes_max).collect()).await {
        Err(_) => Err(Unread::Late),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Cut),
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io;

    use futures_util::stream;
    use http::Request;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use tokio::time::Instant;

    use super::*;

    fn head() -> Parts {
        let request =
            Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        request.body(()).unwrap().into_parts().0
    }

    /// Half of a form; then `end`, or nothing.
    fn half(end: Option<io::Error>) -> impl Body<Data = Bytes, Error = io::Error> {
        let half = Ok(Frame::data(Bytes::from_static(b"a=")));
        let rest = stream::once(async {
            match end {
                Some(error) => Err(error),
                None => pending().await,
            }
        });
        StreamBody::new(Box::pin(stream::StreamExt::chain(
            stream::iter([half]),
            rest,
        )))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_not_at_all() {
        let whole = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes()));
        assert_eq!(read(&head(), whole("a=1"), 3).await.unwrap(), "a=1");
        assert_eq!(read(&head(), whole("a=12"), 3).await, Err(Unread::TooLarge));
        let cut = half(Some(io::Error::other("gone")));
        assert_eq!(read(&head(), cut, 3).await, Err(Unread::Cut));
        let long = StreamBody::new(stream::iter(
            [b"a=", b"12"].map(|part| Ok::<_, io::Error>(Frame::data(Bytes::from_static(part)))),
        ));
        assert_eq!(read(&head(), long, 3).await, Err(Unread::TooLarge));
        let mut other = head();
        other.headers.clear();
        assert_eq!(read(&other, whole("a=1"), 3).await, Err(Unread::MediaType));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_late_is_told_so_after_five_seconds_or_sooner() {
        let mut short = head();
        short
            .extensions
            .insert(RestDue(Duration::from_millis(4_250)));
        let mut long = head();
        long.extensions.insert(RestDue(Duration::from_secs(60)));
        for (head, due) in [(head(), 5_000), (short, 4_250), (long, 5_000)] {
            let begun = Instant::now();
            assert_eq!(read(&head, half(None), 3).await, Err(Unread::Late));
            assert_eq!(begun.elapsed().as_millis(), due);
        }
    }
}
