//! A caller that goes takes its handler along, whatever that is waiting for.

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{
    ExchangeOrdersRequest, ImportOrdersRequest, WatchOrdersRequest, WatchOrdersResponse,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use tonic::Streaming;
use tonic::transport::Channel;

use super::{Side, alike};
use crate::revocation::until;

const MANY: usize = 2_000;

/// The connection stays: it is the call that is taken back.
async fn watch(side: &Side<'_>, play: &'static str) {
    let mut client = side.client();
    let request = side.request("WatchOrders", play, WatchOrdersRequest {});
    let mut orders = client.watch_orders(request).await.unwrap().into_inner();
    orders.message().await.unwrap().unwrap();
    side.begins().await;
    drop(orders);
    side.rests().await;
}

async fn import(side: &Side<'_>, play: &'static str) {
    let mut client = side.client();
    let asks = tokio_stream::once(ImportOrdersRequest::default());
    let request = side.request("ImportOrders", play, asks.chain(tokio_stream::pending()));
    tokio::select! {
        answer = client.import_orders(request) => panic!("nobody answers: {answer:?}"),
        () = side.begins() => {}
    }
    side.rests().await;
}

/// hyper takes a call back when neither direction is left: what is asked ends, too.
async fn exchange(side: &Side<'_>, play: &'static str, answers: bool) {
    let mut client = side.client();
    let (tell, told) = mpsc::channel(1);
    tell.send(ExchangeOrdersRequest::default()).await.unwrap();
    let request = side.request("ExchangeOrders", play, ReceiverStream::new(told));
    let mut orders = client.exchange_orders(request).await.unwrap().into_inner();
    if answers {
        orders.message().await.unwrap().unwrap();
    }
    side.begins().await;
    drop((orders, tell));
    side.rests().await;
}

#[tokio::test]
async fn a_server_that_streams_stops() {
    alike(async |side| watch(side, "forever").await).await;
}

#[tokio::test]
async fn a_server_that_has_nothing_to_say_stops() {
    alike(async |side| watch(side, "one").await).await;
}

#[tokio::test]
async fn a_server_that_reads_stops() {
    alike(async |side| import(side, "all").await).await;
}

#[tokio::test]
async fn a_server_that_reads_nothing_stops() {
    alike(async |side| import(side, "reads nothing").await).await;
}

#[tokio::test]
async fn a_conversation_stops() {
    alike(async |side| exchange(side, "echo, then bye", true).await).await;
    alike(async |side| exchange(side, "forever", true).await).await;
    alike(async |side| exchange(side, "reads nothing", false).await).await;
}

/// Streams that are opened and dropped, some at a time and not in the order in which they came,
/// leave neither an entry in the guard nor a task.
#[tokio::test]
async fn nothing_is_left_of_many() {
    alike(async |side| {
        let mut client = side.client();
        let tasks = || Handle::current().metrics().num_alive_tasks();
        // With its connection.
        watch_with(&mut client, side).await;
        side.rests().await;
        let before = tasks();
        let mut open = Vec::new();
        for number in 0..MANY {
            open.push(watch_with(&mut client, side).await);
            if open.len() == 64 {
                open.swap_remove(number % 64);
                open.truncate(32);
            }
        }
        drop(open);
        side.rests().await;
        until("every task is gone", || tasks() <= before).await;
    })
    .await;
}

async fn watch_with(
    client: &mut OrderServiceClient<Channel>,
    side: &Side<'_>,
) -> Streaming<WatchOrdersResponse> {
    let request = side.request("WatchOrders", "one", WatchOrdersRequest {});
    let mut orders = client.watch_orders(request).await.unwrap().into_inner();
    orders.message().await.unwrap().unwrap();
    orders
}
