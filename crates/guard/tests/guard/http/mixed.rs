//! One server, one port, one guard: gRPC and HTTP, each by its own rules.

use axum::Router;
use axum::routing::{get, post};
use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_guard::NonceMode;
use countersign_jose::Algorithms;
use tonic::transport::Channel;
use tonic::{Request, service::Routes};

use crate::http_stand::{ask, serve_router, shown};
use crate::orders::Orders;
use crate::stand::{Expected, SERVICE, Stand};

const RULES: &str = "[\"GET /orders/{id}\"]\nscopes = [\"orders.read\"]\n";

#[tokio::test]
async fn one_rule_book_for_both() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES)).await;
    let guard = &stand.guard;
    let grpc = Routes::new(OrderServiceServer::new(Orders)).into_axum_router();
    let rest = Router::new()
        .route("/orders/{id}", get(async || "an order"))
        .route("/unruled", post(async || "reached"));
    let router = grpc
        .layer(guard.layer())
        .merge(rest.layer(guard.http_layer()));
    let address = serve_router(router).await;

    let channel = Channel::from_shared(address.clone()).unwrap();
    let mut client = OrderServiceClient::new(channel.connect().await.unwrap());
    let mut request = Request::new(CreateOrderRequest::default());
    stand.good().onto(request.metadata_mut());
    let order = client
        .create_order(request)
        .await
        .unwrap()
        .into_inner()
        .order;
    assert_eq!(order.unwrap().owner, "checkout");
    let refused = client.create_order(CreateOrderRequest::default()).await;
    Expected::Missing.check("no credentials", refused);

    let token = stand.token();
    let good = shown(&stand, "GET", "/orders/7", &token);
    let answer = ask(&address, "GET", "/orders/7", &good).await;
    assert_eq!(answer.body, "an order");
    let answer = ask(
        &address,
        "POST",
        "/unruled",
        &shown(&stand, "POST", "/unruled", &token),
    )
    .await;
    Expected::NoRule.check_http("no rule", &answer, Algorithms::DEFAULT);
}

/// The rule of a gRPC method opens no HTTP route of the same path, and the other way round.
#[tokio::test]
async fn a_rule_is_for_its_own_edge() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(RULES)).await;
    let anything = || Router::new().fallback(async || "reached");
    let http = serve_router(anything().layer(stand.guard.http_layer())).await;
    for method in ["Ping", "CreateOrder"] {
        let path = format!("{SERVICE}{method}");
        let shown = shown(&stand, "POST", &path, &stand.token());
        let answer = ask(&http, "POST", &path, &shown).await;
        Expected::NoRule.check_http(method, &answer, Algorithms::DEFAULT);
    }
    let grpc = serve_router(anything().layer(stand.guard.layer())).await;
    let shown = shown(&stand, "GET", "/orders/7", &stand.token());
    let answer = ask(&grpc, "GET", "/orders/7", &shown).await;
    assert_eq!(answer.header("grpc-status"), Some("7"), "{answer:?}");
}
