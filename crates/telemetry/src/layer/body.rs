//! The rest of a call: its messages, and the trailers that hold its status.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::call::Call;

pin_project! {
    /// A response body that watches for the call's status.
    pub struct CallBody<B> {
        #[pin]
        inner: B,
        // Gone when the status is known: then the span has ended.
        call: Option<Call>,
    }
}

impl<B> CallBody<B> {
    pub(super) fn new(inner: B, call: Option<Call>) -> Self {
        Self { inner, call }
    }

    pub(super) fn heard(&mut self, status: StatusCode, headers: &HeaderMap) {
        if let Some(call) = &mut self.call
            && call.heard(Some(status), headers)
        {
            self.call = None;
        }
    }
}

/// An empty body of no call.
impl<B: Default> Default for CallBody<B> {
    fn default() -> Self {
        Self {
            inner: B::default(),
            call: None,
        }
    }
}

impl<B: Body> Body for CallBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(call) = this.call.as_mut() else {
            return this.inner.poll_frame(cx);
        };
        let frame = ready!(call.within(|| this.inner.poll_frame(cx)));
        let over = match &frame {
            None => {
                call.ended();
                true
            }
            Some(Err(_)) => {
                call.failed();
                true
            }
            Some(Ok(frame)) => frame
                .trailers_ref()
                .is_some_and(|trailers| call.heard(None, trailers)),
        };
        if over {
            *this.call = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
