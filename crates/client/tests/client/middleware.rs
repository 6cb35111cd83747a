//! Above and below the layer: what retries, what balances, and no tonic at all.

use std::convert::Infallible;
use std::future::Ready;
use std::sync::Arc;

use bytes::Bytes;
use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, CreateOrderResponse};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prost::Message as _;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::retry::{Policy, RetryLayer};
use tower::{ServiceBuilder, ServiceExt as _};
use tower_layer::Layer as _;

use crate::stand::{Script, Stand, Step, serve, until};

const CREATE: &str = "/countersign.example.v1.OrderService/CreateOrder";

/// Retries what is not there, so many times.
#[derive(Clone)]
struct WhileAway(u32);

impl<B, E> Policy<Request<Full<Bytes>>, Response<B>, E> for WhileAway {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Full<Bytes>>,
        outcome: &mut Result<Response<B>, E>,
    ) -> Option<Ready<()>> {
        let answer = outcome.as_ref().ok()?;
        let code = answer.headers().get(Status::GRPC_STATUS)?;
        let away = code == "14" && self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        away.then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Full<Bytes>>) -> Option<Request<Full<Bytes>>> {
        Some(request.clone())
    }
}

/// As gRPC frames it.
fn create() -> Request<Full<Bytes>> {
    let message = CreateOrderRequest::default().encode_to_vec();
    let mut framed = vec![0];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    Request::builder()
        .method(Method::POST)
        .uri(CREATE)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(framed.into()))
        .unwrap()
}

/// tower's retry above ours: each attempt is signed anew, and a guard's challenge costs none of
/// its attempts.
#[tokio::test]
async fn every_attempt_of_a_retry_layer_has_a_proof_of_its_own() {
    let stand = Stand::start().await;
    stand.orders.then([
        Step::Away,
        Step::Refuse(Reason::DpopNonceRequired, Some("n1")),
        Step::Away,
        Step::Answer,
    ]);
    let channel = stand.countersign.channel(&stand.orders_url);
    let channel = channel.connect().await.unwrap();
    let retrying = ServiceBuilder::new()
        .layer(RetryLayer::new(WhileAway(3)))
        .map_request(|request: Request<Full<Bytes>>| request.map(Body::new))
        .service(channel);
    let answer = retrying.oneshot(create()).await.unwrap();
    assert!(!answer.headers().contains_key(Status::GRPC_STATUS));
    let sent = stand.orders.sent.lock().clone();
    let nonces: Vec<_> = sent
        .iter()
        .map(|sent| sent.proof["nonce"].as_str())
        .collect();
    assert_eq!(nonces, [None, None, Some("n1"), Some("n1")]);
    let mut jtis: Vec<_> = sent
        .iter()
        .map(|sent| sent.proof["jti"].to_string())
        .collect();
    jtis.sort();
    jtis.dedup();
    assert_eq!(jtis.len(), 4);
}

/// tonic's balanced channel below ours: whichever instance is called, the proof is for the origin
/// that all of them are, and the nonce of one is good for the other.
#[tokio::test]
async fn a_balanced_channel_carries_calls_to_all_instances() {
    let stand = Stand::start().await;
    let instances: [Arc<Script>; 2] = Default::default();
    let endpoints = instances
        .each_ref()
        .map(|script| Endpoint::from_shared(serve(script)).unwrap());
    let origin = "https://orders.test";
    let channel = stand
        .countersign
        .channel(origin)
        .over(Channel::balance_list(endpoints.into_iter()));
    let mut orders = OrderServiceClient::new(channel.connect().await.unwrap());
    let challenge = Step::Refuse(Reason::DpopNonceRequired, Some("of-all"));
    instances[0].then([challenge]);
    for _ in 0..10_000 {
        let asked = CreateOrderRequest::default();
        orders.create_order(asked).await.unwrap();
        // One of them may have had all its calls before the other asked for the nonce.
        let knows = |instance: &Arc<Script>| instance.last().proof["nonce"] == "of-all";
        if instances
            .iter()
            .all(|instance| instance.calls() > 2 && knows(instance))
        {
            break;
        }
    }
    for instance in &instances {
        assert!(instance.calls() > 2);
        let sent = instance.last();
        assert_eq!(sent.proof["htu"], format!("{origin}{CREATE}"));
        assert_eq!(sent.proof["nonce"], "of-all");
        assert_eq!(sent.authorization.as_deref(), Some("DPoP token-1"));
    }
    assert_eq!(stand.tokens.script.calls(), 1);
}

/// hyper alone, without tonic's transport or a stub.
#[tokio::test]
async fn a_plain_hyper_client_is_served() {
    let stand = Stand::start().await;
    let challenge = Step::Refuse(Reason::DpopNonceRequired, Some("n1"));
    stand.orders.then([challenge, Step::Answer]);
    let hyper = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Body>();
    let tokens = stand.countersign.tokens(
        vec!["orders.write".to_owned()],
        vec![stand.orders_url.clone()],
    );
    let layer = stand.countersign.layer(&stand.orders_url).unwrap();
    let client = layer.tokens(tokens).layer(hyper);

    let mut request = create().map(Body::new);
    *request.uri_mut() = format!("{}{CREATE}", stand.orders_url).parse().unwrap();
    let answer = client.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let bytes = body.to_bytes();
    CreateOrderResponse::decode(&bytes[5..]).unwrap();
    assert_eq!(stand.orders.calls(), 2);
    assert_eq!(stand.orders.last().proof["nonce"], "n1");
}

/// A service of any kind below: what it is called with is what a transport would send.
#[tokio::test]
async fn a_tower_service_of_ones_own_is_served() {
    let stand = Stand::start().await;
    let server = tower::service_fn(|request: Request<Body>| {
        assert!(request.headers().contains_key("dpop"));
        assert!(!request.headers().contains_key("authorization"));
        std::future::ready(Ok::<_, Infallible>(Response::new(())))
    });
    let layer = stand.countersign.layer("https://orders.test").unwrap();
    let request = Request::post("/a.B/C").body(Body::empty()).unwrap();
    layer.layer(server).oneshot(request).await.unwrap();
    until("nothing was fetched", || stand.tokens.script.calls() == 0).await;
}
