//! What a message of a stream costs behind a guard, against the same without it.

use std::sync::Arc;
use std::time::Duration;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{
    ExchangeOrdersRequest, ExchangeOrdersResponse, WatchOrdersRequest, WatchOrdersResponse,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use crate::STREAMS;
use crate::caller::Caller;
use crate::measured::Measured;

/// Of each kind, and each side; a round takes about half a second.
const ROUNDS: usize = 15;
const ASKED_PER_ROUND: usize = 300;
/// Many times what windows hold, so that where a round begins does not matter.
const SENT_PER_ROUND: usize = 1_000_000;

/// Streams that stay open: opening them is not measured.
trait Lane: Send + Sized + 'static {
    /// So many messages.
    fn go_on(&mut self, messages: usize) -> impl Future<Output = ()> + Send;
}

/// Asks when it was answered: each message comes by itself, both ways.
struct Asking {
    ask: mpsc::Sender<ExchangeOrdersRequest>,
    answers: Streaming<ExchangeOrdersResponse>,
}

impl Asking {
    async fn open(mut orders: OrderServiceClient<Channel>, caller: &Caller) -> Self {
        let (ask, asks) = mpsc::channel(1);
        let request = caller.open("ExchangeOrders", ReceiverStream::new(asks));
        let answers = orders.exchange_orders(request).await.unwrap().into_inner();
        Self { ask, answers }
    }
}

impl Lane for Asking {
    async fn go_on(&mut self, messages: usize) {
        for _ in 0..messages {
            let item = "tea".to_owned();
            self.ask.send(ExchangeOrdersRequest { item }).await.unwrap();
            self.answers.message().await.unwrap().unwrap();
        }
    }
}

/// Hears all that the server has: many messages come in one piece.
struct Hearing(Streaming<WatchOrdersResponse>);

impl Hearing {
    async fn open(mut orders: OrderServiceClient<Channel>, caller: &Caller) -> Self {
        let request = caller.open("WatchOrders", WatchOrdersRequest {});
        Self(orders.watch_orders(request).await.unwrap().into_inner())
    }
}

impl Lane for Hearing {
    async fn go_on(&mut self, messages: usize) {
        for _ in 0..messages {
            self.0.message().await.unwrap().unwrap();
        }
    }
}

/// In pairs, so that what else the machine does falls on both.
pub(crate) fn message(
    callers: &Runtime,
    caller: &Arc<Caller>,
    bare: &Measured,
    guarded: &Measured,
) {
    let open = async |server: &Measured| {
        let mut lanes = Vec::new();
        for _ in 0..STREAMS {
            let orders = OrderServiceClient::new(server.channel.clone());
            lanes.push(Asking::open(orders, caller).await);
        }
        lanes
    };
    let (on_bare, on_guarded) = callers.block_on(async { (open(bare).await, open(guarded).await) });
    let each = ASKED_PER_ROUND;
    pairs(
        "asked and answered, each by itself",
        callers,
        each,
        (bare, on_bare),
        (guarded, on_guarded),
    );

    // A few: each of them always has more to say.
    let open = async |server: &Measured| {
        let orders = OrderServiceClient::new(server.channel.clone());
        vec![Hearing::open(orders, caller).await]
    };
    let (on_bare, on_guarded) = callers.block_on(async { (open(bare).await, open(guarded).await) });
    let each = SENT_PER_ROUND;
    pairs(
        "sent without a pause",
        callers,
        each,
        (bare, on_bare),
        (guarded, on_guarded),
    );
}

fn pairs<L: Lane>(
    what: &str,
    callers: &Runtime,
    each: usize,
    mut bare: (&Measured, Vec<L>),
    mut guarded: (&Measured, Vec<L>),
) {
    let messages = (each * bare.1.len()) as f64;
    let round = |(server, lanes): &mut (&Measured, Vec<L>)| {
        let time = callers.block_on(go_on(server, lanes, each));
        time.as_nanos() as f64 / messages
    };
    // The first of each warms up.
    let (_, _) = (round(&mut bare), round(&mut guarded));
    let mut rounds: Vec<(f64, f64, f64)> = (0..ROUNDS)
        .map(|number| match number % 2 {
            0 => {
                let bare = round(&mut bare);
                (bare, round(&mut guarded))
            }
            _ => {
                let guarded = round(&mut guarded);
                (round(&mut bare), guarded)
            }
        })
        .map(|(bare, guarded)| (guarded - bare, bare, guarded))
        .collect();
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (more, bare, guarded) = rounds[ROUNDS / 2];
    println!(
        "stream_message, {what}: bare {bare:.0} ns, guarded {guarded:.0} ns, {more:.0} ns more for \
         each, median of {ROUNDS} (middle half {:.0} to {:.0})",
        rounds[ROUNDS / 4].0,
        rounds[ROUNDS - 1 - ROUNDS / 4].0
    );
}

/// The server's processor time while each of these takes so many messages.
async fn go_on<L: Lane>(server: &Measured, lanes: &mut Vec<L>, each: usize) -> Duration {
    let before = server.thread_time().await;
    let mut going = JoinSet::new();
    for mut lane in lanes.drain(..) {
        going.spawn(async move {
            lane.go_on(each).await;
            lane
        });
    }
    lanes.extend(going.join_all().await);
    server.thread_time().await - before
}
