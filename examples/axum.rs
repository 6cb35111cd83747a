//! An HTTP service on axum behind the guard: rules of HTTP routes, handlers that ask their
//! permit, and what a client is told.
//!
//! ```console
//! $ cargo run --example axum
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

use axum::extract::Path;
use axum::routing::{delete, get};
use axum::{Extension, Router};
use countersign_client::HttpServer;
use countersign_guard::Permit;
use countersign_testkit::{Platform, Problem, service_client};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use reqwest_middleware::ClientWithMiddleware;
use serde_json::Value;
use tokio::net::TcpListener;
use tonic::body::Body;

/// Who may ask what. What stands here not is refused.
const RULES: &str = r#"
["GET /"]
public = true

["GET /orders/{owner}"]
scopes = ["orders.read"]

["DELETE /orders/{owner}"]
scopes = ["orders.admin"]
"#;

#[tokio::main]
async fn main() -> Result<(), Problem> {
    // What an operator has done: a token service, and a registration of the service itself,
    // which may watch revocations.
    let platform = Platform::start().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let watches = service_client("orders", platform.issuer(), &["revocations.watch"]);
    let registered = platform.register(watches).await?;

    // What a service writes.
    let guard = countersign_guard::Builder::new(platform.url())
        .serve(&url) // the origin that clients call, and the resource it is
        .rules(RULES) // or rules_file("rules.toml")
        .client("orders", registered.credential()) // who the guard is: it watches revocations
        .clock(platform.clock().clone()) // of the tests; leave it out
        .connect()
        .await?;
    let app = Router::new()
        .route("/", get(async || "anybody may read this"))
        .route("/orders/{owner}", get(show).delete(remove))
        .route("/forgotten", delete(async || "nobody gets here"))
        .layer(guard.http_layer()); // the whole router, last
    tokio::spawn(async move { axum::serve(listener, app).await });

    // A stranger is told what is missing, and where the resource describes itself.
    let stranger = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let asked = |path: &str| Request::get(format!("{url}{path}")).body(Body::empty());
    let (status, body) = read(stranger.request(asked("/")?).await?).await?;
    println!("a stranger reads /: {status}, {body}");
    let answer = stranger.request(asked("/orders/ann")?).await?;
    let challenge = answer.headers()["www-authenticate"].to_str()?.to_owned();
    println!("a stranger reads an order: {}", answer.status());
    println!("  {}", challenge.replace(&url, "https://orders.example"));
    let metadata = stranger.request(asked("/.well-known/oauth-protected-resource")?);
    let (_, metadata) = read(metadata.await?).await?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    println!("  which names the scopes {}", metadata["scopes_supported"]);

    // A caller whose every request has a token and a proof of its own.
    let ann = platform.caller("ann", &url, &["orders.read"]).await?;
    let http = ann
        .http(reqwest::Client::builder().no_proxy())
        .server(HttpServer::at(&url).scopes(["orders.read"]))
        .build()?;
    for (method, path) in [
        ("GET", "/orders/ann"),
        ("GET", "/orders/bob"),
        ("DELETE", "/orders/ann"),
        ("DELETE", "/forgotten"),
    ] {
        println!(
            "ann: {method} {path}: {}",
            ask(&http, &url, method, path).await?
        );
    }
    Ok(())
}

async fn ask(
    http: &ClientWithMiddleware,
    url: &str,
    method: &str,
    path: &str,
) -> Result<String, Problem> {
    let asked = http.request(method.parse()?, format!("{url}{path}"));
    let answer = asked.send().await?;
    let status = answer.status();
    let body = answer.text().await?;
    let problem: Value = serde_json::from_str(&body).unwrap_or_default();
    Ok(match problem["reason"].as_str() {
        Some(reason) => format!("{status}, {reason}"),
        None => format!("{status}, {body}"),
    })
}

async fn read<B>(answer: Response<B>) -> Result<(http::StatusCode, String), Problem>
where
    B: http_body::Body,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((head.status, String::from_utf8(body.to_vec())?))
}

/// The scope is there; is the order the caller's?
async fn show(
    Path(owner): Path<String>,
    Extension(permit): Extension<Permit>,
) -> Result<String, Response<String>> {
    permit.require_owner(&owner)?;
    Ok(format!("tea for {owner}"))
}

async fn remove(Path(owner): Path<String>) -> String {
    format!("no more tea for {owner}")
}
