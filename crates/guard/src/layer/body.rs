//! The bodies of a guarded call: what is asked and what is answered end, of a
//! stream, with its token, and the answer is freed of what only a guard may say.

mod open;
#[cfg(test)]
pub(super) mod tests;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tonic::Status;

pub(super) use self::open::{Came, Open};
use super::after::{Treatment, strip};
use crate::check::OpenStream;
use crate::respond;
use crate::streams::{Direction, EndCause, Place};

pin_project! {
    /// The response body of a guarded call.
    pub struct GuardBody<R> {
        #[pin]
        inner: Inner<R>,
        treatment: Treatment,
    }
}

pin_project! {
    #[project = InnerProj]
    enum Inner<R> {
        /// There is nothing more to come.
        Over,
        /// Of a call that only its handler ends.
        Plain { #[pin] body: R },
        /// Of a stream that the guard may end.
        Open { open: Open<R> },
    }
}

/// When a stream ends, for one of its directions.
pub(super) struct StreamEnd {
    at: Instant,
    /// What ends it then.
    cause: EndCause,
    place: Arc<Place>,
    direction: Direction,
    /// Only made when there is something to wait for.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<R> GuardBody<R> {
    pub(super) fn empty() -> Self {
        Self {
            inner: Inner::Over,
            treatment: Treatment::Untouched,
        }
    }

    pub(super) fn of(body: R, treatment: Treatment, end: Option<StreamEnd>) -> Self
    where
        R: Body<Data = Bytes> + Send + 'static,
    {
        // Where all is said in the headers, nothing is left to end.
        let inner = match end.filter(|_| !body.is_end_stream()) {
            Some(end) => Inner::Open {
                open: Open::new(body, end),
            },
            None => Inner::Plain { body },
        };
        Self { inner, treatment }
    }
}

/// An empty body.
impl<R> Default for GuardBody<R> {
    fn default() -> Self {
        Self::empty()
    }
}

impl StreamEnd {
    /// For what is answered.
    pub(super) fn of(stream: OpenStream) -> Self {
        Self {
            at: Instant::now() + stream.ends_in,
            cause: stream.cause,
            place: stream.place,
            direction: Direction::Answered,
            sleep: None,
        }
    }

    /// The same end, for what is asked.
    pub(super) fn asked(&self) -> Self {
        Self {
            place: Arc::clone(&self.place),
            direction: Direction::Asked,
            sleep: None,
            ..*self
        }
    }

    /// Ends the stream in its time, whether anybody asks it for more or not.
    fn comes(&self) -> impl Future<Output = ()> + Send + use<> {
        let (at, cause) = (self.at, self.cause);
        let watched = self.place.watched();
        async move {
            let ended = tokio::time::timeout_at(at, watched.ended()).await;
            watched.end(ended.unwrap_or(cause));
        }
    }

    /// Ready when the stream has ended, for whoever is woken by [`comes`](Self::comes): there is
    /// one timer for both.
    fn poll_watched(&mut self, cx: &mut Context<'_>) -> Poll<EndCause> {
        self.sleep = None;
        if let Poll::Ready(cause) = self.place.poll_ended(self.direction, cx) {
            return Poll::Ready(cause);
        }
        if Instant::now() < self.at {
            Poll::Pending
        } else {
            Poll::Ready(self.cause)
        }
    }

    /// What has ended the stream by now. Nobody is woken when something does later.
    pub(super) fn has_come(&self) -> Option<EndCause> {
        let over = || (self.at <= Instant::now()).then_some(self.cause);
        self.place.ended().or_else(over)
    }

    /// What there is `more`, or the end if that comes first. It is only waited for, with a timer,
    /// where there is something to wait for.
    pub(super) fn or<T>(
        &mut self,
        cx: &mut Context<'_>,
        more: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Result<T, EndCause>> {
        if let Some(cause) = self.has_come() {
            return Poll::Ready(Err(cause));
        }
        match more(cx) {
            Poll::Ready(came) => Poll::Ready(Ok(came)),
            Poll::Pending => self.poll(cx).map(Err),
        }
    }

    /// Ready when the stream has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<EndCause> {
        if let Poll::Ready(cause) = self.place.poll_ended(self.direction, cx) {
            return Poll::Ready(cause);
        }
        let at = self.at;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        sleep.as_mut().poll(cx).map(|()| self.cause)
    }
}

impl<R: Body<Data = Bytes> + Send + 'static> Body for GuardBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let mut this = self.project();
        let mut polled = match this.inner.as_mut().project() {
            InnerProj::Over => return Poll::Ready(None),
            InnerProj::Plain { body } => body.poll_frame(cx),
            InnerProj::Open { open } => match open.poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Came::Frame(frame)) => Poll::Ready(frame),
                Poll::Ready(Came::End(cause)) => {
                    this.inner.set(Inner::Over);
                    let trailers = respond::headers(&respond::stream_ended(cause));
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
            },
        };
        let over = match &mut polled {
            Poll::Pending => false,
            Poll::Ready(Some(Ok(frame))) => match frame.trailers_mut() {
                Some(trailers) => {
                    if *this.treatment == Treatment::Stripped {
                        strip(trailers);
                    }
                    true
                }
                None => false,
            },
            Poll::Ready(Some(Err(_)) | None) => true,
        };
        // What has ended does not end once more with its token, whoever asks again.
        if over {
            this.inner.set(Inner::Over);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Over => true,
            Inner::Plain { body } => body.is_end_stream(),
            Inner::Open { open } => open.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Over => SizeHint::with_exact(0),
            Inner::Plain { body } => body.size_hint(),
            // It may end before: a length that is told and not kept breaks the call.
            Inner::Open { .. } => SizeHint::default(),
        }
    }
}

/// The request of a stream. A handler may go on reading where nobody hears its
/// answers any more; with the token's end, it hears nothing more either.
pub(super) struct AskedBody {
    // Gone when there is nothing more to come.
    open: Option<Asked>,
}

struct Asked {
    inner: tonic::body::Body,
    end: StreamEnd,
}

impl AskedBody {
    pub(super) fn new(inner: tonic::body::Body, answered: &StreamEnd) -> Self {
        let end = answered.asked();
        Self {
            open: Some(Asked { inner, end }),
        }
    }
}

impl Body for AskedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(asked) = &mut self.open else {
            return Poll::Ready(None);
        };
        let Asked { inner, end } = asked;
        match ready!(end.or(cx, |cx| Pin::new(inner).poll_frame(cx))) {
            Ok(frame) => {
                if let Some(Err(_)) | None = frame {
                    self.open = None;
                }
                Poll::Ready(frame)
            }
            Err(cause) => {
                // What has come and was not read goes, too: nobody may read it any more.
                self.open = None;
                Poll::Ready(Some(Err(respond::stream_over(cause))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let ended = |asked: &Asked| asked.inner.is_end_stream();
        self.open.as_ref().is_none_or(ended)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = |asked: &Asked| asked.inner.size_hint();
        self.open
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), hint)
    }
}

impl<R> fmt::Debug for GuardBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardBody")
    }
}
