//! However a stream ends, the caller sees it whole.

use countersign::example::v1::{ExchangeOrdersRequest, ImportOrdersRequest, WatchOrdersRequest};
use tokio_stream::{Stream, StreamExt as _};
use tonic::Code;

use super::seen::Seen;
use super::{Side, alike};

async fn watch(side: &Side<'_>, play: &'static str) -> Seen {
    let request = side.request("WatchOrders", play, WatchOrdersRequest {});
    let mut client = side.client();
    let seen = Seen::of_stream(client.watch_orders(request).await).await;
    side.rests().await;
    seen
}

async fn import(
    side: &Side<'_>,
    play: &'static str,
    asks: impl Stream<Item = ImportOrdersRequest> + Send + 'static,
) -> Seen {
    let mut client = side.client();
    let request = side.request("ImportOrders", play, asks);
    let seen = Seen::of_count(client.import_orders(request).await);
    side.rests().await;
    seen
}

async fn exchange(
    side: &Side<'_>,
    play: &'static str,
    asks: impl Stream<Item = ExchangeOrdersRequest> + Send + 'static,
) -> Seen {
    let mut client = side.client();
    let request = side.request("ExchangeOrders", play, asks);
    let seen = Seen::of_stream(client.exchange_orders(request).await).await;
    side.rests().await;
    seen
}

fn imports(count: usize) -> impl Stream<Item = ImportOrdersRequest> {
    tokio_stream::iter(vec![ImportOrdersRequest::default(); count])
}

fn asks() -> impl Stream<Item = ExchangeOrdersRequest> {
    tokio_stream::iter(["tea", "milk"]).map(|item| ExchangeOrdersRequest {
        item: item.to_owned(),
    })
}

fn well(seen: &Seen) {
    assert_eq!(seen.end.code, Code::Ok, "{seen:?}");
}

/// With its code, message, details and metadata.
fn failed(seen: &Seen) {
    assert_eq!(seen.end.code, Code::DataLoss, "{seen:?}");
    assert_eq!(seen.end.message, "50 % of it – lost");
    assert_eq!(seen.end.details, b"\x08\x09details");
    last_words(seen);
}

fn last_words(seen: &Seen) {
    let metadata = &seen.end.metadata;
    assert!(metadata.has("said-by", "trailers"), "{seen:?}");
    assert!(metadata.has("said-by", "twice"), "{seen:?}");
    assert!(metadata.has("said-bin", "AP8H"), "{seen:?}");
}

#[tokio::test]
async fn a_servers_stream_is_seen_whole() {
    let empty = alike(async |side| watch(side, "empty").await).await;
    well(&empty);
    assert!(empty.messages.is_empty());
    assert!(empty.head.has("said-by", "head"));

    let two = alike(async |side| watch(side, "two").await).await;
    well(&two);
    assert_eq!(two.messages, ["one", "two"]);

    let with_trailers = alike(async |side| watch(side, "last words").await).await;
    well(&with_trailers);
    assert_eq!(with_trailers.messages, ["one", "two"]);
    last_words(&with_trailers);

    let fails = alike(async |side| watch(side, "fails").await).await;
    assert_eq!(fails.messages, ["one", "two"]);
    failed(&fails);

    let refused = alike(async |side| watch(side, "refuses").await).await;
    assert!(refused.messages.is_empty());
    failed(&refused);
}

#[tokio::test]
async fn a_clients_stream_is_seen_whole() {
    for count in [0, 3] {
        let all = alike(async |side| import(side, "all", imports(count)).await).await;
        well(&all);
        assert_eq!(all.messages, [count.to_string()]);
        assert!(all.head.has("said-by", "head"));
    }
    let fails = alike(async |side| import(side, "two, then fails", imports(3)).await).await;
    failed(&fails);
}

/// Neither what comes then nor what never comes is waited for.
#[tokio::test]
async fn a_handler_may_end_before_it_has_read_everything() {
    let first = alike(async |side| {
        let open = imports(2).chain(tokio_stream::pending());
        import(side, "first", open).await
    })
    .await;
    well(&first);
    assert_eq!(first.messages, ["1"]);

    let first = alike(async |side| {
        let open = asks().chain(tokio_stream::pending());
        exchange(side, "first", open).await
    })
    .await;
    well(&first);
    assert_eq!(first.messages, ["tea"]);

    let unread = alike(async |side| {
        let open = asks().chain(tokio_stream::pending());
        exchange(side, "empty", open).await
    })
    .await;
    well(&unread);
    assert!(unread.messages.is_empty());
}

#[tokio::test]
async fn a_conversation_is_seen_whole() {
    // The caller has said everything, and is still answered.
    let half_closed = alike(async |side| exchange(side, "echo, then bye", asks()).await).await;
    well(&half_closed);
    assert_eq!(half_closed.messages, ["tea", "milk", "bye"]);

    let nothing = alike(async |side| {
        let nothing = tokio_stream::empty();
        exchange(side, "echo, then bye", nothing).await
    })
    .await;
    well(&nothing);
    assert_eq!(nothing.messages, ["bye"]);

    let fails = alike(async |side| {
        let open = asks().chain(tokio_stream::pending());
        exchange(side, "two, then fails", open).await
    })
    .await;
    assert_eq!(fails.messages, ["tea", "milk"]);
    failed(&fails);
}
