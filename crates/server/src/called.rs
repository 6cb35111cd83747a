//! Tells handlers which HTTP request they answer: a proof names its method and path, and tonic's
//! request shows neither.

use std::sync::Arc;
use std::task::{Context, Poll};

use countersign_issuer::model::PeerCertificate;
use http::{Method, Request, Uri};
use tower_layer::Layer;
use tower_service::Service;

/// The HTTP request of a call, among its extensions.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    method: Method,
    uri: Uri,
    certificate: Option<Arc<PeerCertificate>>,
}

impl Called {
    /// The certificate that the connection was opened with, if it was (RFC 8705).
    pub(crate) fn certificate(&self) -> Option<&PeerCertificate> {
        self.certificate.as_deref()
    }

    /// The HTTP method: what `htm` must be.
    pub(crate) fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The path below the origin: what `htu` must end with.
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }
}

/// Puts [`Called`] among the extensions of every request.
#[derive(Copy, Clone)]
pub(crate) struct CalledLayer;

impl<S> Layer<S> for CalledLayer {
    type Service = CalledService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CalledService { inner }
    }
}

/// What [`CalledLayer`] makes.
#[derive(Clone)]
pub(crate) struct CalledService<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for CalledService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let called = Called {
            method: request.method().clone(),
            uri: request.uri().clone(),
            certificate: request.extensions().get().cloned(),
        };
        request.extensions_mut().insert(called);
        self.inner.call(request)
    }
}
