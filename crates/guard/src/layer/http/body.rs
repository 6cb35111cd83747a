//! The bodies of a guarded request: what is asked and what is answered end with the token.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use countersign::error::v1::Reason;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::BodyError;
use crate::layer::body::StreamEnd;
use crate::respond;

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
    /// breaking it off.
    pub struct HttpGuardBody<R> {
        #[pin]
        content: Content<R>,
    }
}

pin_project! {
    #[project = ContentProj]
    enum Content<R> {
        Own { text: Bytes },
        Handlers { #[pin] inner: R, end: Option<StreamEnd> },
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
        if let Some(end) = this.end
            && let Poll::Ready(cause) = end.poll(cx)
        {
            // What has come and was not read goes, too: nobody may read it any more.
            this.inner.set(None);
            *this.end = None;
            return Poll::Ready(Some(Err(TokenEnded(respond::end_reason(cause)).into())));
        }
        let polled = inner.poll_frame(cx);
        if let Poll::Ready(Some(Err(_)) | None) = polled {
            this.inner.set(None);
            *this.end = None;
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
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

    pub(super) fn of(inner: R, end: Option<StreamEnd>) -> Self
    where
        R: Body,
    {
        // Where all is said in the headers, nothing is left to end.
        let end = end.filter(|_| !inner.is_end_stream());
        Self {
            content: Content::Handlers { inner, end },
        }
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
    R: Body<Data = Bytes>,
    R::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut content = self.project().content;
        let last = match content.as_mut().project() {
            ContentProj::Over => None,
            ContentProj::Own { text } => Some(Ok(Frame::data(std::mem::take(text)))),
            ContentProj::Handlers { inner, end } => {
                // First, because there may always be something ready.
                let ended = end.as_mut().map(|end| end.poll(cx));
                if let Some(Poll::Ready(cause)) = ended {
                    respond::note_end(cause);
                    Some(Err(TokenEnded(respond::end_reason(cause)).into()))
                } else {
                    let frame = ready!(inner.poll_frame(cx));
                    let frame = frame.map(|frame| frame.map_err(Into::into));
                    // What has ended does not end once more with its token.
                    if frame
                        .as_ref()
                        .is_some_and(|frame| frame.as_ref().is_ok_and(Frame::is_data))
                    {
                        return Poll::Ready(frame);
                    }
                    frame
                }
            }
        };
        content.set(Content::Over);
        Poll::Ready(last)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own { text } => text.is_empty(),
            Content::Handlers { inner, .. } => inner.is_end_stream(),
            Content::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own { text } => SizeHint::with_exact(text.len() as u64),
            Content::Handlers { inner, .. } => inner.size_hint(),
            Content::Over => SizeHint::with_exact(0),
        }
    }
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
