//! The body of a stream that may be ended: its end takes it away at once, whoever keeps the
//! stream. A caller that does not read keeps the server from asking its stream for more, and so
//! from learning of an end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::{EndCause, StreamEnd};

/// A handler's body, and what ends it.
pub(super) struct Open<R> {
    /// Gone when the stream was ended.
    body: Arc<Mutex<Option<Pin<Box<R>>>>>,
    end: StreamEnd,
    /// Ends the stream while nobody asks it for more.
    watch: AbortHandle,
}

/// What came.
pub(super) enum Came<E> {
    /// From the handler.
    Frame(Option<Result<Frame<Bytes>, E>>),
    /// The end of the stream.
    End(EndCause),
}

impl<R: Body<Data = Bytes> + Send + 'static> Open<R> {
    pub(super) fn new(body: R, end: StreamEnd) -> Self {
        let body = Arc::new(Mutex::new(Some(Box::pin(body))));
        let watched = Arc::clone(&body);
        let comes = end.comes();
        let watch = tokio::spawn(async move {
            // Told by then: whoever finds no body asks why.
            comes.await;
            // Dropped without the lock.
            let body = watched.lock().take();
            drop(body);
        });
        Self {
            body,
            end,
            watch: watch.abort_handle(),
        }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Came<R::Error>> {
        // First, because a stream may always have something ready.
        if let Poll::Ready(cause) = self.end.poll(cx) {
            return Poll::Ready(Came::End(cause));
        }
        match &mut *self.body.lock() {
            Some(body) => body.as_mut().poll_frame(cx).map(Came::Frame),
            // It was taken away since.
            None => self.end.poll(cx).map(Came::End),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let body = self.body.lock();
        // One that was taken away has its end to tell.
        body.as_ref().is_some_and(|body| body.is_end_stream())
    }
}

impl<R> Drop for Open<R> {
    fn drop(&mut self) {
        self.watch.abort();
        // At once: the task is gone when its runtime comes to it.
        let body = self.body.lock().take();
        drop(body);
    }
}
