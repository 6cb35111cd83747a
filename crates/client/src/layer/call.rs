//! A gRPC call, as it is sent and answered.

use std::error::Error;

use countersign_dpop::{Origin, Target};
use http::{HeaderMap, Request, Response, request};
use tonic::body::Body;
use tower::ServiceExt as _;
use tower_service::Service;

use super::replay::Kept;
use crate::attempts::{Exchange, Signed};
use crate::deadline::Deadline;
use crate::error::CallError;
use crate::outcome::{self, Challenge};

/// A call, ready to be sent as often as needed.
pub(super) struct Call<S> {
    service: S,
    head: request::Parts,
    body: Kept,
    deadline: Deadline,
}

impl<S> Call<S> {
    pub(super) fn of(service: S, request: Request<Body>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            service,
            deadline: Deadline::of(&head.headers),
            head,
            body: Kept::new(body),
        }
    }
}

impl<S, R> Exchange for Call<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Clone + Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: Send,
    R: Send,
{
    type Attempt = Body;
    type Ready = (S, Request<Body>);
    type Response = Response<R>;

    fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// A channel leads to one server, however its requests are addressed.
    fn signed_for(&self, origin: &Origin) -> Result<(&str, Target), CallError> {
        let target = origin
            .target(self.head.uri.path())
            .map_err(CallError::Path)?;
        Ok((self.head.method.as_str(), target))
    }

    fn first(&mut self) -> Body {
        self.body.first()
    }

    fn again(&mut self) -> Option<Body> {
        self.body.again()
    }

    fn release(&mut self) {
        self.body.release();
    }

    async fn ready(&mut self, body: Body) -> Result<Self::Ready, CallError> {
        let mut service = self.service.clone();
        self.deadline
            .bound(service.ready())
            .await?
            .map_err(transport)?;
        let mut head = self.head.clone();
        self.deadline.write(&mut head.headers)?;
        Ok((service, Request::from_parts(head, body)))
    }

    async fn send(
        &mut self,
        (mut service, mut request): Self::Ready,
        signed: Signed,
    ) -> Result<Response<R>, CallError> {
        signed.note(request.extensions_mut());
        signed.onto(request.headers_mut());
        service.call(request).await.map_err(transport)
    }

    fn headers(response: &Response<R>) -> &HeaderMap {
        response.headers()
    }

    fn challenge(response: &Response<R>) -> Option<Challenge> {
        outcome::challenge(response.headers())
    }

    fn got_through(response: &Response<R>) -> bool {
        outcome::got_through(response)
    }

    fn not_sent_again(response: Response<R>) -> Response<R> {
        outcome::not_sent_again(response)
    }

    fn new_tokens_refused(response: Response<R>) -> Response<R> {
        outcome::new_tokens_refused(response)
    }
}

fn transport(error: impl Into<Box<dyn Error + Send + Sync>>) -> CallError {
    CallError::Transport(error.into())
}
