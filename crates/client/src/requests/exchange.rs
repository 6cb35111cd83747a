//! An HTTP request, as it is sent and answered.

use countersign_dpop::{Origin, Target};
use http::{Extensions, HeaderMap, Method};
use reqwest::{Request, Response};
use reqwest_middleware::Next;

use crate::attempts::{Exchange, Signed};
use crate::deadline::Deadline;
use crate::error::CallError;
use crate::outcome::{self, Challenge, LeftAtThat};

/// A request, ready to be sent as often as its body can be.
pub(super) struct HttpExchange<'a> {
    method: Method,
    target: Target,
    deadline: Deadline,
    /// Gone with the first attempt where its body is a stream, which is read once.
    request: Option<Request>,
    next: Next<'a>,
    extensions: &'a mut Extensions,
}

impl<'a> HttpExchange<'a> {
    pub(super) fn of(
        request: Request,
        target: Target,
        next: Next<'a>,
        extensions: &'a mut Extensions,
    ) -> Self {
        Self {
            method: request.method().clone(),
            target,
            deadline: Deadline::after(request.timeout().copied()),
            request: Some(request),
            next,
            extensions,
        }
    }
}

impl Exchange for HttpExchange<'_> {
    type Attempt = Request;
    type Ready = Request;
    type Response = Response;

    fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// A request goes where it is addressed; that this is the caller's origin was seen before.
    fn signed_for(&self, _: &Origin) -> Result<(&str, Target), CallError> {
        Ok((self.method.as_str(), self.target.clone()))
    }

    fn first(&mut self) -> Request {
        self.again()
            .or_else(|| self.request.take())
            .expect("nobody has taken it yet")
    }

    fn again(&mut self) -> Option<Request> {
        self.request.as_ref().and_then(Request::try_clone)
    }

    fn release(&mut self) {
        self.request = None;
    }

    async fn ready(&mut self, mut attempt: Request) -> Result<Request, CallError> {
        // The time for the whole, not for each attempt.
        if let Some(left) = self.deadline.left()? {
            *attempt.timeout_mut() = Some(left);
        }
        Ok(attempt)
    }

    async fn send(&mut self, mut request: Request, signed: Signed) -> Result<Response, CallError> {
        signed.onto(request.headers_mut());
        let sent = self.next.clone().run(request, self.extensions);
        sent.await
            .map_err(|error| CallError::Transport(Box::new(error)))
    }

    fn headers(response: &Response) -> &HeaderMap {
        response.headers()
    }

    fn challenge(response: &Response) -> Option<Challenge> {
        outcome::http_challenge(response.status(), response.headers())
    }

    fn got_through(response: &Response) -> bool {
        outcome::http_got_through(response.status())
    }

    fn not_sent_again(response: Response) -> Response {
        left_at_that(response, LeftAtThat::BodySent)
    }

    fn new_tokens_refused(response: Response) -> Response {
        left_at_that(response, LeftAtThat::TokensRefused)
    }
}

fn left_at_that(mut response: Response, why: LeftAtThat) -> Response {
    response.extensions_mut().insert(why);
    response
}
