//! Counts the calls that are under way: a stop waits for them, not for connections, which a silent
//! peer or a watch keeps open as long as it likes.

use std::task::{Context, Poll};

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TrackedFuture;
use tower_layer::Layer;
use tower_service::Service;

/// Counts every call from its headers to the head of its answer. Of a stream it counts the
/// opening.
#[derive(Clone)]
pub(crate) struct UnderWayLayer {
    pub(crate) calls: TaskTracker,
}

impl<S> Layer<S> for UnderWayLayer {
    type Service = UnderWayService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        UnderWayService {
            inner,
            calls: self.calls.clone(),
        }
    }
}

/// What [`UnderWayLayer`] makes.
#[derive(Clone)]
pub(crate) struct UnderWayService<S> {
    inner: S,
    calls: TaskTracker,
}

impl<S, R> Service<R> for UnderWayService<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TrackedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.calls.track_future(self.inner.call(request))
    }
}
