//! The future of a guarded call.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use countersign_client::source::BoxFuture;
use countersign_telemetry::spans;
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;
use tracing::Instrument as _;
use tracing::instrument::Instrumented;

use super::after::After;
use super::body::{AskedBody, GuardBody};
use crate::check::{Checks, Decision, Found, Head, Proven, Verdict};
use crate::respond;

pin_project! {
    /// The future of a call through [`GuardService`](super::GuardService).
    pub struct GuardFuture<S, F> {
        #[pin]
        state: State<S, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        /// Decided against the call.
        Refused { status: Option<Status> },
        /// The handler runs.
        Running { #[pin] handler: Instrumented<F>, after: After },
        /// Something is being found out about the token.
        Open { finding: BoxFuture<'static, Found>, waiting: Option<Waiting<S>> },
    }
}

/// A call that waits for what is found out about its token.
struct Waiting<S> {
    checks: Arc<Checks>,
    proven: Proven,
    service: S,
    request: Request<Body>,
}

impl<S> GuardFuture<S, S::Future>
where
    S: Service<Request<Body>>,
{
    pub(super) fn new(
        checks: Arc<Checks>,
        verdict: Verdict,
        service: S,
        request: Request<Body>,
    ) -> Self {
        let state = match verdict {
            Verdict::Open(question, proven) => {
                let look = Arc::clone(&checks);
                State::Open {
                    finding: Box::pin(async move { look.find_out(question).await }),
                    waiting: Some(Waiting {
                        checks,
                        proven,
                        service,
                        request,
                    }),
                }
            }
            Verdict::Decided(decision) => State::decided(&checks, decision, service, request),
        };
        Self { state }
    }
}

impl<S> State<S, S::Future>
where
    S: Service<Request<Body>>,
{
    fn decided(
        checks: &Checks,
        decision: Decision,
        mut service: S,
        mut request: Request<Body>,
    ) -> Self {
        let after = match After::of(decision, request.extensions_mut()) {
            Ok(after) => after,
            Err(refused) => {
                return Self::Refused {
                    status: Some(checks.responder.refuse(&refused)),
                };
            }
        };
        if let Some(end) = after.end() {
            let asked = mem::take(request.body_mut());
            *request.body_mut() = Body::new(AskedBody::new(asked, end));
        }
        let span = after.span();
        let handler = span.in_scope(|| service.call(request)).instrument(span);
        Self::Running { handler, after }
    }
}

impl<S, R> Future for GuardFuture<S, S::Future>
where
    S: Service<Request<Body>, Response = Response<R>>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Output = Result<Response<GuardBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Refused { status } => {
                    let status = status.take().expect("polled after it was ready");
                    return Poll::Ready(Ok(trailers_only(&status)));
                }
                StateProj::Running { handler, after } => match handler.poll(cx) {
                    Poll::Ready(answer) => {
                        return Poll::Ready(answer.map(|response| treat(after, response)));
                    }
                    // A client's stream that outlives the token, before there is a response.
                    Poll::Pending => {
                        let cause = ready!(after.poll_end(cx));
                        // The handler goes with its state, whoever keeps this future.
                        State::Refused {
                            status: Some(respond::stream_ended(cause)),
                        }
                    }
                },
                StateProj::Open { finding, waiting } => {
                    let found = ready!(finding.as_mut().poll(cx));
                    let waiting = waiting.take().expect("left with this state");
                    waiting.resume(found)
                }
            };
            state.set(next);
        }
    }
}

impl<S> Waiting<S>
where
    S: Service<Request<Body>>,
{
    fn resume(self, found: Found) -> State<S, S::Future> {
        let head = Head::of(&self.request);
        let decision = spans::guard().in_scope(|| self.checks.resume(head, self.proven, found));
        State::decided(&self.checks, decision, self.service, self.request)
    }
}

fn treat<R>(after: &mut After, response: Response<R>) -> Response<GuardBody<R>>
where
    R: http_body::Body<Data = Bytes> + Send + 'static,
{
    let (mut head, body) = response.into_parts();
    after.treat(&mut head.headers);
    let body = GuardBody::of(body, after.treatment(), after.take_end());
    Response::from_parts(head, body)
}

/// Trailers only: the status stands in the headers, and there is no body.
fn trailers_only<R>(status: &Status) -> Response<GuardBody<R>> {
    let mut response = Response::new(GuardBody::empty());
    *response.headers_mut() = respond::headers(status);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response
}

impl<S, F> fmt::Debug for GuardFuture<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardFuture")
    }
}
