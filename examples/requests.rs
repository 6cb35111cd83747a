//! One client object, reqwest, and two HTTP services behind guards: tokens and proofs for each,
//! what a refusal asks for, and what is not sent.
//!
//! ```console
//! $ cargo run --example requests
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Extension, Router};
use countersign_client::outcome::{ChallengeError, HttpRefused, LeftAtThat};
use countersign_client::{CallError, HttpServer};
use countersign_guard::{NonceMode, Permit};
use countersign_testkit::{Platform, Problem, service_client};
use futures_util::stream;
use reqwest::{Body, Response};
use tokio::net::TcpListener;

const RULES: &str = r#"
["GET /items/{id}"]
scopes = ["read"]

["POST /items"]
scopes = ["write"]

["GET /old"]
scopes = ["read"]

["DELETE /items/{id}"]
scopes = ["read"]
acr_values = ["urn:example:mfa"]
"#;

#[tokio::main]
async fn main() -> Result<(), Problem> {
    // What others have done: a token service, two guarded services, and a registration for both.
    let platform = Platform::start().await?;
    let orders = serve(&platform).await?;
    let stock = serve(&platform).await?;
    let mut shop = service_client("shop", &orders, &["read"]);
    let more = service_client("shop", &stock, &["read", "write"]);
    shop.permissions.extend(more.permissions);
    let registered = platform.register(shop).await?;
    let countersign = platform.client(&registered).connect().await?;

    // What a program that calls them writes.
    let http = countersign
        .http(reqwest::Client::builder().no_proxy())
        .server(HttpServer::at(&orders).scopes(["read"]))
        .server(HttpServer::at(&stock).scopes(["read", "write"]))
        .build()?;

    // A nonce that a guard asks for, a token that ends or is revoked: one request all the same.
    let answer = http.get(format!("{orders}/items/7?full")).send().await?;
    println!("an order is read: {}", told(answer).await?);

    // Unless its body is read once: then it is sent once, and the answer says so.
    for _ in 0..2 {
        let tea = stream::iter([Ok::<_, Problem>("tea")]);
        let asked = http.post(format!("{stock}/items"));
        let answer = asked.body(Body::wrap_stream(tea)).send().await?;
        println!("stock is added: {}", told(answer).await?);
    }

    // What another attempt would not better is for the program to read.
    let answer = http.post(format!("{orders}/items")).body("tea").send();
    println!("an order is made: {}", told(answer.await?).await?);
    let answer = http.delete(format!("{orders}/items/7")).send().await?;
    println!("an order is deleted: {}", told(answer).await?);

    // No redirect is followed, and nobody else gets token or proof.
    let answer = http.get(format!("{orders}/old")).send().await?;
    println!("an old address: {}", told(answer).await?);
    let elsewhere = http.get("https://elsewhere.example/items/7").send().await;
    if let Err(error) = &elsewhere
        && let Some(CallError::Elsewhere(origin)) = CallError::of(error)
    {
        println!("a request for {origin} is not sent");
    }
    let counts = countersign.counts();
    println!("tokens fetched: {}", counts.fetched);
    Ok(())
}

/// An answer in a line.
async fn told(answer: Response) -> Result<String, Problem> {
    let status = answer.status();
    let Some(refused) = HttpRefused::of_response(&answer) else {
        let to = answer.headers().get("location").cloned();
        let to = to.as_ref().map_or(Ok(""), |to| to.to_str())?.to_owned();
        return Ok(format!("{status} {to}{}", answer.text().await?));
    };
    Ok(match (refused.error, refused.left_at_that) {
        (Some(ChallengeError::NonceWanted), Some(LeftAtThat::BodySent)) => {
            format!("{status}, a nonce is wanted, and the body is gone")
        }
        (Some(ChallengeError::ScopeInsufficient), _) => {
            format!("{status}, ask for {}", refused.scopes.join(" "))
        }
        (Some(ChallengeError::StepUp), _) => {
            format!("{status}, sign in by {}", refused.acr_values.join(" or "))
        }
        (error, _) => format!("{status}, {error:?}"),
    })
}

/// A service behind a guard that always wants a nonce; its URL.
async fn serve(platform: &Platform) -> Result<String, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    platform.register_resource(&url, &["read", "write"]).await?;
    let guard = platform
        .guard(&url)
        .await?
        .rules(RULES)
        .nonces(NonceMode::Always)
        .connect()
        .await?;
    let show = async |Extension(permit): Extension<Permit>| format!("for {}", permit.subject());
    let app = Router::new()
        .route("/items/{id}", get(show).delete(async || "gone"))
        .route("/items", post(async |body: String| format!("took {body}")))
        .route("/old", get(async || Redirect::permanent("/items/7")))
        .layer(guard.http_layer());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}
