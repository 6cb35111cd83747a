//! Handlers behind the guard: their permit, their refusals, and what they cannot say.

use axum::extract::{Path, Request};
use axum::routing::get;
use axum::{Extension, Router};
use countersign_guard::{Denied, NonceMode, Permit, PermitExt as _};
use countersign_jose::Algorithms;
use http::Response;
use serde_json::json;

use crate::http_stand::{ask, serve_router, shown};
use crate::stand::{Expected, Shown, Stand};

const RULES: &str = r#"
["GET /orders/{owner}"]
scopes = ["orders.read"]

["GET /accounts/{account}"]
scopes = ["orders.read"]

["GET /scoped/{scope}"]
scopes = ["orders.read"]

["GET /head"]
scopes = ["orders.read"]

["GET /public"]
public = true

["GET /pass-on"]
public = true
"#;

async fn order(
    Path(owner): Path<String>,
    Extension(permit): Extension<Permit>,
) -> Result<&'static str, Response<String>> {
    permit.require_owner(&owner)?;
    Ok("yours")
}

async fn account(
    Path(account): Path<String>,
    request: Request,
) -> Result<String, Response<String>> {
    let permit = request.permit()?;
    permit.require_owned("account", &account)?;
    Ok(permit.subject().to_owned())
}

async fn scoped(
    Path(scope): Path<String>,
    Extension(permit): Extension<Permit>,
) -> Result<(), Response<String>> {
    Ok(permit.require_scope(&scope)?)
}

async fn head(request: Request) -> Result<String, Response<String>> {
    let (head, _) = request.into_parts();
    Ok(head.permit()?.client_id().to_owned())
}

async fn public(request: Request) -> Result<String, Response<String>> {
    let permit = request.permit().map(|permit| permit.subject().to_owned());
    permit.map_err(|denied: Denied| denied.response())
}

async fn pass_on() -> Response<String> {
    let mut response = Response::new("from further down".to_owned());
    *response.status_mut() = http::StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(
        "www-authenticate",
        "DPoP error=\"use_dpop_nonce\"".parse().unwrap(),
    );
    headers.insert("dpop-nonce", "x".parse().unwrap());
    headers.insert("x-kept", "1".parse().unwrap());
    response
}

async fn server(stand: &Stand) -> String {
    let router = Router::new()
        .route("/orders/{owner}", get(order))
        .route("/accounts/{account}", get(account))
        .route("/scoped/{scope}", get(scoped))
        .route("/head", get(head))
        .route("/public", get(public))
        .route("/pass-on", get(pass_on))
        .layer(stand.guard.http_layer());
    serve_router(router).await
}

#[tokio::test]
async fn they_ask_their_permit_and_refuse_by_it() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES)).await;
    let address = server(&stand).await;
    let mut claims = stand.claims();
    claims["authorization_details"] = json!([{ "type": "account", "identifier": "7" }]);
    let token = stand.token_of(&claims);
    let get = async |path: &str| {
        let shown = shown(&stand, "GET", path, &token);
        ask(&address, "GET", path, &shown).await
    };
    for (path, says) in [
        ("/orders/checkout", "yours"),
        ("/accounts/7", "checkout"),
        ("/scoped/orders.write", ""),
        ("/head", "checkout"),
    ] {
        let answer = get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, says), "{path}");
    }
    // A handler's refusal makes nobody call again: it has no challenge.
    for (path, status, reason) in [
        ("/orders/billing", 403, "REASON_NOT_OWNER"),
        ("/orders/Checkout", 403, "REASON_NOT_OWNER"),
        ("/accounts/8", 403, "REASON_NOT_OWNER"),
        ("/scoped/orders.admin", 403, "REASON_SCOPE_INSUFFICIENT"),
        ("/public", 500, "REASON_INTERNAL"),
    ] {
        let answer = get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.problem()["reason"], reason, "{path}");
        assert_eq!(answer.header("www-authenticate"), None, "{path}");
    }
    let missing = get("/scoped/orders.admin").await.problem();
    assert_eq!(missing["scope"], "orders.admin");
}

#[tokio::test]
async fn what_they_pass_on_makes_nobody_call_again() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES)).await;
    let address = server(&stand).await;
    let answer = ask(&address, "GET", "/pass-on", &Shown::default()).await;
    assert_eq!((answer.status, answer.header("x-kept")), (401, Some("1")));
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("dpop-nonce"), None);
}

#[tokio::test]
async fn a_guard_that_observes_lets_the_handler_refuse() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES).observe()).await;
    let address = server(&stand).await;
    // It asks for no permit, although the rule does.
    let answer = ask(&address, "GET", "/pass-on", &Shown::default()).await;
    assert_eq!(answer.body, "from further down");
    // This one does: what the guard would have said, without its challenge.
    let answer = ask(&address, "GET", "/head", &Shown::default()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.problem()["reason"], "REASON_CREDENTIALS_MISSING");
    assert_eq!(answer.header("www-authenticate"), None);
    let token = stand.token();
    let good = shown(&stand, "GET", "/head", &token);
    let answer = ask(&address, "GET", "/head", &good).await;
    Expected::Ok.check_http("good", &answer, Algorithms::DEFAULT);
    // A route without a rule goes on too, to axum, which has no such route either.
    assert_eq!(
        ask(&address, "GET", "/nowhere", &Shown::default())
            .await
            .status,
        404
    );
    assert_eq!(stand.guard.counts().would_have_refused, 2);
}
