//! A guard in this process, and callers that reach it without sockets: what a
//! hundred of them cost is the guards themselves.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use bytes::Bytes;
use countersign_client::outcome::Refused;
use countersign_client::source::GivenToken;
use countersign_client::{CallError, Countersign, Issued, TokenError};
use countersign_guard::layer::{GuardLayer, GuardService};
use countersign_guard::{Builder, Guard, NonceMode};
use countersign_testkit::setup::RESOURCE;
use countersign_testkit::{Platform, Problem};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer as _, Service as _, ServiceExt as _};

const METHOD: &str = "/countersign.example.v1.OrderService/WatchOrders";

/// What opening a stream says of a token that was revoked.
const SPENT: &str = "the token is spent";

type Handler = fn(http::Request<Body>) -> Ready<Result<http::Response<Body>, Infallible>>;

/// A guard before a handler that answers with a stream in which nothing comes.
pub(super) struct Core {
    pub(super) guard: Guard,
    layer: GuardLayer,
}

/// A stream that is open.
pub(super) struct Open(Body);

impl Core {
    pub(super) async fn start(
        platform: &Platform,
        configure: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self, Problem> {
        let builder = Builder::new(platform.issuer())
            .serve(RESOURCE)
            .descriptors(countersign::FILE_DESCRIPTOR_SET)
            .nonces(NonceMode::Off)
            .clock(platform.clock().clone());
        let guard = configure(builder).connect().await?;
        let layer = guard.layer();
        Ok(Self { guard, layer })
    }

    /// Opens a stream with this very token; the error is the reason of the
    /// refusal.
    pub(super) async fn open(
        &self,
        caller: &Countersign,
        issued: &Issued,
    ) -> Result<Open, Problem> {
        let token = Arc::new(GivenToken::new(issued.access_token()?));
        let guarded: GuardService<_> = self.layer.layer(tower::service_fn(silent as Handler));
        let mut service = caller.layer(RESOURCE)?.tokens(token).layer(guarded);
        let request = http::Request::post(METHOD).body(Body::empty())?;
        let answer = service.ready().await?.call(request).await;
        // The client drops a token that a guard calls expired or revoked, and
        // has no other.
        let answer = answer.map_err(|failed| match failed.error() {
            CallError::Token(TokenError::Spent) => SPENT.to_owned(),
            other => other.to_string(),
        })?;
        let (head, body) = answer.into_parts();
        match Status::from_header_map(&head.headers) {
            Some(status) => Err(reason(&status).into()),
            None => Ok(Open(Body::new(body))),
        }
    }
}

/// Whether this is what opening a stream is answered when its token was revoked;
/// or, where the `key_is_gone` that signed it, when nobody knows that key.
pub(super) fn refused_as_revoked(
    refused: Option<Problem>,
    key_is_gone: bool,
) -> Result<(), String> {
    match refused.map(|refused| refused.to_string()) {
        Some(refused) if refused == SPENT => Ok(()),
        Some(refused) if key_is_gone && refused == "REASON_TOKEN_INVALID" => Ok(()),
        other => Err(format!("a revoked token: {other:?}")),
    }
}

impl Open {
    /// Waits until the stream ends, and says why.
    pub(super) async fn ended(mut self) -> Result<String, Problem> {
        while let Some(frame) = self.0.frame().await {
            let frame = frame?;
            if let Some(trailers) = frame.trailers_ref() {
                let status =
                    Status::from_header_map(trailers).ok_or("trailers without a status")?;
                return Ok(reason(&status));
            }
        }
        Err("it ended without a word".into())
    }
}

fn silent(_: http::Request<Body>) -> Ready<Result<http::Response<Body>, Infallible>> {
    let nothing = stream::pending::<Result<http_body::Frame<Bytes>, Status>>();
    ready(Ok(http::Response::new(Body::new(StreamBody::new(nothing)))))
}

fn reason(status: &Status) -> String {
    Refused::of(status).map_or_else(
        || status.to_string(),
        |refused| refused.reason.as_str_name().to_owned(),
    )
}
