//! The bodies of a guarded request: what is asked and what is answered end with the token.

#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use countersign::error::v1::Reason;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::BodyError;
use super::begun::{Begun, Given};
use crate::layer::body::{Came, Open, StreamEnd};
use crate::respond;
use crate::streams::EndCause;

pin_project! {
    /// The body of a request that a guard let through: the one that was received, which fails with
    /// [`TokenEnded`] where the token ends before it does.
    pub struct HttpRequestBody<B> {
        // Gone when there is nothing more to come.
        #[pin]
        inner: Option<B>,
        end: Option<StreamEnd>,
    }
}

pin_project! {
    /// The response body of a guarded request: the handler's, or the guard's own. The handler's
    /// fails with [`TokenEnded`] where the token ends before it does, which servers pass on by
    /// breaking it off; and the handler's is dropped then, whether anybody reads it or not.
    pub struct HttpGuardBody<R> {
        #[pin]
        content: Content<R>,
    }
}

pin_project! {
    #[project = ContentProj]
    enum Content<R> {
        Own { text: Bytes },
        Handlers { #[pin] inner: R },
        /// All of the handler's, not sent yet.
        Whole { whole: Bytes, end: StreamEnd },
        /// That may be ended.
        Open { open: Open<Begun<R>> },
        Over,
    }
}

/// The token of a request ended before the request did.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token ended, or was revoked, before the request was over ({})", .0.as_str_name())]
pub struct TokenEnded(Reason);

impl TokenEnded {
    /// Why, by its stable name.
    pub fn reason(&self) -> Reason {
        self.0
    }
}

impl<B> HttpRequestBody<B> {
    pub(super) fn new(inner: B, answered: Option<&StreamEnd>) -> Self {
        Self {
            inner: Some(inner),
            end: answered.map(StreamEnd::asked),
        }
    }
}

impl<B> Body for HttpRequestBody<B>
where
    B: Body,
    B::Error: Into<BodyError>,
{
    type Data = B::Data;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BodyError>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = match this.end {
            Some(end) => end.or(cx, |cx| inner.poll_frame(cx)),
            None => inner.poll_frame(cx).map(Ok),
        };
        let frame = match ready!(polled) {
            Ok(frame) => frame.map(|frame| frame.map_err(Into::into)),
            // What has come and was not read goes, too: nobody may read it any more.
            Err(cause) => Some(Err(TokenEnded(respond::end_reason(cause)).into())),
        };
        if let Some(Err(_)) | None = frame {
            this.inner.set(None);
            *this.end = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<R> HttpGuardBody<R> {
    pub(super) fn text(text: String) -> Self {
        Self {
            content: Content::Own { text: text.into() },
        }
    }

    pub(super) fn of(inner: R, end: Option<StreamEnd>, cx: &mut Context<'_>) -> Self
    where
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BodyError>,
    {
        // Where all is said in the headers, nothing is left to end.
        let content = match end.filter(|_| !inner.is_end_stream()) {
            Some(end) => match Given::of(inner, cx) {
                Given::Whole(whole) => Content::Whole { whole, end },
                Given::Begun(begun) => Content::Open {
                    open: Open::new(begun, end),
                },
            },
            None => Content::Handlers { inner },
        };
        Self { content }
    }
}

/// An empty body.
impl<R> Default for HttpGuardBody<R> {
    fn default() -> Self {
        Self {
            content: Content::Over,
        }
    }
}

impl<R> Body for HttpGuardBody<R>
where
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut content = self.project().content;
        let frame = match content.as_mut().project() {
            ContentProj::Over => None,
            ContentProj::Own { text } => {
                let text = std::mem::take(text);
                content.set(Content::Over);
                return Poll::Ready(Some(Ok(Frame::data(text))));
            }
            ContentProj::Handlers { inner } => {
                ready!(inner.poll_frame(cx)).map(|frame| frame.map_err(Into::into))
            }
            ContentProj::Whole { whole, end } => {
                let came = match end.has_come() {
                    None => Ok(Frame::data(std::mem::take(whole))),
                    Some(cause) => Err(ended(cause)),
                };
                content.set(Content::Over);
                return Poll::Ready(Some(came));
            }
            ContentProj::Open { open } => match ready!(open.poll_frame(cx)) {
                Came::Frame(frame) => frame,
                Came::End(cause) => Some(Err(ended(cause))),
            },
        };
        // What has ended does not end once more with its token.
        if !matches!(&frame, Some(Ok(frame)) if frame.is_data()) {
            content.set(Content::Over);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own { text } => text.is_empty(),
            Content::Handlers { inner } => inner.is_end_stream(),
            Content::Whole { .. } => false,
            Content::Open { open } => open.is_end_stream(),
            Content::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own { text } => SizeHint::with_exact(text.len() as u64),
            Content::Handlers { inner } => inner.size_hint(),
            Content::Whole { whole, .. } => SizeHint::with_exact(whole.len() as u64),
            // HTTP's way to say that there is less than was to come.
            Content::Open { open } => open.size_hint(),
            Content::Over => SizeHint::with_exact(0),
        }
    }
}

/// Told once.
fn ended(cause: EndCause) -> BodyError {
    respond::note_end(cause);
    TokenEnded(respond::end_reason(cause)).into()
}

impl<B> fmt::Debug for HttpRequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpRequestBody")
    }
}

impl<R> fmt::Debug for HttpGuardBody<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpGuardBody")
    }
}
