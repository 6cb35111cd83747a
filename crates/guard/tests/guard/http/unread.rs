//! An answer ends also where its caller reads nothing: its handler goes at the end, and so does its
//! place, whoever keeps the connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body as Answered;
use axum::routing::get;
use bytes::Bytes;
use countersign_guard::{NonceMode, RevokedTarget};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::http_stand::{serve_router, shown};
use crate::revocation::{self, until};
use crate::stand::{Shown, Stand};
use crate::stream::alike::pressure::{SOON, at_rest};

const RULES: &str = r#"
["GET /orders"]
scopes = ["orders.read"]
"#;

/// Large enough that a few fill every buffer on the way.
const CHUNK: Bytes = Bytes::from_static(&[b'x'; 64 * 1024]);

/// What the handlers did.
#[derive(Default)]
struct Played {
    produced: AtomicUsize,
    /// Whose answer is not over and not dropped.
    running: Arc<()>,
}

impl Played {
    fn running(&self) -> usize {
        Arc::strong_count(&self.running) - 1
    }
}

/// A guarded router whose answer is as long as anybody reads it.
async fn serve(stand: &Stand) -> (String, Arc<Played>) {
    let played = Arc::new(Played::default());
    let counted = Arc::clone(&played);
    let orders = move || {
        let runs = Arc::clone(&counted.running);
        let counted = Arc::clone(&counted);
        let chunks = std::iter::repeat_with(move || {
            let _runs = &runs;
            counted.produced.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(CHUNK)
        });
        std::future::ready(Answered::from_stream(tokio_stream::iter(chunks)))
    };
    let router = Router::new()
        .route("/orders", get(orders))
        .layer(stand.guard.http_layer());
    (serve_router(router).await, played)
}

/// Credentials whose token lives `secs`.
fn credentials(stand: &Stand, secs: u64) -> Shown {
    let mut claims = stand.claims();
    claims["exp"] = (stand.now() + secs).into();
    shown(stand, "GET", "/orders", &stand.token_of(&claims))
}

/// The handler waits for its reader; then comes the end, and with it the handler goes.
async fn ends(stand: &Stand, played: &Played, end: &dyn Fn()) {
    until("a handler runs", || played.running() == 1).await;
    at_rest(|| played.produced.load(Ordering::SeqCst)).await;
    end();
    until("the handler's answer is gone", || played.running() == 0).await;
    let open = || stand.guard.counts().open_streams;
    until("its place is given back", || open() == 0).await;
    played.produced.store(0, Ordering::SeqCst);
}

/// Over HTTP/2, where a window is what the server waits for, and over HTTP/1.1, where it is the
/// socket. Whoever reads at last finds the answer broken off.
async fn both_end(stand: &Stand, secs: u64, end: &dyn Fn()) {
    let (address, played) = serve(stand).await;

    let channel = Channel::from_shared(address.clone()).unwrap();
    let mut request = Request::get("http://localhost/orders")
        .body(Body::empty())
        .unwrap();
    for (name, value) in credentials(stand, secs).headers() {
        let name = HeaderName::from_static(name);
        let value = HeaderValue::try_from(value).unwrap();
        request.headers_mut().insert(name, value);
    }
    let channel = channel.connect().await.unwrap();
    let answer = channel.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    ends(stand, &played, end).await;
    let read = tokio::time::timeout(SOON, answer.into_body().collect()).await;
    read.unwrap()
        .expect_err("broken off, and not as if it was all");

    let at = address.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(at).await.unwrap();
    let mut head = "GET /orders HTTP/1.1\r\nhost: localhost\r\n".to_owned();
    for (name, value) in credentials(stand, secs).headers() {
        head += &format!("{name}: {value}\r\n");
    }
    socket.write_all((head + "\r\n").as_bytes()).await.unwrap();
    ends(stand, &played, end).await;
    let mut read = Vec::new();
    // Closed, or reset: in either case without the chunk that says that it is all.
    let _ = tokio::time::timeout(SOON, socket.read_to_end(&mut read))
        .await
        .unwrap();
    assert!(read.starts_with(b"HTTP/1.1 200"), "it was let in");
    assert!(!read.ends_with(b"\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_with_its_token() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES)).await;
    both_end(&stand, 2, &|| {}).await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_at_the_age_that_is_allowed() {
    let age = Duration::from_secs(1);
    let (stand, _source) =
        revocation::stand(|builder| builder.rules(RULES).stream_age_max(age)).await;
    both_end(&stand, 300, &|| {}).await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_when_its_token_is_revoked() {
    let (stand, source) = revocation::stand(|builder| builder.rules(RULES)).await;
    // Later ones are of later tokens.
    let end = || {
        let target = RevokedTarget::Client("checkout".to_owned());
        source.revoke(target, revocation::now(&stand));
        stand.clock.advance(Duration::from_secs(10));
    };
    both_end(&stand, 300, &end).await;
}
