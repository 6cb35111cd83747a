//! Answers that are all there when their handler gives them, as most are: nothing has to wait for
//! their end beside whoever sends them.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::BodyError;

/// As much as is sent over HTTP/2 to a client that has said nothing of how much it takes
/// (RFC 9113 §6.9.2). What is longer may be long under way.
const WHOLE_BYTES_MAX: u64 = 65_535;

/// A handler's body, of which something may have come already.
pub(super) struct Begun<R> {
    came: Option<Came>,
    rest: Pin<Box<R>>,
}

type Came = Option<Result<Frame<Bytes>, BodyError>>;

/// What is known of a body when it is given.
pub(super) enum Given<R> {
    /// This is all of it.
    Whole(Bytes),
    /// There may be more.
    Begun(Begun<R>),
}

impl<R> Given<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BodyError>,
{
    /// Asks a body once that says that it is short.
    pub(super) fn of(body: R, cx: &mut Context<'_>) -> Self {
        let mut rest = Box::pin(body);
        let says = rest.size_hint().exact();
        let mut came = match says.is_some_and(|bytes| bytes <= WHOLE_BYTES_MAX) {
            true => poll(&mut rest, cx),
            false => Poll::Pending,
        };
        if let Poll::Ready(Some(Ok(frame))) = &mut came
            && let Some(data) = frame.data_mut()
            && Some(data.len() as u64) == says
            && rest.is_end_stream()
        {
            return Self::Whole(std::mem::take(data));
        }
        Self::Begun(Begun {
            came: match came {
                Poll::Ready(came) => Some(came),
                Poll::Pending => None,
            },
            rest,
        })
    }
}

fn poll<R>(rest: &mut Pin<Box<R>>, cx: &mut Context<'_>) -> Poll<Came>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BodyError>,
{
    let frame = rest.as_mut().poll_frame(cx);
    frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
}

impl<R> Body for Begun<R>
where
    R: Body<Data = Bytes>,
    R::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Came> {
        match self.came.take() {
            Some(came) => Poll::Ready(came),
            None => poll(&mut self.rest, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.came.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.rest.size_hint();
        let Some(Some(Ok(frame))) = &self.came else {
            return hint;
        };
        let came = frame.data_ref().map_or(0, |data| data.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + came);
        }
        hint.set_lower(hint.lower() + came);
        hint
    }
}
