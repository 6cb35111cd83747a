//! A call whose head has not been answered yet.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use super::body::CallBody;
use super::call::Call;

pin_project! {
    /// The future of [`ServerCalls`](super::ServerCalls) and [`ClientCalls`](super::ClientCalls).
    pub struct CallFuture<F> {
        #[pin]
        inner: F,
        // Gone when the head is answered: then the body has it.
        call: Option<Call>,
    }
}

impl<F> CallFuture<F> {
    pub(super) fn new(call: Call, start: impl FnOnce(&Call) -> F) -> Self {
        Self {
            inner: start(&call),
            call: Some(call),
        }
    }
}

impl<F, R, E> Future for CallFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<CallBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.call.as_ref() {
            Some(call) => ready!(call.within(|| this.inner.poll(cx))),
            None => ready!(this.inner.poll(cx)),
        };
        let call = this.call.take();
        Poll::Ready(match answer {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let mut body = CallBody::new(body, call);
                body.heard(head.status, &head.headers);
                Ok(Response::from_parts(head, body))
            }
            Err(error) => {
                if let Some(mut call) = call {
                    call.failed();
                }
                Err(error)
            }
        })
    }
}
