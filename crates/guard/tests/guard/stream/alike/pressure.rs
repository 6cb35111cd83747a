//! Who does not read holds up who writes, as far away as without a guard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::{ExchangeOrdersRequest, ImportOrdersRequest, WatchOrdersRequest};
use countersign_client::outcome::Refused;
use tokio_stream::Stream;
use tonic::Streaming;

use super::super::shown;
use super::player::{MESSAGE_BYTES, PLAY};
use super::{Side, WINDOW_BYTES, both};
use crate::stand::Stand;

/// So often in a row the same is counted when nobody writes any more. Writer,
/// reader and whoever counts share a thread, so a busy machine holds up all of
/// them.
const LOOKS: usize = 40;

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What a stream's window holds, in messages.
const WINDOW: usize = WINDOW_BYTES as usize / MESSAGE_BYTES;

/// Writes as much as it is let.
fn asks<T>(asked: &Arc<AtomicUsize>, ask: fn(String) -> T) -> impl Stream<Item = T> + use<T> {
    let asked = Arc::clone(asked);
    tokio_stream::iter(std::iter::repeat_with(move || {
        asked.fetch_add(1, Ordering::SeqCst);
        ask("x".repeat(MESSAGE_BYTES))
    }))
}

/// What is counted when it has come to rest.
pub(crate) async fn at_rest(count: impl Fn() -> usize) -> usize {
    let begun = tokio::time::Instant::now();
    let (mut last, mut same) = (0, 0);
    while same < LOOKS {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = count();
        same = if now > 0 && now == last { same + 1 } else { 0 };
        last = now;
        assert!(begun.elapsed() < SOON, "it does not come to rest: {last}");
    }
    last
}

/// About as much as without a guard, and no more than windows and buffers hold.
fn held_up((bare, guarded): (usize, usize)) {
    assert!(bare >= WINDOW, "the window is used: {bare}");
    assert!(guarded >= WINDOW, "the window is used: {guarded}");
    let alike = |one: usize, other: usize| one <= other + other / 2;
    assert!(
        alike(bare, guarded) && alike(guarded, bare),
        "{bare} bare, {guarded} guarded"
    );
    assert!(guarded <= 4 * WINDOW, "{guarded}");
}

/// When it is read again, more comes than was held up.
async fn goes_on<T>(stream: &mut Streaming<T>) {
    for _ in 0..8 * WINDOW {
        let more = tokio::time::timeout(SOON, stream.message()).await;
        assert!(more.unwrap().unwrap().is_some());
    }
}

#[tokio::test]
async fn a_caller_that_does_not_read_holds_up_a_servers_stream() {
    held_up(
        both(None, async |side| {
            let mut client = side.client();
            let request = side.request("WatchOrders", "forever", WatchOrdersRequest {});
            let mut orders = client.watch_orders(request).await.unwrap().into_inner();
            let produced = at_rest(|| side.played.produced()).await;
            goes_on(&mut orders).await;
            produced
        })
        .await,
    );
}

/// Nothing outlives its token, also where the server is never asked for more.
#[tokio::test]
async fn a_caller_that_does_not_read_keeps_nothing_past_the_end() {
    const LIFE: u64 = 3;
    let stand = Stand::start().await;
    let side = Side::start(Some(&stand), None);
    let mut client = side.client();
    let mut watched = shown(&stand, "WatchOrders", LIFE, WatchOrdersRequest {});
    watched
        .metadata_mut()
        .insert(PLAY, "forever".parse().unwrap());
    let mut orders = client.watch_orders(watched).await.unwrap().into_inner();
    side.rests().await;
    // Whoever reads at last learns why it ended.
    let last = loop {
        match tokio::time::timeout(SOON, orders.message()).await.unwrap() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended as if it were whole"),
            Err(status) => break status,
        }
    };
    let refused = Refused::of(&last).expect("a guard's");
    assert_eq!(refused.reason, Reason::TokenExpired);
    // In a conversation the caller keeps its own side open besides.
    let asks = tokio_stream::pending::<ExchangeOrdersRequest>();
    let mut talk = shown(&stand, "ExchangeOrders", LIFE, asks);
    talk.metadata_mut().insert(PLAY, "forever".parse().unwrap());
    let answers = client.exchange_orders(talk).await.unwrap().into_inner();
    side.rests().await;
    drop(answers);
}

#[tokio::test]
async fn a_caller_that_does_not_read_holds_up_a_conversation() {
    held_up(
        both(None, async |side| {
            let mut client = side.client();
            let asks = tokio_stream::empty::<ExchangeOrdersRequest>();
            let request = side.request("ExchangeOrders", "forever", asks);
            let mut orders = client.exchange_orders(request).await.unwrap().into_inner();
            let produced = at_rest(|| side.played.produced()).await;
            goes_on(&mut orders).await;
            produced
        })
        .await,
    );
}

#[tokio::test]
async fn a_handler_that_does_not_read_holds_up_a_clients_stream() {
    held_up(
        both(None, async |side| {
            let asked = Arc::new(AtomicUsize::new(0));
            let mut client = side.client();
            let asks = asks(&asked, |item| ImportOrdersRequest { item });
            let request = side.request("ImportOrders", "waits, then all", asks);
            let call = client.import_orders(request);
            let count = || asked.load(Ordering::SeqCst);
            let held = async {
                let held = at_rest(count).await;
                // And when it reads, it is sent more than was held up.
                side.played.go.notify_one();
                crate::revocation::until("it goes on", || count() > held + 8 * WINDOW).await;
                held
            };
            tokio::select! {
                answer = call => panic!("it is asked for ever: {answer:?}"),
                held = held => held,
            }
        })
        .await,
    );
}

#[tokio::test]
async fn a_handler_that_does_not_read_holds_up_a_conversation() {
    held_up(
        both(None, async |side: &Side<'_>| {
            let asked = Arc::new(AtomicUsize::new(0));
            let mut client = side.client();
            let asks = asks(&asked, |item| ExchangeOrdersRequest { item });
            let request = side.request("ExchangeOrders", "reads nothing", asks);
            let mut answers = client.exchange_orders(request).await.unwrap().into_inner();
            let held = at_rest(|| asked.load(Ordering::SeqCst)).await;
            // A handler may end all the same.
            side.played.go.notify_one();
            let last = tokio::time::timeout(SOON, answers.message()).await;
            assert!(last.unwrap().unwrap().is_some());
            held
        })
        .await,
    );
}
