//! A channel that is warm before its first call, or says why it is not.

use countersign::error::v1::Reason;
use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign_client::{Builder, Credential, TokenError, WarmError};

use crate::stand::{Stand, Step};

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn a_warm_channel_has_its_token() {
    let stand = Stand::start().await;
    let channel = stand.countersign.channel(&stand.orders_url).warm();
    let mut orders = OrderServiceClient::new(channel.await.unwrap());
    assert_eq!(stand.tokens.script.calls(), 1);
    assert_eq!(stand.orders.calls(), 0, "nothing is called");
    let asked = CreateOrderRequest::default();
    orders.create_order(asked).await.unwrap();
    assert_eq!(stand.tokens.script.calls(), 1);
    let counts = stand.countersign.counts();
    assert_eq!((counts.waited, counts.at_hand), (1, 1));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let stand = Stand::start().await;
    let refused = Step::Fail(Reason::ClientAuthenticationFailed);
    stand.tokens.script.then([refused]);
    let error = stand.countersign.channel(&stand.orders_url).warm();
    let error = error.await.unwrap_err();
    assert!(
        matches!(&error, WarmError::Token(TokenError::Refused(why, _)) if why.reason == Reason::ClientAuthenticationFailed),
        "{error}"
    );

    let error = stand.countersign.channel(NOBODY).warm().await.unwrap_err();
    assert!(matches!(error, WarmError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(NOBODY), "{text}");
    assert!(text.contains("efused"), "it says what happened: {text}");

    let error = stand.countersign.channel("http://10.0.0.1:1").warm();
    let error = error.await.unwrap_err();
    assert!(matches!(error, WarmError::Configuration(_)), "{error}");

    let alone = Builder::new(NOBODY)
        .client("checkout", Credential::ClientSecret("s3cret".into()))
        .connect()
        .await
        .unwrap();
    let error = alone.channel(&stand.orders_url).warm().await.unwrap_err();
    assert!(
        matches!(error, WarmError::Token(TokenError::Unavailable(_))),
        "{error}"
    );
    assert!(error.to_string().contains("token service"), "{error}");
}
