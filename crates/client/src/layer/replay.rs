//! The request's body, kept until the response starts, in case it must be sent
//! again.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use parking_lot::Mutex;
use tonic::Status;
use tonic::body::Body;

#[cfg(test)]
mod tests;

/// Any unary message within the limits of most services, and the beginning of
/// any stream; little enough to hold for every call that waits.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// A body, and what has been sent of it.
pub(super) struct Kept(Arc<Mutex<State>>);

struct State {
    source: Body,
    /// What came from the source so far; `None` when it is not kept any more.
    frames: Option<Vec<Bytes>>,
    bytes: usize,
    /// The source has ended.
    ended: bool,
    /// The attempt that may read. An earlier one that is still being polled
    /// must not take frames away from a later one.
    attempt: u32,
}

impl Kept {
    pub(super) fn new(source: Body) -> Self {
        Self(Arc::new(Mutex::new(State {
            ended: source.is_end_stream(),
            source,
            frames: Some(Vec::new()),
            bytes: 0,
            attempt: 0,
        })))
    }

    /// The body for the first attempt.
    pub(super) fn first(&self) -> Body {
        self.attempt(&mut self.0.lock())
    }

    /// The body for another attempt, from its beginning, if everything sent so
    /// far is still here. From now on the attempt before it reads no more: what
    /// it took would be missing from this one.
    pub(super) fn again(&self) -> Option<Body> {
        let mut state = self.0.lock();
        state.frames.is_some().then(|| self.attempt(&mut state))
    }

    fn attempt(&self, state: &mut State) -> Body {
        state.attempt += 1;
        Body::new(AttemptBody {
            attempt: state.attempt,
            at: 0,
            ended: state.ended && state.frames.as_ref().is_none_or(Vec::is_empty),
            state: Arc::clone(&self.0),
        })
    }

    /// There will be no further attempt.
    pub(super) fn release(&self) {
        let mut state = self.0.lock();
        // Whatever comes from now on is not kept.
        state.bytes = usize::MAX;
        // A first attempt has sent all there is; a second may be still at it.
        if state.attempt == 1 {
            state.frames = None;
        }
    }
}

struct AttemptBody {
    state: Arc<Mutex<State>>,
    attempt: u32,
    /// How many of the kept frames this attempt has sent.
    at: usize,
    ended: bool,
}

impl http_body::Body for AttemptBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut state = this.state.lock();
        if this.ended || state.attempt != this.attempt {
            return Poll::Ready(None);
        }
        if let Some(frame) = state.frames.as_ref().and_then(|kept| kept.get(this.at)) {
            let frame = frame.clone();
            this.at += 1;
            this.ended = state.ended && this.at == state.kept();
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
        let polled = state.poll_source(cx);
        match &polled {
            Poll::Ready(None) => this.ended = true,
            Poll::Ready(Some(Ok(_))) => {
                this.at += 1;
                this.ended = state.ended;
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl State {
    fn kept(&self) -> usize {
        self.frames.as_ref().map_or(0, Vec::len)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.source).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Ok(frame))) => {
                self.keep(frame);
                self.ended = self.source.is_end_stream();
            }
            // A source that failed has no rest to send again.
            Poll::Ready(Some(Err(_))) => self.frames = None,
            Poll::Pending => {}
        }
        polled
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref() else { return };
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > KEPT_BYTES_MAX {
            self.frames = None;
        } else if let Some(frames) = &mut self.frames {
            frames.push(data.clone());
        }
    }
}
