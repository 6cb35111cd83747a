//! A stream ends also where its caller reads nothing: its handler goes at the end, and
//! so does its place, whoever keeps the connection.

use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::{ExchangeOrdersRequest, ImportOrdersRequest, WatchOrdersRequest};
use countersign_client::outcome::Refused;
use countersign_guard::RevokedTarget;
use tonic::{Request, Status, Streaming};

use super::player::PLAY;
use super::pressure::{SOON, at_rest};
use super::{Side, shown};
use crate::revocation;
use crate::stand::Stand;

/// Ends all streams that are there.
type End<'a> = &'a dyn Fn();

/// Why it ended, told to who asks at last.
fn tells(status: &Status, reason: Reason) {
    let refused = Refused::of(status).unwrap_or_else(|| panic!("{status:?}"));
    assert_eq!(refused.reason, reason);
}

fn request<T>(side: &Side<'_>, secs: u64, method: &str, play: &str, message: T) -> Request<T> {
    let mut request = shown(side.stand.unwrap(), method, secs, message);
    request.metadata_mut().insert(PLAY, play.parse().unwrap());
    request
}

/// Nothing is read until the handler is gone; then everything.
async fn ends_unread<T>(side: &Side<'_>, mut stream: Streaming<T>, end: End<'_>, reason: Reason) {
    at_rest(|| side.played.produced()).await;
    end();
    side.rests().await;
    let status = tokio::time::timeout(SOON, async {
        loop {
            match stream.message().await {
                Ok(more) => assert!(more.is_some(), "it ends with a reason"),
                Err(status) => return status,
            }
        }
    });
    tells(&status.await.unwrap(), reason);
}

/// Of all kinds, whose tokens live `secs`.
async fn all_end(stand: &Stand, secs: u64, end: End<'_>, reason: Reason) {
    let side = Side::start(Some(stand), None);
    let mut client = side.client();
    let watch = request(&side, secs, "WatchOrders", "forever", WatchOrdersRequest {});
    let orders = client.watch_orders(watch).await.unwrap().into_inner();
    ends_unread(&side, orders, end, reason).await;

    let asks = tokio_stream::pending::<ExchangeOrdersRequest>();
    let exchange = request(&side, secs, "ExchangeOrders", "forever", asks);
    let orders = client.exchange_orders(exchange).await.unwrap().into_inner();
    ends_unread(&side, orders, end, reason).await;

    let asks = tokio_stream::pending::<ImportOrdersRequest>();
    let import = request(&side, secs, "ImportOrders", "reads nothing", asks);
    let import = tokio::spawn(async move { client.import_orders(import).await });
    side.begins().await;
    end();
    side.rests().await;
    let answer = tokio::time::timeout(SOON, import).await.unwrap().unwrap();
    tells(&answer.unwrap_err(), reason);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends_with_its_token() {
    let stand = Stand::start().await;
    all_end(&stand, 2, &|| {}, Reason::TokenExpired).await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends_at_the_age_that_is_allowed() {
    let age = Duration::from_secs(1);
    let (stand, _source) = revocation::stand(|builder| builder.stream_age_max(age)).await;
    all_end(&stand, 300, &|| {}, Reason::StreamTooOld).await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends_when_its_token_is_revoked() {
    let (stand, source) = revocation::stand(|builder| builder).await;
    // Later ones are of later tokens.
    let end = || {
        let target = RevokedTarget::Client("checkout".to_owned());
        source.revoke(target, revocation::now(&stand));
        stand.clock.advance(Duration::from_secs(10));
    };
    all_end(&stand, 300, &end, Reason::TokenRevoked).await;
}
