//! Tower layers that put every call into its trace: [`ServerLayer`] for calls
//! that arrive, [`HttpServerLayer`] for requests that are not gRPC,
//! [`ClientLayer`] for calls that leave. Each belongs outermost, so
//! that whatever the other layers do is part of the call. [`MadeRequest`] is for HTTP
//! requests that leave.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let (_, health) = tonic_health::server::health_reporter();
//! tonic::transport::Server::builder()
//!     .layer(countersign_telemetry::ServerLayer::new())
//!     .add_service(health)
//!     .serve("127.0.0.1:8443".parse()?)
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod body;
mod call;
mod future;
mod made;
mod request;

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response, Uri};
use tonic::server::NamedService;
use tower_layer::Layer;
use tower_service::Service;

pub use self::body::CallBody;
use self::call::Call;
pub use self::future::CallFuture;
pub use self::made::{MadeFuture, MadeRequest};
pub use self::request::{HttpServerLayer, RequestFuture, ServedRequests};

/// Makes the server span of every gRPC call that arrives, as a child of the
/// caller's where metadata name one.
/// It measures each, too. See the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct ServerLayer {
    method: Methods,
}

/// Tells the methods that there are, by their paths.
type Methods = fn(&str) -> Option<&'static str>;

impl ServerLayer {
    /// A layer for servers.
    pub fn new() -> Self {
        Self { method: |_| None }
    }

    /// The same that names methods in metrics: `package.Service/Method` of a path that is one of
    /// this server's. What it does not know is [`OTHER`](crate::names::OTHER), as
    /// everything is without it: whoever calls chooses the path, and each name is kept.
    pub const fn of(method: fn(&str) -> Option<&'static str>) -> Self {
        Self { method }
    }

    /// Measures a call that was answered in front of this layer, by the head of its answer.
    pub fn answered_before(&self, path: &str, headers: &HeaderMap) {
        call::answered(path, self.method, headers);
    }
}

impl Default for ServerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerCalls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerCalls {
            inner,
            method: self.method,
        }
    }
}

/// The service that [`ServerLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct ServerCalls<S> {
    inner: S,
    method: Methods,
}

impl<S, B, R> Service<Request<B>> for ServerCalls<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<CallBody<R>>;
    type Error = S::Error;
    type Future = CallFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = Call::served(request.uri(), request.headers(), self.method);
        CallFuture::new(call, |call| call.within(|| self.inner.call(request)))
    }
}

impl<S: NamedService> NamedService for ServerCalls<S> {
    const NAME: &'static str = S::NAME;
}

/// Makes the client span of every gRPC call that leaves, and names it to the
/// server in the request's metadata. See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct ClientLayer {
    server: Server,
}

/// Whom a client calls: `server.address` and `server.port`.
#[derive(Clone, Debug, Default)]
struct Server {
    address: Option<Arc<str>>,
    port: Option<u16>,
}

impl ClientLayer {
    /// A layer for clients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whom this client calls: a generated stub's requests do not tell.
    #[must_use]
    pub fn server(self, origin: &Uri) -> Self {
        let port = origin.port_u16().or(match origin.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        });
        Self {
            server: Server {
                address: origin.host().map(Arc::from),
                port,
            },
        }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientCalls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientCalls {
            inner,
            server: self.server.clone(),
        }
    }
}

/// The service that [`ClientLayer`] makes.
#[derive(Clone, Debug)]
pub struct ClientCalls<S> {
    inner: S,
    server: Server,
}

impl<S, B, R> Service<Request<B>> for ClientCalls<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<CallBody<R>>;
    type Error = S::Error;
    type Future = CallFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = Call::made(
            request.uri(),
            self.server.address.as_deref(),
            self.server.port,
        );
        CallFuture::new(call, |call| {
            call.within(|| {
                crate::propagate::inject(request.headers_mut());
                self.inner.call(request)
            })
        })
    }
}
