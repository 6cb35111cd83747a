//! A deadline means what it means without a guard.

use std::time::Duration;

use countersign::example::v1::{ExchangeOrdersRequest, ImportOrdersRequest, WatchOrdersRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::seen::Seen;
use super::{Side, alike, both};

const DEADLINE: Duration = Duration::from_millis(200);

async fn import(side: &Side<'_>, play: &'static str, deadline: Option<Duration>) -> Code {
    let mut client = side.client();
    let asks = tokio_stream::pending::<ImportOrdersRequest>();
    let mut request = side.request("ImportOrders", play, asks);
    if let Some(deadline) = deadline {
        request.set_timeout(deadline);
    }
    let status: Status = client.import_orders(request).await.unwrap_err();
    side.rests().await;
    status.code()
}

/// `grpc-timeout`, which both ends of tonic keep until the answer begins.
#[tokio::test]
async fn what_is_asked_ends_at_the_callers() {
    for play in ["all", "reads nothing"] {
        let code = alike(async |side| import(side, play, Some(DEADLINE)).await).await;
        assert!(
            matches!(code, Code::Cancelled | Code::DeadlineExceeded),
            "{code}"
        );
    }
}

#[tokio::test]
async fn what_is_asked_ends_at_the_servers() {
    for play in ["all", "reads nothing"] {
        let (bare, guarded) =
            both(Some(DEADLINE), async |side| import(side, play, None).await).await;
        assert_eq!(bare, guarded);
        assert!(
            matches!(bare, Code::Cancelled | Code::DeadlineExceeded),
            "{bare}"
        );
    }
}

/// Once an answer has begun, the caller keeps the deadline: it takes the call back.
#[tokio::test]
async fn a_caller_that_waits_no_longer_stops_the_handler() {
    alike(async |side| {
        let mut client = side.client();
        let mut request = side.request("WatchOrders", "one", WatchOrdersRequest {});
        // For the handler; here it is long enough to hear the first order in any case.
        request.set_timeout(Duration::from_secs(30));
        let mut orders = client.watch_orders(request).await.unwrap().into_inner();
        orders.message().await.unwrap().unwrap();
        let more = tokio::time::timeout(DEADLINE, orders.message()).await;
        assert!(more.is_err(), "nothing more comes");
        drop(orders);
        side.rests().await;

        let (tell, told) = mpsc::channel::<ExchangeOrdersRequest>(1);
        let asks = ReceiverStream::new(told);
        let mut request = side.request("ExchangeOrders", "echo, then bye", asks);
        request.set_timeout(Duration::from_secs(30));
        let mut answers = client.exchange_orders(request).await.unwrap().into_inner();
        let more = tokio::time::timeout(DEADLINE, answers.message()).await;
        assert!(more.is_err(), "nothing comes");
        drop((answers, tell));
        side.rests().await;
    })
    .await;
}

/// A deadline that passes after the answer has begun changes nothing that tonic does.
#[tokio::test]
async fn a_stream_that_has_begun_goes_on_as_without_a_guard() {
    // Long enough for a busy machine to begin to answer.
    let deadline = Duration::from_secs(2);
    let seen = alike(async |side| {
        let mut client = side.client();
        let mut request = side.request("WatchOrders", "one, then another", WatchOrdersRequest {});
        request.set_timeout(deadline);
        let answer = client.watch_orders(request).await;
        tokio::time::sleep(deadline + DEADLINE).await;
        side.played.go.notify_one();
        let seen = Seen::of_stream(answer).await;
        side.rests().await;
        seen
    })
    .await;
    assert_eq!(
        seen.messages.first().map(String::as_str),
        Some("one"),
        "{seen:?}"
    );
}
