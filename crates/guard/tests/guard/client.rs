//! Our own client in front of our own guard.

use std::sync::Arc;
use std::time::Duration;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, ExchangeOrdersRequest, GetOrderRequest};
use countersign_client::clock::Clock;
use countersign_client::layer::{DpopLayer, DpopService};
use countersign_client::source::{AccessToken, GivenToken};
use countersign_dpop::{Minter, Origin};
use countersign_guard::NonceMode;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use tower_layer::Layer as _;

use crate::stand::{ORIGIN, Stand, es256};

/// The client, whose clock is `behind` the guard's.
fn client(stand: &Stand, behind: Duration) -> OrderServiceClient<DpopService<Channel>> {
    struct Behind(Arc<crate::stand::TestClock>, Duration);
    impl Clock for Behind {
        fn now(&self) -> countersign_jose::UnixTime {
            self.0.now().minus(self.1)
        }
    }
    let clock = Arc::new(Behind(Arc::clone(&stand.clock), behind));
    let now = clock.now();
    let hour = Duration::from_secs(3600);
    let token = AccessToken::new(&stand.token(), Vec::new(), hour, now).unwrap();
    let minter = Arc::new(Minter::new(Arc::new(es256(2))));
    let layer = DpopLayer::new(minter, Origin::parse(ORIGIN).unwrap(), clock)
        .tokens(Arc::new(GivenToken::new(token)));
    let channel = Channel::from_shared(stand.address.clone()).unwrap();
    OrderServiceClient::new(layer.layer(channel.connect_lazy()))
}

#[tokio::test]
async fn a_cold_start_goes_unnoticed() {
    let stand = Stand::with(|builder| builder).await;
    let mut orders = client(&stand, Duration::ZERO);
    for _ in 0..300 {
        orders
            .create_order(CreateOrderRequest::default())
            .await
            .unwrap();
        stand.clock.advance(Duration::from_millis(900));
    }
}

#[tokio::test]
async fn nonces_are_replaced_before_they_expire() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Always)).await;
    let mut orders = client(&stand, Duration::ZERO);
    for _ in 0..25 {
        orders
            .create_order(CreateOrderRequest::default())
            .await
            .unwrap();
        stand.clock.advance(Duration::from_secs(11));
    }
}

#[tokio::test]
async fn a_wrong_clock_does_not_matter() {
    let stand = Stand::with(|builder| builder).await;
    stand.clock.advance(Duration::from_secs(100));
    let mut orders = client(&stand, Duration::from_secs(3000));
    for _ in 0..3 {
        orders
            .create_order(CreateOrderRequest::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_conversation_begins_with_a_challenge() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Always)).await;
    let asks = tokio_stream::iter(vec![ExchangeOrdersRequest::default(); 10]);
    let mut orders = client(&stand, Duration::ZERO);
    let answers = orders.exchange_orders(asks).await.unwrap().into_inner();
    assert_eq!(answers.collect::<Vec<_>>().await.len(), 10);
}

/// What a handler passes on from a guard further down runs it once.
#[tokio::test]
async fn a_handlers_error_is_not_retried() {
    let stand = Stand::start().await;
    let mut orders = client(&stand, Duration::ZERO);
    let order_id = "pass-on".to_owned();
    let error = orders
        .get_order(GetOrderRequest { order_id })
        .await
        .unwrap_err();
    assert_eq!(error.message(), "from further down");
    assert_eq!(stand.guard.counts().ledger_entries, 1);
}
