//! Streams: authorised when they open, ended with their token.

pub(crate) mod alike;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use countersign::example::v1::{ExchangeOrdersRequest, ImportOrdersRequest, WatchOrdersRequest};
use countersign_client::outcome::Refused;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_stream::StreamExt as _;
use tonic::body::Body;
use tonic::{Request, Status};
use tower::{Service as _, ServiceExt as _};
use tower_layer::Layer as _;

use crate::stand::{Expected, SERVICE, Shown, Stand};

/// A request for `method` whose token lives `secs`.
fn shown<T>(stand: &Stand, method: &str, secs: u64, message: T) -> Request<T> {
    let mut claims = stand.claims();
    claims["exp"] = (stand.now() + secs).into();
    let token = stand.token_of(&claims);
    let mut request = Request::new(message);
    Shown::new(&token, &stand.proof(method, &token)).onto(request.metadata_mut());
    request
}

/// Ended by the guard, and in a way that no client sends the call again for.
fn ended(status: &Status) {
    let refused = Refused::of(status).unwrap();
    assert_eq!(refused.reason.as_str_name(), "REASON_TOKEN_EXPIRED");
    assert!(status.metadata().get("www-authenticate").is_none());
}

#[tokio::test]
async fn of_all_kinds() {
    let stand = Stand::start().await;
    let mut client = stand.client();
    let imports = tokio_stream::iter(vec![ImportOrdersRequest::default(); 3]);
    let imported = client
        .import_orders(shown(&stand, "ImportOrders", 300, imports))
        .await
        .unwrap();
    assert_eq!(imported.into_inner().count, 3);

    let watched = shown(&stand, "WatchOrders", 300, WatchOrdersRequest {});
    let mut orders = client.watch_orders(watched).await.unwrap().into_inner();
    let order = orders.message().await.unwrap().unwrap().order.unwrap();
    assert_eq!(order.owner, "checkout");

    let asks = tokio_stream::iter(["tea", "milk"]).map(|item| ExchangeOrdersRequest {
        item: item.to_owned(),
    });
    let exchange = shown(&stand, "ExchangeOrders", 300, asks);
    let answers = client.exchange_orders(exchange).await.unwrap().into_inner();
    let items: Vec<_> = answers
        .map(|answer| answer.unwrap().order.unwrap().item)
        .collect()
        .await;
    assert_eq!(items, ["tea", "milk"]);

    let bare = client.watch_orders(WatchOrdersRequest {}).await;
    Expected::Missing.check("without credentials", bare);
}

#[tokio::test]
async fn a_servers_stream_ends_with_its_token() {
    let stand = Stand::start().await;
    let request = shown(&stand, "WatchOrders", 1, WatchOrdersRequest {});
    let mut orders = stand
        .client()
        .watch_orders(request)
        .await
        .unwrap()
        .into_inner();
    orders.message().await.unwrap().unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), orders.message()).await;
    ended(&end.unwrap().unwrap_err());
}

#[tokio::test]
async fn a_clients_stream_ends_with_its_token() {
    let stand = Stand::start().await;
    let request = shown(&stand, "ImportOrders", 1, tokio_stream::pending());
    let mut client = stand.client();
    let end = tokio::time::timeout(Duration::from_secs(10), client.import_orders(request)).await;
    ended(&end.unwrap().unwrap_err());
}

#[tokio::test]
async fn a_conversation_ends_with_its_token_however_busy() {
    let stand = Stand::start().await;
    let asks = tokio_stream::iter(std::iter::repeat_with(ExchangeOrdersRequest::default))
        .throttle(Duration::from_millis(1));
    let request = shown(&stand, "ExchangeOrders", 1, asks);
    let mut answers = stand
        .client()
        .exchange_orders(request)
        .await
        .unwrap()
        .into_inner();
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Err(status) = answers.message().await {
                return status;
            }
        }
    });
    ended(&end.await.unwrap());
}

/// A handler that leaves its reading to a task hears nothing more either: not
/// even when it has answered, and nobody listens to it any more.
#[tokio::test(start_paused = true)]
async fn what_a_client_sends_ends_with_its_token() {
    let stand = Stand::start().await;
    let (tell, told) = oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let handler = tower::service_fn(|request: http::Request<Body>| {
        let tell = tell.lock().take().unwrap();
        tokio::spawn(async move {
            let mut asks = request.into_body();
            let mut heard = 0;
            let end = loop {
                match asks.frame().await {
                    Some(Ok(_)) => heard += 1,
                    end => break end,
                }
            };
            let _ = tell.send((heard, end));
        });
        std::future::ready(Ok::<_, Infallible>(http::Response::new(Body::empty())))
    });
    let asks = tokio_stream::iter(std::iter::repeat_with(|| {
        Ok::<_, Status>(http_body::Frame::data(bytes::Bytes::from_static(b"x")))
    }));
    let asks = asks.throttle(Duration::from_secs(1));
    let mut request = http::Request::post(format!("{SERVICE}ImportOrders"))
        .body(Body::new(http_body_util::StreamBody::new(asks)))
        .unwrap();
    let metadata = shown(&stand, "ImportOrders", 60, ()).into_parts().0;
    *request.headers_mut() = metadata.into_headers();
    let answer = stand.guard.layer().layer(handler).oneshot(request).await;
    drop(answer);
    let (heard, end) = told.await.unwrap();
    assert!((59..=61).contains(&heard), "{heard}");
    ended(&end.unwrap().unwrap_err());
}

/// A handler that neither reads nor answers does not hold the call open.
#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_ends_with_its_token() {
    let stand = Stand::start().await;
    let handler = tower::service_fn(|_: http::Request<Body>| {
        std::future::pending::<Result<http::Response<Body>, Infallible>>()
    });
    let mut request = http::Request::post(format!("{SERVICE}ImportOrders"))
        .body(Body::empty())
        .unwrap();
    let metadata = shown(&stand, "ImportOrders", 60, ()).into_parts().0;
    *request.headers_mut() = metadata.into_headers();
    let call = stand.guard.layer().layer(handler).oneshot(request);
    let answer = tokio::time::timeout(Duration::from_secs(61), call).await;
    let answer = answer.expect("it ends with the token").unwrap();
    ended(&Status::from_header_map(answer.headers()).unwrap());
}

/// Not even where somebody keeps the call after its answer.
#[tokio::test(start_paused = true)]
async fn a_handler_goes_at_the_end_whoever_keeps_the_call() {
    let stand = Stand::start().await;
    let there = Arc::new(());
    let handler = tower::service_fn(|_: http::Request<Body>| {
        let there = Arc::clone(&there);
        async move {
            std::future::pending::<()>().await;
            drop(there);
            Ok::<_, Infallible>(http::Response::new(Body::empty()))
        }
    });
    let mut request = http::Request::post(format!("{SERVICE}ImportOrders"))
        .body(Body::empty())
        .unwrap();
    let metadata = shown(&stand, "ImportOrders", 60, ()).into_parts().0;
    *request.headers_mut() = metadata.into_headers();
    let mut call = Box::pin(stand.guard.layer().layer(handler).call(request));
    let answer = call.as_mut().await.unwrap();
    ended(&Status::from_header_map(answer.headers()).unwrap());
    assert_eq!(Arc::strong_count(&there), 1);
    drop(call);
}
