//! A token service, a guarded axum service, and a client of both.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::serve::Listener;
use axum::{Extension, Router};
use countersign_client::{Countersign, HttpServer};
use countersign_guard::{Builder, NonceMode, Permit};
use countersign_telemetry::HttpServerLayer;
use countersign_testkit::Platform;
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;
use reqwest_middleware::ClientWithMiddleware;
use tokio::net::TcpListener;

pub(crate) const RULES: &str = r#"
["GET /orders/{id}"]
scopes = ["orders.read"]

["POST /orders"]
scopes = ["orders.write"]

["DELETE /orders/{id}"]
scopes = ["orders.admin"]

["GET /moved"]
scopes = ["orders.read"]

["POST /failing"]
scopes = ["orders.write"]

["GET /vault"]
scopes = ["orders.read"]
acr_values = ["urn:example:mfa"]
max_age = "300s"
"#;

pub(crate) const SCOPES: [&str; 2] = ["orders.read", "orders.write"];

/// What reached a server, before its guard.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Arrived>>>);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

impl Arrived {
    pub(crate) fn one(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap().to_str().unwrap();
        assert!(values.next().is_none(), "two {name}");
        value
    }
}

impl Log {
    pub(crate) fn all(&self) -> Vec<Arrived> {
        self.0.lock().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn last(&self) -> Arrived {
        self.0.lock().last().unwrap().clone()
    }

    pub(crate) async fn note(State(log): State<Self>, request: Request, next: Next) -> Response {
        log.0.lock().push(Arrived {
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
        });
        next.run(request).await
    }
}

/// A guarded service.
pub(crate) struct Orders {
    pub(crate) url: String,
    pub(crate) log: Log,
    /// How often a handler has done something.
    pub(crate) effects: Arc<AtomicUsize>,
}

impl Orders {
    pub(crate) async fn start(platform: &Platform, nonces: NonceMode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::serve(platform, listener, &url, |guard| guard.nonces(nonces)).await
    }

    /// Behind something that clients reach at `url`.
    pub(crate) async fn serve(
        platform: &Platform,
        listener: TcpListener,
        url: &str,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        Self::served(platform, listener, url, change, None).await
    }

    /// The same, of another kind of socket.
    pub(crate) async fn serve_at<L: Listener>(
        platform: &Platform,
        listener: L,
        url: &str,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self
    where
        L::Addr: std::fmt::Debug,
    {
        Self::served(platform, listener, url, change, None).await
    }

    /// The same, of which telemetry sees every request.
    async fn served<L: Listener>(
        platform: &Platform,
        listener: L,
        url: &str,
        change: impl FnOnce(Builder) -> Builder,
        seen: Option<HttpServerLayer>,
    ) -> Self
    where
        L::Addr: std::fmt::Debug,
    {
        let guard = change(platform.guard(url).await.unwrap().rules(RULES));
        let guard = guard.connect().await.unwrap();
        let log = Log::default();
        let effects = Arc::default();
        let router = routes(&effects).layer(guard.http_layer());
        let router = match seen {
            Some(seen) => router.layer(seen),
            None => router,
        };
        let router = router.layer(from_fn_with_state(log.clone(), Log::note));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url: url.to_owned(),
            log,
            effects,
        }
    }

    pub(crate) fn effects(&self) -> usize {
        self.effects.load(Ordering::SeqCst)
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) fn as_server(&self) -> HttpServer {
        HttpServer::at(&self.url).scopes(SCOPES)
    }
}

fn routes(effects: &Arc<AtomicUsize>) -> Router {
    let show = async |Extension(permit): Extension<Permit>| permit.subject().to_owned();
    let effect = Arc::clone(effects);
    let create = async move |body: Bytes| {
        effect.fetch_add(1, Ordering::SeqCst);
        body.len().to_string()
    };
    let effect = Arc::clone(effects);
    // A handler that answers as a guard would.
    let failing = async move || {
        effect.fetch_add(1, Ordering::SeqCst);
        let mut answer = StatusCode::UNAUTHORIZED.into_response();
        let challenge = HeaderValue::from_static("DPoP error=\"invalid_token\"");
        answer.headers_mut().insert("www-authenticate", challenge);
        let nonce = HeaderValue::from_static("of-a-handler");
        answer.headers_mut().insert("dpop-nonce", nonce);
        answer
    };
    let moved = async |asked: HeaderMap| {
        Redirect::temporary(asked["x-to"].to_str().unwrap()).into_response()
    };
    Router::new()
        .route("/orders/{id}", get(show).delete(async || "gone"))
        .route("/orders", post(create))
        .route("/failing", post(failing))
        .route("/moved", get(moved))
        .route("/vault", get(async || "gold"))
}

/// A token service, one guarded service, and a client of both.
pub(crate) struct Stand {
    pub(crate) platform: Platform,
    pub(crate) orders: Orders,
    pub(crate) countersign: Countersign,
    pub(crate) http: ClientWithMiddleware,
}

impl Stand {
    pub(crate) async fn start(nonces: NonceMode) -> Self {
        let platform = Platform::start().await.unwrap();
        let orders = Orders::start(&platform, nonces).await;
        Self::of(platform, orders).await
    }

    /// One whose service telemetry sees.
    pub(crate) async fn seen_by(nonces: NonceMode, seen: HttpServerLayer) -> Self {
        let platform = Platform::start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let nonces = |guard: Builder| guard.nonces(nonces);
        let orders = Orders::served(&platform, listener, &url, nonces, Some(seen)).await;
        Self::of(platform, orders).await
    }

    async fn of(platform: Platform, orders: Orders) -> Self {
        let countersign = platform.caller("ann", &orders.url, &SCOPES).await.unwrap();
        let http = client_of(&countersign, [orders.as_server()]);
        Self {
            platform,
            orders,
            countersign,
            http,
        }
    }
}

/// A client of these servers, as most are.
pub(crate) fn client_of(
    countersign: &Countersign,
    servers: impl IntoIterator<Item = HttpServer>,
) -> ClientWithMiddleware {
    let all = countersign.http(plain());
    let all = servers.into_iter().fold(all, |all, one| all.server(one));
    all.build().unwrap()
}

/// Not by way of a proxy that the machine may have.
pub(crate) fn plain() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}
