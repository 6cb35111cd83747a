//! What a resource says of itself (RFC 9728).

use axum::Router;
use countersign_client::clock::Clock;
use countersign_guard::{KeySource, NonceMode};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::http_stand::{METADATA, ask, raw, rules, serve_router};
use crate::stand::{Expected, ISSUER, ORIGIN, Shown, Stand};

const PATH: &str = "/.well-known/oauth-protected-resource";

const RULES: &str = r#"
["GET /orders/{id}"]
scopes = ["orders.read"]
any_scopes = ["eu", "us"]

["GET /ledger"]
scopes = ["ledger.read"]
resource = "https://books.test/ledger"

["GET /vault"]
scopes = ["vault.read"]
resource = "urn:example:vault"
"#;

async fn server(
    configure: impl FnOnce(countersign_guard::Builder) -> countersign_guard::Builder,
) -> (Stand, String) {
    let stand = Stand::with(configure).await;
    let router = Router::new()
        .fallback(async || "reached")
        .layer(stand.guard.http_layer());
    let address = serve_router(router).await;
    (stand, address)
}

async fn document(address: &str, path: &str) -> Value {
    let answer = ask(address, "GET", path, &Shown::default()).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn a_resource_says_who_may_issue_tokens_for_it() {
    let (_stand, address) = server(|b| b.nonces(NonceMode::Off).rules(RULES)).await;
    assert_eq!(
        document(&address, PATH).await,
        json!({
            "resource": ORIGIN,
            "authorization_servers": [ISSUER],
            // Of its HTTP routes: a descriptor set may hold the methods of other services.
            "scopes_supported": ["eu", "orders.read", "us"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": ["ES256", "Ed25519"],
            "dpop_bound_access_tokens_required": true,
        })
    );
    // RFC 9728 §3.1: the resource's path stands behind the well-known one.
    let ledger = document(&address, &format!("{PATH}/ledger")).await;
    assert_eq!(ledger["resource"], "https://books.test/ledger");
    assert_eq!(ledger["scopes_supported"], json!(["ledger.read"]));

    // For everybody, to read; and nothing beside it.
    let head = format!("HEAD {PATH} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    let answer = raw(&address, &head).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    for (method, path) in [
        ("POST", PATH.to_owned()),
        ("GET", format!("{PATH}/")),
        ("GET", format!("{PATH}/vault")),
        ("GET", format!("/{PATH}")),
        ("GET", format!("{PATH}/../orders/7")),
    ] {
        let answer = ask(&address, method, &path, &Shown::default()).await;
        let row = format!("{method} {path}");
        Expected::NoRule.check_http(&row, &answer, countersign_jose::Algorithms::DEFAULT);
    }
}

#[tokio::test]
async fn a_challenge_says_where_the_resource_describes_itself() {
    let (_stand, address) = server(|b| b.nonces(NonceMode::Off).rules(RULES)).await;
    let told = async |path: &str| {
        let answer = ask(&address, "GET", path, &Shown::default()).await;
        let challenge = answer.header("www-authenticate").unwrap().to_owned();
        let url = challenge.split_once("resource_metadata=\"");
        url.map(|(_, url)| url.trim_end_matches('"').to_owned())
    };
    assert_eq!(told("/orders/7").await.as_deref(), Some(METADATA));
    assert_eq!(
        told("/ledger").await.as_deref(),
        Some("https://books.test/.well-known/oauth-protected-resource/ledger")
    );
    // It has no URL.
    assert_eq!(told("/vault").await, None);
}

/// What a request says of its host chooses between resources that are served here, and nothing else.
#[tokio::test]
async fn a_host_chooses_between_those_that_are_served() {
    let stand = Stand::start().await;
    let guard = countersign_guard::Builder::new(ISSUER)
        .serve("https://a.test")
        .serve("https://b.test/")
        .rules(rules())
        .clock(Arc::clone(&stand.clock) as Arc<dyn Clock>)
        .key_source(Arc::clone(&stand.keys) as Arc<dyn KeySource>)
        .accept_bearer(
            rules().split('"').nth(1).unwrap(),
            countersign_guard::UnixTime::from_secs(stand.now() + 60),
        )
        .connect()
        .await
        .unwrap();
    let router = Router::new()
        .fallback(async || "reached")
        .layer(guard.http_layer());
    let address = serve_router(router).await;
    for (host, resource) in [
        ("a.test", "https://a.test"),
        ("B.test", "https://b.test"),
        ("evil.test", "https://a.test"),
    ] {
        let text = format!("GET {PATH} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = raw(&address, &text).await;
        let document: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(document["resource"], resource, "{host}");
        // While some may still come without a key.
        assert_eq!(document["dpop_bound_access_tokens_required"], false);
    }
}
