//! What was sent of a stream is sent again, if it is still there.

use countersign::error::v1::Reason;
use countersign::example::v1::{ExchangeOrdersRequest, ImportOrdersRequest};
use tokio_stream::StreamExt as _;

use crate::stand::{Stand, Step};

fn challenge() -> Step {
    Step::Refuse(Reason::DpopNonceRequired, Some("n1"))
}

fn imports(count: usize, bytes: usize) -> impl tokio_stream::Stream<Item = ImportOrdersRequest> {
    let item = "x".repeat(bytes);
    tokio_stream::iter((0..count).map(move |_| ImportOrdersRequest { item: item.clone() }))
}

#[tokio::test]
async fn a_short_stream_is_sent_again() {
    let stand = Stand::start().await;
    stand.orders.then([challenge()]);
    let mut orders = stand.orders().await;
    let answer = orders.import_orders(imports(5, 1000)).await.unwrap();
    assert_eq!(answer.into_inner().count, 5);
    let messages: Vec<_> = stand
        .orders
        .sent
        .lock()
        .iter()
        .map(|sent| sent.messages)
        .collect();
    assert_eq!(messages, [5, 5]);
}

#[tokio::test]
async fn a_long_stream_is_not_and_says_so() {
    let stand = Stand::start().await;
    stand.orders.then([challenge()]);
    let mut orders = stand.orders().await;
    let error = orders.import_orders(imports(100, 1000)).await.unwrap_err();
    assert!(error.message().contains("not sent again"), "{error}");
    assert_eq!(stand.orders.calls(), 1);
    // The nonce was learnt all the same.
    let answer = orders.import_orders(imports(100, 1000)).await.unwrap();
    assert_eq!(answer.into_inner().count, 100);
}

/// Refused before anything of it was read, while it goes on.
#[tokio::test]
async fn a_conversation_begins_again() {
    let stand = Stand::start().await;
    stand.orders.then([challenge()]);
    let asks = tokio_stream::iter(vec![ExchangeOrdersRequest::default(); 20])
        .throttle(std::time::Duration::from_millis(5));
    let mut orders = stand.orders().await;
    let answers = orders.exchange_orders(asks).await.unwrap().into_inner();
    let answers: Vec<_> = answers.collect().await;
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(stand.orders.calls(), 2);
}

/// Once the response has begun, nothing is kept, however long the stream.
#[tokio::test]
async fn a_long_conversation_goes_on_after_a_second_attempt() {
    let stand = Stand::start().await;
    stand.orders.then([challenge()]);
    let (sender, asks) = tokio::sync::mpsc::channel(5);
    let mut orders = stand.orders().await;
    let ask = || ExchangeOrdersRequest {
        item: "x".repeat(1000),
    };
    for _ in 0..5 {
        sender.send(ask()).await.unwrap();
    }
    let asks = tokio_stream::wrappers::ReceiverStream::new(asks);
    let answers = orders.exchange_orders(asks).await.unwrap().into_inner();
    assert_eq!(stand.orders.calls(), 2);
    tokio::spawn(async move {
        for _ in 0..1000 {
            sender.send(ask()).await.unwrap();
        }
    });
    let answers: Vec<_> = answers.collect().await;
    assert_eq!(answers.len(), 1005);
    assert!(answers.iter().all(Result::is_ok));
}
