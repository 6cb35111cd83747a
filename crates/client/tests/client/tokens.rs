//! Tokens: one request however many callers wait, renewed ahead of time, used
//! while the token service is away.

use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::CreateOrderRequest;
use countersign::token::v1::issue_token_request::Grant;
use countersign_client::outcome::Refused;
use tokio::task::JoinSet;

use crate::stand::{Stand, Step, until};

#[tokio::test]
async fn fifty_callers_cause_one_request() {
    let stand = Stand::start().await;
    stand
        .tokens
        .script
        .then([Step::After(Duration::from_millis(200))]);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        // Channels of one audience and set of scopes share their tokens.
        let mut orders = stand.orders().await;
        calls.spawn(async move { orders.create_order(CreateOrderRequest::default()).await });
    }
    for outcome in calls.join_all().await {
        outcome.unwrap();
    }
    assert_eq!(stand.tokens.script.calls(), 1);
    let sent = stand.orders.sent.lock();
    let mut jtis: Vec<_> = sent.iter().map(|sent| sent.proof["jti"].clone()).collect();
    jtis.sort_by_key(|jti| jti.to_string());
    jtis.dedup();
    assert_eq!(jtis.len(), 50, "every call has a proof of its own");
    assert!(
        sent.iter()
            .all(|sent| sent.authorization.as_deref() == Some("DPoP token-1"))
    );
}

#[tokio::test]
async fn what_is_asked_for_and_what_is_proved() {
    let stand = Stand::start().await;
    stand.create().await.unwrap();
    let asked = stand.tokens.issue.lock()[0].clone();
    assert_eq!(asked.scopes, ["orders.write"]);
    assert_eq!(asked.resources, [stand.orders_url.as_str()]);
    assert!(matches!(asked.grant, Some(Grant::ClientCredentials(_))));

    let proof = stand.tokens.script.last().proof;
    assert_eq!(proof["htm"], "POST");
    let issue = "/countersign.token.v1.TokenService/IssueToken";
    assert_eq!(proof["htu"], format!("{}{issue}", stand.tokens_url));
    assert_eq!(proof.get("ath"), None);
    assert_eq!(stand.tokens.script.last().authorization, None);

    let proof = stand.orders.last().proof;
    let create = "/countersign.example.v1.OrderService/CreateOrder";
    assert_eq!(proof["htu"], format!("{}{create}", stand.orders_url));
    assert_eq!(
        proof["ath"],
        countersign_dpop::Ath::of("token-1").to_string()
    );
    assert_eq!(proof["iat"], 1_760_000_000);
}

#[tokio::test]
async fn other_scopes_are_another_token() {
    let stand = Stand::start().await;
    stand.create().await.unwrap();
    let channel = stand
        .countersign
        .channel(&stand.orders_url)
        .scopes(["orders.read"]);
    let channel = channel.connect().await.unwrap();
    let mut orders =
        countersign::example::v1::order_service_client::OrderServiceClient::new(channel);
    orders
        .create_order(CreateOrderRequest::default())
        .await
        .unwrap();
    assert_eq!(stand.tokens.script.calls(), 2);
    stand.create().await.unwrap();
    assert_eq!(stand.tokens.script.calls(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_in_the_background_before_half_of_its_life_is_over() {
    let stand = Stand::start().await;
    stand.create().await.unwrap();
    stand.clock.advance(89);
    stand.create().await.unwrap();
    settled().await;
    assert_eq!(stand.tokens.script.calls(), 1, "before 30 % of its life");
    stand.clock.advance(61);
    // The call that starts the renewal does not wait for it.
    stand
        .tokens
        .script
        .then([Step::After(Duration::from_millis(300))]);
    stand.create().await.unwrap();
    assert_eq!(stand.orders.last().authorization.unwrap(), "DPoP token-1");
    stand.create().await.unwrap();
    assert_eq!(stand.orders.last().authorization.unwrap(), "DPoP token-1");
    until("it is renewed", || stand.countersign.counts().renewed == 1).await;
    stand.create().await.unwrap();
    assert_eq!(stand.orders.last().authorization.unwrap(), "DPoP token-2");
    assert_eq!(stand.tokens.script.calls(), 2);
    let counts = stand.countersign.counts();
    assert_eq!((counts.fetched, counts.renewed, counts.failed), (1, 1, 0));
    assert_eq!((counts.waited, counts.at_hand), (1, 4));
}

#[tokio::test]
async fn while_the_token_service_is_away() {
    let stand = Stand::start().await;
    stand.create().await.unwrap();
    stand.clock.advance(241);
    stand.tokens.script.then([Step::Away, Step::Away]);
    for _ in 0..20 {
        stand.create().await.unwrap();
        settled().await;
    }
    assert_eq!(
        stand.tokens.script.calls(),
        2,
        "it is asked once, not on every call"
    );
    stand.clock.advance(59);
    let error = stand.create().await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::Unavailable);
    assert!(error.message().contains("try again later"), "{error}");
    // It is back, and is not asked again in the very moment.
    stand.create().await.unwrap_err();
    stand.clock.advance(1);
    stand.create().await.unwrap();
    assert_eq!(stand.orders.last().authorization.unwrap(), "DPoP token-2");
    let counts = stand.countersign.counts();
    assert_eq!((counts.fetched, counts.renewed, counts.failed), (2, 0, 2));
    assert_eq!(
        (counts.at_hand, counts.waited, counts.told_again),
        (20, 3, 1)
    );
    // The first of the twenty was what noticed.
    assert_eq!(counts.used_while_away, 19);
}

#[tokio::test]
async fn the_token_services_refusal_keeps_its_reason() {
    let stand = Stand::start().await;
    let refused = Step::Fail(Reason::ClientAuthenticationFailed);
    stand.tokens.script.then([refused]);
    let error = stand.create().await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::Unauthenticated);
    let refused = Refused::of(&error).unwrap();
    assert_eq!(refused.reason, Reason::ClientAuthenticationFailed);
    assert!(
        error.message().contains("the token service refused"),
        "{error}"
    );
    assert_eq!(stand.orders.calls(), 0);
}

#[tokio::test]
async fn a_bearer_token_is_an_error_and_no_downgrade() {
    let stand = Stand::start().await;
    stand.tokens.script.then([Step::OfType("Bearer")]);
    let error = stand.create().await.unwrap_err();
    assert!(error.message().contains("\"Bearer\""), "{error}");
    assert_eq!(stand.orders.calls(), 0);
    stand.tokens.script.then([Step::OfType("dpop")]);
    stand.create().await.unwrap();
}

/// What runs in the background has run.
async fn settled() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}
