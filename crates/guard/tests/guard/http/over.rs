//! Answers that outlive their token.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{get, post};
use axum::{Extension, Router, response::Response};
use countersign_guard::layer::http::TokenEnded;
use countersign_guard::{NonceMode, RevokedTarget};
use http::HeaderValue;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tower::ServiceExt as _;

use crate::http_stand::{METADATA, raw, serve_router, shown};
use crate::revocation::{self, until};
use crate::stand::{Shown, Stand};

const RULES: &str = r#"
["GET /events"]
scopes = ["orders.read"]

["GET /slow"]
scopes = ["orders.read"]

["GET /ledger"]
scopes = ["orders.read"]
resource = "https://books.test/ledger"

["POST /upload"]
scopes = ["orders.read"]
"#;

/// A loaded machine may take its time.
const LONG: Duration = Duration::from_secs(30);

/// Goes on for ever.
async fn events() -> Response {
    let one = tokio_stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"event\n"))]);
    Response::new(Body::from_stream(one.chain(tokio_stream::pending())))
}

/// What a handler heard, once it has read all that is asked.
type Heard = UnboundedSender<Result<Bytes, axum::Error>>;

async fn upload(Extension(heard): Extension<Heard>, request: Request) {
    let read = request.into_body().collect().await;
    heard.send(read.map(|all| all.to_bytes())).unwrap();
}

fn router(stand: &Stand) -> Router {
    Router::new()
        .route("/events", get(events))
        .route("/slow", get(async || std::future::pending::<()>().await))
        .route("/ledger", get(async || std::future::pending::<()>().await))
        .route("/upload", post(upload))
        .layer(stand.guard.http_layer())
}

async fn stand() -> Stand {
    Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES)).await
}

/// Of a token that lives for a second.
fn brief(stand: &Stand, method: &str, path: &str) -> Shown {
    let mut claims = stand.claims();
    claims["exp"] = (stand.now() + 1).into();
    shown(stand, method, path, &stand.token_of(&claims))
}

fn request(method: &str, path: &str, shown: &Shown, body: Body) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in shown.headers() {
        request = request.header(name, value);
    }
    request.body(body).unwrap()
}

#[tokio::test]
async fn an_answer_is_broken_off_at_the_tokens_end() {
    let stand = stand().await;
    let shown = brief(&stand, "GET", "/events");
    let asked = request("GET", "/events", &shown, Body::empty());
    let answer = router(&stand).oneshot(asked).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(stand.guard.counts().open_streams, 1);
    let mut body = answer.into_body();
    let first = timeout(LONG, body.frame()).await.unwrap().unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "event\n");
    let error = timeout(LONG, body.frame())
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    let error: Box<dyn std::error::Error + Send + Sync> = error.into_inner();
    let ended = error.downcast_ref::<TokenEnded>().unwrap();
    assert_eq!(ended.reason().as_str_name(), "REASON_TOKEN_EXPIRED");
    assert!(timeout(LONG, body.frame()).await.unwrap().is_none());
    drop(body);
    assert_eq!(stand.guard.counts().open_streams, 0);

    // On the wire, the last chunk is missing: nobody takes it for a whole answer.
    let address = serve_router(router(&stand)).await;
    let shown = brief(&stand, "GET", "/events");
    let lines: String = shown
        .headers()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let text = format!("GET /events HTTP/1.1\r\nhost: h\r\n{lines}\r\n");
    let answer = timeout(LONG, raw(&address, &text)).await.unwrap();
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.body, "6\r\nevent\n\r\n");
}

/// What comes in place of a handler's answer when the token ends before it.
async fn answered_for(stand: &Stand, path: &str, shown: &Shown) -> Response {
    let asked = request("GET", path, shown, Body::empty());
    let answer = timeout(LONG, router(stand).oneshot(asked)).await;
    let answer = answer.unwrap().unwrap();
    assert_eq!(answer.status(), 401);
    answer
}

#[tokio::test]
async fn a_handler_that_has_not_answered_is_answered_for() {
    let stand = stand().await;
    let shown = brief(&stand, "GET", "/slow");
    let answer = answered_for(&stand, "/slow", &shown).await;
    // It names no error: the handler has run, and clients call again for one.
    assert_eq!(answer.headers()["www-authenticate"], bare_challenge());
    assert_eq!(reason(answer).await, "REASON_TOKEN_EXPIRED");
}

fn bare_challenge() -> String {
    format!("DPoP algs=\"ES256 Ed25519\", resource_metadata=\"{METADATA}\"")
}

async fn reason(answer: Response) -> String {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    problem["reason"].as_str().unwrap().to_owned()
}

/// Each end has its own code; only a 401 has a challenge, and only who may come back is told when.
#[tokio::test]
async fn whoever_is_answered_for_is_told_why() {
    let age = Duration::from_millis(50);
    let (stand, _source) = revocation::stand(|builder| {
        let builder = builder.rules(RULES);
        builder.stream_age_max(age)
    })
    .await;
    let answer = slow(&stand).await.unwrap().unwrap();
    told(answer, 504, "REASON_STREAM_TOO_OLD", None, false).await;

    let (stand, source) = revocation::stand(|builder| builder.rules(RULES)).await;
    let answer = slow(&stand);
    until("it runs", || stand.guard.counts().open_streams == 1).await;
    let target = RevokedTarget::Token("t1".to_owned());
    source.revoke(target, revocation::now(&stand));
    let (answer, challenge) = (answer.await.unwrap().unwrap(), bare_challenge());
    told(answer, 401, "REASON_TOKEN_REVOKED", Some(&challenge), false).await;

    let least = Duration::from_secs(15);
    let (stand, _source) = revocation::stand(|builder| {
        let builder = builder.rules(RULES);
        builder.knowledge_age_max(least)
    })
    .await;
    let answer = slow(&stand);
    until("it runs", || stand.guard.counts().open_streams == 1).await;
    tokio::time::pause();
    // Not a word of revocations any more.
    tokio::time::advance(least + Duration::from_secs(2)).await;
    tokio::time::resume();
    let answer = answer.await.unwrap().unwrap();
    told(answer, 503, "REASON_AUTHORITY_UNREACHABLE", None, true).await;
}

/// Asks for what is never answered, with a token that lives for long.
fn slow(stand: &Stand) -> JoinHandle<Result<Response, Elapsed>> {
    let shown = shown(stand, "GET", "/slow", &stand.token());
    let asked = request("GET", "/slow", &shown, Body::empty());
    let router = router(stand);
    tokio::spawn(timeout(LONG, async {
        router.oneshot(asked).await.unwrap()
    }))
}

async fn told(
    answer: Response,
    status: u16,
    expected: &str,
    challenge: Option<&str>,
    may_come_back: bool,
) {
    let header = |name| {
        let value = answer.headers().get(name);
        value.map(|value: &HeaderValue| value.to_str().unwrap())
    };
    assert_eq!(answer.status(), status, "{expected}");
    assert_eq!(header("www-authenticate"), challenge, "{expected}");
    assert_eq!(header("retry-after").is_some(), may_come_back, "{expected}");
    assert_eq!(reason(answer).await, expected);
}

/// As whoever is refused is: not of the server's first resource.
#[tokio::test]
async fn whoever_is_answered_for_is_told_where_the_resource_describes_itself() {
    let stand = stand().await;
    let mut claims = stand.claims();
    claims["exp"] = (stand.now() + 1).into();
    claims["aud"] = "https://books.test/ledger".into();
    let shown = shown(&stand, "GET", "/ledger", &stand.token_of(&claims));
    let answer = answered_for(&stand, "/ledger", &shown).await;
    assert_eq!(
        answer.headers()["www-authenticate"],
        "DPoP algs=\"ES256 Ed25519\", resource_metadata=\"https://books.test/.well-known/oauth-protected-resource/ledger\""
    );
}

#[tokio::test]
async fn a_handler_hears_nothing_after_the_tokens_end() {
    let stand = stand().await;
    let (heard, mut hears) = unbounded_channel::<Result<Bytes, axum::Error>>();
    let router = router(&stand).layer(Extension(heard));
    let shown = brief(&stand, "POST", "/upload");
    let endless = Body::from_stream(tokio_stream::pending::<Result<Bytes, Infallible>>());
    let asked = request("POST", "/upload", &shown, endless);
    let answer = timeout(LONG, router.clone().oneshot(asked)).await.unwrap();
    drop(answer);
    let error = timeout(LONG, hears.recv()).await.unwrap();
    let error = error.unwrap().unwrap_err().into_inner();
    assert!(error.downcast_ref::<TokenEnded>().is_some(), "{error:?}");

    let shown = brief(&stand, "POST", "/upload");
    let asked = request("POST", "/upload", &shown, Body::from("all of it"));
    assert_eq!(router.oneshot(asked).await.unwrap().status(), 200);
    assert_eq!(hears.recv().await.unwrap().unwrap(), "all of it");
}
