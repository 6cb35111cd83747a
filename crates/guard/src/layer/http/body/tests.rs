use std::convert::Infallible;
use std::sync::Arc;
use std::task::Waker;

use http_body_util::Full;
use tokio::runtime::Handle;

use super::*;
use crate::layer::body::tests::{LIFE, end};
use crate::streams::OpenStreams;
use crate::streams::tests::everything;

/// Says how much is left, and gives it piece by piece.
struct Pieces(Vec<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}

fn given<R>(streams: &Arc<OpenStreams>, body: R) -> HttpGuardBody<R>
where
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BodyError>,
{
    let mut cx = Context::from_waker(Waker::noop());
    HttpGuardBody::of(body, Some(end(streams)), &mut cx)
}

/// `None`: nothing more. What came instead of data is named.
fn poll<R>(body: &mut HttpGuardBody<R>) -> Option<Result<Bytes, String>>
where
    R: Body<Data = Bytes> + Send + Unpin + 'static,
    R::Error: Into<BodyError>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let polled = Pin::new(body).poll_frame(&mut cx);
    let Poll::Ready(came) = polled else {
        panic!("something is there, or nothing more will be");
    };
    came.map(|came| match came {
        Ok(frame) => Ok(frame.into_data().unwrap()),
        Err(error) => {
            let ended: &TokenEnded = error.downcast_ref().unwrap();
            Err(ended.reason().as_str_name().to_owned())
        }
    })
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn bytes(length: usize) -> Bytes {
    vec![b'x'; length].into()
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_end_of_an_answer_that_is_all_there() {
    let streams = Arc::new(OpenStreams::default());
    let before = tasks();
    for length in [1, 65_535] {
        let mut body = given(&streams, Full::new(bytes(length)));
        assert_eq!(tasks(), before, "{length}");
        assert_eq!(body.size_hint().exact(), Some(length as u64));
        assert_eq!((streams.len(), body.is_end_stream()), (1, false));
        assert_eq!(poll(&mut body), Some(Ok(bytes(length))));
        assert!(body.is_end_stream());
        assert_eq!(streams.len(), 0, "its place is given back");
        assert_eq!(poll(&mut body), None);
    }
}

/// Somebody waits for the end of whatever may be under way for long.
#[tokio::test(start_paused = true)]
async fn all_of_an_answer_comes_in_its_order_however_it_is_given() {
    let streams = Arc::new(OpenStreams::default());
    let before = tasks();
    for lengths in [&[1, 2][..], &[65_536], &[65_535, 1], &[0, 1], &[1, 0]] {
        let whole: Vec<Bytes> = lengths.iter().copied().map(bytes).collect();
        let pieces = Pieces(whole.iter().rev().cloned().collect());
        let mut body = given(&streams, pieces);
        assert_eq!(tasks(), before + 1, "{lengths:?}");
        let all = lengths.iter().sum::<usize>() as u64;
        assert_eq!(body.size_hint().exact(), Some(all), "{lengths:?}");
        for piece in whole {
            assert!(!body.is_end_stream(), "{lengths:?}");
            assert_eq!(poll(&mut body), Some(Ok(piece)), "{lengths:?}");
        }
        assert_eq!(poll(&mut body), None);
        drop(body);
        tokio::task::yield_now().await;
        assert_eq!((tasks(), streams.len()), (before, 0), "{lengths:?}");
    }
}

/// Nobody asked for it before: the client took nothing.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_all_there_is_not_sent_after_its_end() {
    let streams = Arc::new(OpenStreams::default());
    let mut late = given(&streams, Full::new(bytes(5)));
    let mut revoked = given(&streams, Full::new(bytes(5)));
    streams.revoke(&everything());
    assert_eq!(
        poll(&mut revoked),
        Some(Err("REASON_TOKEN_REVOKED".to_owned()))
    );
    assert_eq!(poll(&mut revoked), None);
    // Both were of that token.
    assert_eq!(
        poll(&mut late),
        Some(Err("REASON_TOKEN_REVOKED".to_owned()))
    );
    let mut late = given(&streams, Full::new(bytes(5)));
    tokio::time::advance(LIFE).await;
    assert_eq!(
        poll(&mut late),
        Some(Err("REASON_TOKEN_EXPIRED".to_owned()))
    );
    assert!(late.is_end_stream());
    assert_eq!(streams.len(), 0);
}
