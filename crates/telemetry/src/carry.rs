//! Taking the current trace along to another task.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::scope::Scope;

/// Makes `future` run in the caller's span and trace, wherever it is polled:
/// `tokio::spawn(carry(work))`.
pub fn carry<F: Future>(future: F) -> Carried<F> {
    Carried {
        future,
        scope: Scope::current(),
    }
}

pin_project! {
    /// See [`carry`].
    pub struct Carried<F> {
        #[pin]
        future: F,
        scope: Scope,
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.scope.within(|| this.future.poll(cx))
    }
}
