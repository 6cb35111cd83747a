//! The future of a guarded HTTP request.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use countersign_client::source::BoxFuture;
use countersign_telemetry::spans;
use http::header::CACHE_CONTROL;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Instrument as _;
use tracing::instrument::Instrumented;

use super::BodyError;
use super::body::{HttpGuardBody, HttpRequestBody};
use crate::check::{Checks, Decision, Found, Head, Proven, Verdict};
use crate::layer::after::After;
use crate::permit::Permit;
use crate::respond::http::NO_STORE;

pin_project! {
    /// The future of a request through [`HttpGuardService`](super::HttpGuardService).
    pub struct HttpGuardFuture<S, B, F> {
        checks: Arc<Checks>,
        #[pin]
        state: State<S, B, F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, F> {
        /// Answered by the guard.
        Answered { response: Option<Response<String>> },
        /// The handler runs.
        Running { #[pin] handler: Instrumented<F>, after: After, metadata: Option<Box<str>> },
        /// Something is being found out about the token.
        Open { finding: BoxFuture<'static, Found>, waiting: Option<Waiting<S, B>> },
    }
}

/// A request that waits for what is found out about its token.
struct Waiting<S, B> {
    proven: Proven,
    service: S,
    request: Request<B>,
}

impl<S, B, F> HttpGuardFuture<S, B, F> {
    pub(super) fn answered(checks: &Arc<Checks>, response: Response<String>) -> Self {
        Self {
            checks: Arc::clone(checks),
            state: State::Answered {
                response: Some(response),
            },
        }
    }
}

impl<S, B> HttpGuardFuture<S, B, S::Future>
where
    S: Service<Request<HttpRequestBody<B>>>,
{
    pub(super) fn new(
        checks: &Arc<Checks>,
        verdict: Verdict,
        service: S,
        request: Request<B>,
    ) -> Self {
        let state = match verdict {
            Verdict::Open(question, proven) => {
                let look = Arc::clone(checks);
                State::Open {
                    finding: Box::pin(async move { look.find_out(question).await }),
                    waiting: Some(Waiting {
                        proven,
                        service,
                        request,
                    }),
                }
            }
            Verdict::Decided(decision) => State::decided(checks, decision, service, request),
        };
        Self {
            checks: Arc::clone(checks),
            state,
        }
    }
}

impl<S, B> State<S, B, S::Future>
where
    S: Service<Request<HttpRequestBody<B>>>,
{
    fn decided(
        checks: &Checks,
        decision: Decision,
        mut service: S,
        mut request: Request<B>,
    ) -> Self {
        let after = match After::of(decision, request.extensions_mut()) {
            Ok(after) => after,
            Err(refused) => {
                let metadata = checks.published.url(&request, refused.resource.as_deref());
                let response = checks.responder.refuse_http(&refused, metadata);
                return Self::Answered {
                    response: Some(response),
                };
            }
        };
        // Only whoever is ended is told where to look.
        let called = request.extensions().get().map(Permit::audience);
        let metadata = after
            .end()
            .and_then(|_| checks.published.url(&request, called))
            .map(Box::from);
        let request = request.map(|asked| HttpRequestBody::new(asked, after.end()));
        let span = after.span();
        let handler = span.in_scope(|| service.call(request)).instrument(span);
        Self::Running {
            handler,
            after,
            metadata,
        }
    }
}

impl<S, B> Waiting<S, B>
where
    S: Service<Request<HttpRequestBody<B>>>,
{
    fn resume(self, checks: &Checks, found: Found) -> State<S, B, S::Future> {
        let head = Head::of_http(&self.request);
        let decision = spans::guard().in_scope(|| checks.resume(head, self.proven, found));
        State::decided(checks, decision, self.service, self.request)
    }
}

impl<S, B, R> Future for HttpGuardFuture<S, B, S::Future>
where
    S: Service<Request<HttpRequestBody<B>>, Response = Response<R>>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BodyError>,
{
    type Output = Result<Response<HttpGuardBody<R>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut state = this.state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Answered { response } => {
                    let response = response.take().expect("polled after it was ready");
                    return Poll::Ready(Ok(response.map(HttpGuardBody::text)));
                }
                StateProj::Running {
                    handler,
                    after,
                    metadata,
                } => {
                    match handler.poll(cx) {
                        Poll::Ready(answer) => {
                            return Poll::Ready(answer.map(|response| treat(after, response, cx)));
                        }
                        // A request that outlives its token, before there is a response.
                        Poll::Pending => {
                            let cause = ready!(after.poll_end(cx));
                            let responder = &this.checks.responder;
                            // The handler goes with its state, whoever keeps this future.
                            State::Answered {
                                response: Some(responder.end_http(cause, metadata.as_deref())),
                            }
                        }
                    }
                }
                StateProj::Open { finding, waiting } => {
                    let found = ready!(finding.as_mut().poll(cx));
                    let waiting = waiting.take().expect("left with this state");
                    waiting.resume(this.checks, found)
                }
            };
            state.set(next);
        }
    }
}

fn treat<R>(
    after: &mut After,
    response: Response<R>,
    cx: &mut Context<'_>,
) -> Response<HttpGuardBody<R>>
where
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BodyError>,
{
    let (mut head, body) = response.into_parts();
    if after.treat(&mut head.headers) {
        // RFC 9449 §8.2: a nonce is not to be told again from a cache.
        head.headers.insert(CACHE_CONTROL, NO_STORE);
    }
    Response::from_parts(head, HttpGuardBody::of(body, after.take_end(), cx))
}

impl<S, B, F> fmt::Debug for HttpGuardFuture<S, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpGuardFuture")
    }
}
