use std::task::Waker;

use super::*;

/// A source that always has another frame of 1 KiB, each with its number.
struct Endless(u32);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut frame = vec![0; 1024];
        frame[..4].copy_from_slice(&self.0.to_be_bytes());
        self.0 += 1;
        Poll::Ready(Some(Ok(Frame::data(frame.into()))))
    }
}

/// The number of the next frame; `None` at the end.
fn next(body: &mut Body) -> Option<u32> {
    let polled = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(frame) = polled else {
        panic!("there is always something to say")
    };
    let data = frame?.unwrap().into_data().unwrap();
    let (number, _) = data.split_first_chunk::<4>().unwrap();
    Some(u32::from_be_bytes(*number))
}

/// The first attempt may still be polled by its connection when the second is
/// about to begin. Whatever happens in between, the second misses nothing.
#[test]
fn an_attempt_that_is_over_takes_nothing_away() {
    let kept = Kept::new(Body::new(Endless(0)));
    let mut first = kept.first();
    for n in 0..60 {
        assert_eq!(next(&mut first), Some(n));
    }
    let mut second = kept.again().expect("60 KiB are kept");
    for _ in 0..10 {
        assert_eq!(next(&mut first), None);
    }
    for n in 0..200 {
        assert_eq!(next(&mut second), Some(n));
    }
}

#[test]
fn what_is_not_kept_is_not_sent_again() {
    let kept = Kept::new(Body::new(Endless(0)));
    let mut first = kept.first();
    for n in 0..65 {
        assert_eq!(next(&mut first), Some(n));
    }
    assert!(kept.again().is_none());
    // The first attempt goes on.
    assert_eq!(next(&mut first), Some(65));
}

#[test]
fn nothing_is_kept_once_the_response_has_begun() {
    let kept = Kept::new(Body::new(Endless(0)));
    let mut first = kept.first();
    assert_eq!(next(&mut first), Some(0));
    kept.release();
    assert_eq!(next(&mut first), Some(1));
    assert!(kept.0.lock().frames.is_none());
}
