//! Servers that answer what no server of ours would.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, WatchOrdersRequest};
use countersign_client::clock::SystemClock;
use countersign_client::layer::{DpopLayer, DpopService};
use countersign_dpop::{Minter, Origin};
use countersign_jose::SigningKey;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::body::Body;
use tower::util::BoxCloneService;
use tower_layer::Layer as _;

/// A body of these frames.
struct Frames(Vec<Frame<Bytes>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = (!self.0.is_empty()).then(|| Ok(self.0.remove(0)));
        std::task::Poll::Ready(next)
    }
}

fn refusal(details: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from_static("16"));
    let challenge = HeaderValue::from_static("DPoP error=\"use_dpop_nonce\"");
    headers.insert("www-authenticate", challenge);
    let details = HeaderValue::from_bytes(details).unwrap();
    headers.insert("grpc-status-details-bin", details);
    headers
}

type Server = BoxCloneService<http::Request<Body>, Response<Body>, Infallible>;

/// A client of a server that answers so.
fn client<F>(answer: F) -> OrderServiceClient<DpopService<Server>>
where
    F: Fn() -> Response<Body> + Clone + Send + 'static,
{
    let minter = Arc::new(Minter::new(Arc::new(
        SigningKey::generate_es256([1; 32]).unwrap(),
    )));
    let origin = Origin::parse("https://orders.test").unwrap();
    let layer = DpopLayer::new(minter, origin, Arc::new(SystemClock));
    let server = tower::service_fn(move |_: http::Request<Body>| {
        std::future::ready(Ok::<_, Infallible>(answer()))
    });
    OrderServiceClient::new(layer.layer(Server::new(server)))
}

/// tonic panics on these.
const ILLEGIBLE: [&[u8]; 4] = [b"!!!", b"A", b"\xff\xfe", b"AA,AA"];

#[tokio::test]
async fn details_that_are_not_base64_in_headers() {
    for details in ILLEGIBLE {
        let mut orders = client(move || {
            let mut response = Response::new(Body::empty());
            *response.headers_mut() = refusal(details);
            response
        });
        let asked = CreateOrderRequest::default();
        let error = orders.create_order(asked).await.unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated);
        assert!(error.details().is_empty());
    }
}

#[tokio::test]
async fn details_that_are_not_base64_in_trailers() {
    for details in ILLEGIBLE {
        let mut orders = client(move || {
            let trailers = Frame::trailers(refusal(details));
            Response::new(Body::new(Frames(vec![trailers])))
        });
        let asked = WatchOrdersRequest {};
        let mut answers = orders.watch_orders(asked).await.unwrap().into_inner();
        let error = answers.next().await.unwrap().unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated);
        assert!(error.details().is_empty());
    }
}

/// Details that are legible come through, padded or not.
#[tokio::test]
async fn legible_details_are_left_alone() {
    for details in [b"CBA".as_slice(), b"CBA="] {
        let mut orders = client(move || {
            let mut response = Response::new(Body::empty());
            *response.headers_mut() = refusal(details);
            response
        });
        let asked = CreateOrderRequest::default();
        let error = orders.create_order(asked).await.unwrap_err();
        assert_eq!(error.details(), [8, 16]);
    }
}
