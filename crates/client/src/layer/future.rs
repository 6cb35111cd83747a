//! The future of a call.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use crate::error::{CallError, FailedCall};
use crate::source::BoxFuture;

/// The future of a call through [`DpopService`](super::DpopService).
pub struct CallFuture<R>(BoxFuture<'static, Result<Response<R>, FailedCall>>);

impl<R: Send + 'static> CallFuture<R> {
    pub(super) fn new(
        call: impl Future<Output = Result<Response<R>, CallError>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(async move { call.await.map_err(FailedCall::new) }))
    }
}

impl<R> Future for CallFuture<R> {
    type Output = Result<Response<R>, FailedCall>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<R> fmt::Debug for CallFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallFuture")
    }
}
