//! The layer that gives every call its token and its proof.
//!
//! It belongs below any layer that retries, so that every attempt gets a proof
//! of its own, and directly above the transport. Below it may stand anything that
//! carries HTTP/2 requests, such as a plain hyper client:
//!
//! ```no_run
//! use http::Request;
//! use hyper_util::client::legacy::Client;
//! use hyper_util::rt::TokioExecutor;
//! use tonic::body::Body;
//! use tower::ServiceExt as _;
//! use tower_layer::Layer as _;
//!
//! # async fn call(
//! #     countersign: countersign_client::Countersign,
//! #     request: Request<Body>,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! const ORIGIN: &str = "http://127.0.0.1:8443";
//! let tokens = countersign.tokens(vec!["orders.write".into()], vec![ORIGIN.into()]);
//! let hyper = Client::builder(TokioExecutor::new())
//!     .http2_only(true)
//!     .build_http::<Body>();
//! let orders = countersign.layer(ORIGIN)?.tokens(tokens).layer(hyper);
//! let answer = orders.oneshot(request).await?;
//! # Ok(())
//! # }
//! ```

mod call;
mod future;
mod replay;

use std::sync::Arc;
use std::task::{Context, Poll};

use countersign_dpop::{Minter, Origin};
use http::{Request, Response};
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use self::call::Call;
pub use self::future::CallFuture;
use crate::attempts::{self, Caller};
use crate::clock::Clock;
use crate::error::FailedCall;
use crate::legible::{Legible, LegibleBody, LegibleLayer};
use crate::source::TokenSource;

/// Attaches `authorization` and `dpop` to every call to one origin, and sends a
/// call once more where a guard asked for a nonce or another token, or where the
/// connection ended before the server looked at it (RFC 9113 §6.8).
///
/// What a call already has in these two fields is replaced.
#[derive(Clone)]
pub struct DpopLayer(Arc<Caller>);

impl DpopLayer {
    /// Signs with `minter` for calls to `origin`, by the time of `clock`.
    /// Without [`tokens`](Self::tokens), calls carry a proof alone, as the
    /// token service wants it.
    pub fn new(minter: Arc<Minter>, origin: Origin, clock: Arc<dyn Clock>) -> Self {
        Self::of(Caller {
            minter,
            origin,
            clock,
            nonce: Arc::default(),
            tokens: None,
        })
    }

    /// Takes access tokens from `tokens`. They must be bound to the minter's
    /// key.
    #[must_use]
    pub fn tokens(self, tokens: Arc<dyn TokenSource>) -> Self {
        let caller = Arc::unwrap_or_clone(self.0);
        Self::of(Caller {
            tokens: Some(tokens),
            ..caller
        })
    }

    pub(crate) fn of(caller: Caller) -> Self {
        Self(Arc::new(caller))
    }
}

impl<S> Layer<S> for DpopLayer {
    type Service = DpopService<S>;

    fn layer(&self, inner: S) -> DpopService<S> {
        DpopService {
            inner: LegibleLayer.layer(inner),
            caller: Arc::clone(&self.0),
        }
    }
}

/// The service that [`DpopLayer`] makes.
#[derive(Clone)]
pub struct DpopService<S> {
    inner: Legible<S>,
    caller: Arc<Caller>,
}

impl<S, R> Service<Request<Body>> for DpopService<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = Response<LegibleBody<R>>;
    type Error = FailedCall;
    type Future = CallFuture<LegibleBody<R>>;

    /// Always ready. The service below is asked when the token is there, just
    /// before the proof is signed: a place reserved earlier would stand empty
    /// meanwhile.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FailedCall>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = Call::of(self.inner.clone(), request);
        CallFuture::new(attempts::run(Arc::clone(&self.caller), call))
    }
}
