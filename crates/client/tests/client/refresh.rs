//! A refresh token's family.

use std::sync::Arc;
use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign_client::TokenError;
use parking_lot::Mutex;

use crate::stand::{Stand, Step};

fn presented(stand: &Stand) -> Vec<String> {
    let rotated = stand.tokens.rotate.lock();
    rotated
        .iter()
        .map(|asked| asked.refresh_token.clone())
        .collect()
}

#[tokio::test]
async fn the_newest_is_kept_and_told() {
    let stand = Stand::start().await;
    let stored = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&stored);
    let family = stand
        .countersign
        .refresh_token("r")
        .on_rotation(Arc::new(move |newest| {
            told.lock().push(newest.expose().to_owned())
        }));
    let other = family.clone();
    let (one, two) = tokio::join!(family.rotate(), other.rotate());
    one.unwrap();
    two.unwrap();
    // One after the other, and nothing presented twice.
    assert_eq!(presented(&stand), ["r", "r+"]);
    assert_eq!(*stored.lock(), ["r+", "r++"]);
    assert_eq!(family.newest().await.expose(), "r++");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_token() {
    let stand = Stand::start().await;
    stand.tokens.script.then([Step::Away, Step::Away]);
    let family = stand.countersign.refresh_token("r");
    let issued = family.rotate().await.unwrap();
    assert_eq!(presented(&stand), ["r", "r", "r"]);
    assert_eq!(issued.refresh_token.unwrap().expose(), "r+");
    let sent = stand.tokens.script.sent.lock().clone();
    assert_ne!(sent[0].proof["jti"], sent[1].proof["jti"]);

    stand
        .tokens
        .script
        .then([Step::Away, Step::Away, Step::Away]);
    assert!(matches!(
        family.rotate().await,
        Err(TokenError::Unavailable(_))
    ));
    assert_eq!(family.newest().await.expose(), "r+", "still the newest");
}

#[tokio::test]
async fn a_token_service_that_asks_for_time_gets_it_or_is_left_alone() {
    let stand = Stand::start().await;
    let family = stand.countersign.refresh_token("r");
    let pause = Duration::from_millis(1_200);
    stand.tokens.script.then([Step::Shed(pause)]);
    let began = std::time::Instant::now();
    family.rotate().await.unwrap();
    assert!(began.elapsed() >= pause);
    assert_eq!(presented(&stand), ["r", "r"]);

    let hour = Duration::from_secs(3_600);
    stand.tokens.script.then([Step::Shed(hour)]);
    let error = family.rotate().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(hour));
    assert_eq!(presented(&stand), ["r", "r", "r+"], "asked once");
}

#[tokio::test]
async fn a_refusal_is_final() {
    let stand = Stand::start().await;
    stand.tokens.script.then([Step::Fail(Reason::GrantInvalid)]);
    let refused = stand.countersign.refresh_token("r").rotate().await;
    assert!(
        matches!(refused, Err(TokenError::Refused(why, _)) if why.reason == Reason::GrantInvalid)
    );
    assert_eq!(presented(&stand), ["r"]);
}

#[tokio::test]
async fn a_channel_calls_in_the_familys_name() {
    let stand = Stand::start().await;
    let family = stand.countersign.refresh_token("r");
    let channel = stand
        .countersign
        .channel(&stand.orders_url)
        .scopes(["orders.read"])
        .refresh_token(family.clone())
        .connect()
        .await
        .unwrap();
    let mut orders = OrderServiceClient::new(channel);
    for _ in 0..3 {
        orders
            .create_order(CreateOrderRequest::default())
            .await
            .unwrap();
    }
    assert_eq!(presented(&stand), ["r"]);
    let asked = stand.tokens.rotate.lock()[0].clone();
    assert_eq!(asked.scopes, ["orders.read"]);
    assert_eq!(asked.resources, [stand.orders_url.as_str()]);
    stand.clock.advance(300);
    orders
        .create_order(CreateOrderRequest::default())
        .await
        .unwrap();
    assert_eq!(family.newest().await.expose(), "r++");
}

/// The token service has rotated, and the caller does not wait for its answer.
#[tokio::test]
async fn a_caller_that_gives_up_loses_no_successor() {
    let stand = Stand::start().await;
    let slow = Step::After(Duration::from_millis(200));
    stand.tokens.script.then([slow]);
    let family = stand.countersign.refresh_token("r");
    let moment = Duration::from_millis(50);
    let given_up = tokio::time::timeout(moment, family.rotate()).await;
    assert!(given_up.is_err());
    family.rotate().await.unwrap();
    assert_eq!(presented(&stand), ["r", "r+"]);
}
