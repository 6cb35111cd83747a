//! The body of a stream that may be ended: its end takes it away at once, whoever keeps the
//! stream. A caller that does not read keeps the server from asking its stream for more, and so
//! from learning of an end.

#[cfg(test)]
mod tests;

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::{EndCause, StreamEnd};

/// A handler's body, and what ends it.
pub(in crate::layer) struct Open<R> {
    held: Arc<Mutex<Held<R>>>,
    end: StreamEnd,
    /// Ends the stream while nobody asks it for more.
    watch: AbortHandle,
}

/// Where a handler's body is. The lock is held to change that, and never while the handler's code
/// runs, which may take its time: whoever ends the stream does not wait for it.
enum Held<R> {
    Here(Pin<Box<R>>),
    /// Being asked for more, by whoever drops it if the stream has ended meanwhile.
    Asked,
    /// The stream was ended.
    Gone,
}

/// What came.
pub(in crate::layer) enum Came<E> {
    /// From the handler.
    Frame(Option<Result<Frame<Bytes>, E>>),
    /// The end of the stream.
    End(EndCause),
}

impl<R: Body<Data = Bytes> + Send + 'static> Open<R> {
    pub(in crate::layer) fn new(body: R, end: StreamEnd) -> Self {
        let held = Arc::new(Mutex::new(Held::Here(Box::pin(body))));
        let watched = Arc::clone(&held);
        let comes = end.comes();
        let watch = tokio::spawn(async move {
            // Told by then: whoever finds no body asks why.
            comes.await;
            take(&watched);
        });
        Self {
            held,
            end,
            watch: watch.abort_handle(),
        }
    }

    pub(in crate::layer) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Came<R::Error>> {
        // First, because a stream may always have something ready.
        if let Poll::Ready(cause) = self.end.poll_watched(cx) {
            return Poll::Ready(Came::End(cause));
        }
        let mut body = {
            let mut held = self.held.lock();
            match mem::replace(&mut *held, Held::Asked) {
                Held::Here(body) => body,
                // It was taken away since; or the handler has panicked, and nothing comes of it.
                gone @ (Held::Asked | Held::Gone) => {
                    *held = gone;
                    drop(held);
                    return self.end.poll_watched(cx).map(Came::End);
                }
            }
        };
        let polled = body.as_mut().poll_frame(cx);
        let mut held = self.held.lock();
        if let Held::Gone = *held {
            // Without the lock: what is dropped is the handler's.
            drop(held);
            drop(body);
            return self.end.poll_watched(cx).map(Came::End);
        }
        *held = Held::Here(body);
        polled.map(Came::Frame)
    }

    pub(in crate::layer) fn is_end_stream(&self) -> bool {
        match &*self.held.lock() {
            Held::Here(body) => body.is_end_stream(),
            // One that was taken away has its end to tell.
            Held::Asked | Held::Gone => false,
        }
    }

    /// What the handler promises, as long as it is there.
    pub(in crate::layer) fn size_hint(&self) -> SizeHint {
        match &*self.held.lock() {
            Held::Here(body) => body.size_hint(),
            Held::Asked | Held::Gone => SizeHint::default(),
        }
    }
}

/// Takes the body away, wherever it is.
fn take<R>(held: &Mutex<Held<R>>) {
    // Dropped without the lock.
    let taken = mem::replace(&mut *held.lock(), Held::Gone);
    drop(taken);
}

impl<R> Drop for Open<R> {
    fn drop(&mut self) {
        self.watch.abort();
        // At once: the task is gone when its runtime comes to it.
        take(&self.held);
    }
}
