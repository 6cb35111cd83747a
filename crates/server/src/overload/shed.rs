//! The layer that sheds: outermost, so that a call which is not taken on costs next to nothing.
//!
//! It counts a call from [`call`](tower_service::Service::call), which the edge must call when the
//! head of a request arrives, and not only when it is the call's turn: what waits between the two is
//! what this layer bounds. So everything within it is called when the answer is first polled.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use countersign_telemetry::{HttpServerLayer, ServerLayer};
use http::{Request, Response};
use http_body_util::Either;
use tokio::time::{Instant, Sleep, sleep};
use tonic::body::Body;
use tower::util::Oneshot;
use tower_layer::Layer;
use tower_service::Service;

use super::Overload;
use super::arrival::{Arrived, Watched};
use super::lane::Lane;
use super::waiting::Queues;
use crate::http as http_edge;
use crate::protocol::{Protocol, Words};

/// How long the rest of a request may take to arrive while its lane is half full. Head and message
/// of an honest call travel together. Without this, 4,096 heads without a message would hold every
/// place for as long as a call may take: 41 connections would do.
const ARRIVAL_DUE: Duration = Duration::from_millis(250);

/// Sheds what is too much; made by [`Overload::layer`].
#[derive(Clone)]
pub(crate) struct ShedLayer {
    pub(super) overload: Arc<Overload>,
    pub(super) seen: Seen,
}

/// The layer further in that measures what is taken on. What is shed never gets there, and an
/// operator must see it all the same.
#[derive(Copy, Clone)]
pub(crate) enum Seen {
    /// Of gRPC.
    Calls(ServerLayer),
    /// Of HTTP.
    Requests(HttpServerLayer),
    /// Of a login application that is alone, which has nothing but pages.
    Pages(HttpServerLayer),
}

impl Seen {
    fn lane(&self, path: &str) -> Lane {
        match self {
            Self::Calls(_) => Lane::of(Protocol::Grpc, path),
            Self::Requests(_) => Lane::of(Protocol::Http, path),
            Self::Pages(_) => Lane::Ordinary,
        }
    }

    fn words(&self, path: &str) -> Words {
        match self {
            Self::Calls(_) => Words::Grpc,
            Self::Requests(_) => http_edge::words(path),
            Self::Pages(_) => Words::Page,
        }
    }

    fn measure<B>(&self, request: &Request<B>, answer: &Response<Body>) {
        match self {
            Self::Calls(layer) => layer.answered_before(request.uri().path(), answer.headers()),
            Self::Requests(layer) | Self::Pages(layer) => {
                layer.answered_before(request, answer.status());
            }
        }
    }
}

/// Why a call is not taken on.
#[derive(Copy, Clone)]
enum Shed {
    Overloaded,
    Limited,
}

/// A place for a call to `path`, if there is one.
fn admit(overload: &Arc<Overload>, seen: &Seen, path: &str) -> Result<Place, Shed> {
    let Overload {
        rules,
        taken,
        waiting,
        tally,
        ..
    } = &**overload;
    let rules = rules.load();
    let lane = seen.lane(path);
    if !taken.enter(lane, rules.in_flight_max) {
        tally.overloaded();
        return Err(Shed::Overloaded);
    }
    let queues = waiting.here();
    if !queues[lane as usize].enter(rules.waiting_max, Instant::now) {
        taken.leave(lane);
        tally.overloaded();
        return Err(Shed::Overloaded);
    }
    let place = Place {
        overload: Arc::clone(overload),
        queues,
        lane,
        words: seen.words(path),
        waits: true,
    };
    // Last, so that a call which is shed uses up nothing.
    if rules.methods.is_limited(path) {
        tally.limited();
        return Err(Shed::Limited);
    }
    Ok(place)
}

/// A call's place in its lane, given back when it is dropped.
struct Place {
    overload: Arc<Overload>,
    queues: Arc<Queues>,
    lane: Lane,
    /// What it is answered in when the rest of it does not come.
    words: Words,
    waits: bool,
}

impl Place {
    /// It is this call's turn.
    fn begin(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.queues[self.lane as usize].leave();
        }
    }

    /// Whether more than half of the lane is taken.
    fn is_crowded(&self) -> bool {
        let Overload { rules, taken, .. } = &*self.overload;
        taken.in_flight(self.lane) > rules.load().in_flight_max / 2
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.begin();
        self.overload.taken.leave(self.lane);
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = ShedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ShedService {
            inner,
            overload: Arc::clone(&self.overload),
            seen: self.seen,
        }
    }
}

/// What [`ShedLayer`] makes.
#[derive(Clone)]
pub(crate) struct ShedService<S> {
    inner: S,
    overload: Arc<Overload>,
    seen: Seen,
}

impl<S, B, R> Service<Request<B>> for ShedService<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Clone,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    R: http_body::Body<Data = Bytes>,
{
    type Response = Response<Either<R, Body>>;
    type Error = S::Error;
    type Future = ShedFuture<S>;

    /// Always: nobody waits outside of the queue that is counted.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        match admit(&self.overload, &self.seen, path) {
            Ok(place) => {
                let arrived = Arrived::default();
                let request = request.map(|body| Body::new(Watched::new(body, arrived.clone())));
                ShedFuture::Taken {
                    answer: Oneshot::new(self.inner.clone(), request),
                    arrived,
                    due: None,
                    place,
                }
            }
            Err(shed) => {
                let answers = &self.overload.answers;
                let words = self.seen.words(path);
                let answer = match shed {
                    Shed::Overloaded => answers.overloaded(words),
                    Shed::Limited => answers.limited(words),
                };
                self.seen.measure(&request, &answer);
                ShedFuture::Shed {
                    answer: Some(answer),
                }
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The answer of [`ShedService`].
    #[project = ShedProjection]
    pub(crate) enum ShedFuture<S: Service<Request<Body>>> {
        Taken {
            #[pin]
            answer: Oneshot<S, Request<Body>>,
            arrived: Arrived,
            // When the rest of the request must be there, if that is not any time.
            due: Option<Pin<Box<Sleep>>>,
            place: Place,
        },
        Shed {
            answer: Option<Response<Body>>,
        },
    }
}

impl<S, R> Future for ShedFuture<S>
where
    S: Service<Request<Body>, Response = Response<R>>,
{
    type Output = Result<Response<Either<R, Body>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ShedProjection::Taken {
                answer,
                arrived,
                due,
                place,
            } => {
                place.begin();
                if let Poll::Ready(answered) = answer.poll(cx) {
                    return Poll::Ready(answered.map(|response| response.map(Either::Left)));
                }
                if arrived.is_whole() {
                    *due = None;
                    return Poll::Pending;
                }
                if due.is_none() && place.is_crowded() {
                    *due = Some(Box::pin(sleep(ARRIVAL_DUE)));
                }
                let Some(due) = due else {
                    return Poll::Pending;
                };
                ready!(due.as_mut().poll(cx));
                let overload = &place.overload;
                overload.tally.overloaded();
                Poll::Ready(Ok(overload
                    .answers
                    .overloaded(place.words)
                    .map(Either::Right)))
            }
            ShedProjection::Shed { answer } => {
                let answer = answer.take().expect("polled after its answer");
                Poll::Ready(Ok(answer.map(Either::Right)))
            }
        }
    }
}
