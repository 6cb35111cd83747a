//! One call, one more attempt where a guard asks for it, and no more.

use std::sync::Arc;
use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::{CreateOrderRequest, WatchOrdersRequest};
use countersign_client::outcome::Refused;
use parking_lot::Mutex;
use tonic::Request;
use tonic::body::Body;
use tower::ServiceExt as _;
use tower_layer::Layer as _;

use crate::leaving;
use crate::stand::{Stand, Step};

fn nonces(stand: &Stand) -> Vec<Option<String>> {
    let sent = stand.orders.sent.lock();
    let nonce = |proof: &serde_json::Value| proof["nonce"].as_str().map(str::to_owned);
    sent.iter().map(|sent| nonce(&sent.proof)).collect()
}

fn some(nonce: &str) -> Option<String> {
    Some(nonce.to_owned())
}

#[tokio::test]
async fn a_challenge_with_a_new_nonce() {
    let stand = Stand::start().await;
    let challenge = |nonce| Step::Refuse(Reason::DpopNonceRequired, Some(nonce));
    stand.orders.then([challenge("n1")]);
    stand.create().await.unwrap();
    stand.create().await.unwrap();
    assert_eq!(nonces(&stand), [None, some("n1"), some("n1")]);
    let sent = stand.orders.sent.lock().clone();
    assert_ne!(sent[0].proof["jti"], sent[1].proof["jti"]);
    assert_eq!(sent[0].authorization, sent[1].authorization);
    assert_eq!(stand.tokens.script.calls(), 1);
    // The token service has nonces of its own.
    assert_eq!(stand.tokens.script.last().proof.get("nonce"), None);
}

#[tokio::test]
async fn the_same_nonce_challenged_again() {
    let stand = Stand::start().await;
    let challenge = || Step::Refuse(Reason::DpopNonceRequired, Some("n1"));
    stand.orders.then([challenge(), challenge(), challenge()]);
    stand.create().await.unwrap_err();
    assert_eq!(nonces(&stand), [None, some("n1")], "one retry");
    stand.create().await.unwrap_err();
    assert_eq!(
        nonces(&stand).len(),
        3,
        "and none for a nonce that was sent"
    );
}

#[tokio::test]
async fn ever_new_nonces_cause_one_retry() {
    let stand = Stand::start().await;
    let challenge = |nonce| Step::Refuse(Reason::DpopNonceRequired, Some(nonce));
    stand
        .orders
        .then([challenge("n1"), challenge("n2"), challenge("n3")]);
    let refused = stand.create().await.unwrap_err();
    assert_eq!(
        Refused::of(&refused).unwrap().reason,
        Reason::DpopNonceRequired
    );
    assert_eq!(stand.orders.calls(), 2);
}

#[tokio::test]
async fn a_token_that_has_ended() {
    for reason in [Reason::TokenExpired, Reason::TokenRevoked] {
        let stand = Stand::start().await;
        stand
            .orders
            .then([Step::Answer, Step::Refuse(reason, None)]);
        stand.create().await.unwrap();
        stand.create().await.unwrap();
        let sent = stand.orders.sent.lock().clone();
        let tokens: Vec<_> = sent
            .iter()
            .map(|sent| sent.authorization.as_deref().unwrap())
            .collect();
        assert_eq!(tokens, ["DPoP token-1", "DPoP token-1", "DPoP token-2"]);
        assert_eq!(stand.tokens.script.calls(), 2);
        let refuse = || Step::Refuse(reason, None);
        stand.orders.then([refuse(), refuse(), refuse()]);
        stand.create().await.unwrap_err();
        assert_eq!(stand.orders.calls(), 5, "one retry");
        assert_eq!(stand.countersign.counts().refused, 3);
    }
}

/// The server's clock is ahead, or the client was revoked.
#[tokio::test]
async fn a_client_whose_tokens_are_all_refused_asks_for_few() {
    for reason in [Reason::TokenExpired, Reason::TokenRevoked] {
        let stand = Stand::start().await;
        let refuse = || Step::Refuse(reason, None);
        stand.orders.then((0..10_000).map(|_| refuse()));
        let mut orders = stand.orders().await;
        for n in 0..1_000 {
            let refused = orders.create_order(CreateOrderRequest::default()).await;
            let refused = refused.unwrap_err();
            assert_eq!(Refused::of(&refused).unwrap().reason, reason);
            let advice = "compare the clocks of the token service and this server";
            assert!(refused.message().contains(advice), "{n}: {refused}");
            if n % 10 == 9 {
                stand.clock.advance(1);
            }
        }
        let asked = stand.tokens.script.calls();
        assert!((3..=30).contains(&asked), "{asked} tokens for 1,000 calls");
        let sent = stand.orders.calls();
        assert!(sent <= 1_030, "{sent} attempts of 1,000 calls");
        assert_eq!(stand.countersign.counts().failed, 0);

        // Accepted again with the very next call. Once the token is renewed, what is refused is
        // replaced at once.
        stand.orders.steps.lock().clear();
        let mut is_replaced = false;
        for _ in 0..1_000 {
            stand.create().await.unwrap();
            stand.orders.then([refuse()]);
            is_replaced = stand.create().await.is_ok();
            if is_replaced {
                break;
            }
            stand.clock.advance(1);
        }
        assert!(is_replaced);
    }
}

/// One of two servers refuses every token: the other is called all the while.
#[tokio::test]
async fn a_server_that_refuses_every_token_keeps_nobody_from_the_other() {
    let stand = Stand::start().await;
    let expired = || Step::Refuse(Reason::TokenExpired, None);
    stand.orders.then([expired(), expired()]);
    stand.create().await.unwrap_err();
    for _ in 0..100 {
        // The token that the one has refused is good for the other.
        stand.create().await.unwrap();
        stand.orders.then([expired()]);
        stand.create().await.unwrap_err();
    }
    assert_eq!(stand.tokens.script.calls(), 2);
    assert_eq!(
        stand.orders.calls(),
        202,
        "none is sent again with the same token"
    );
}

/// After the token service was restored, a server that was restarted with it asks for a nonce, and
/// then says that the token from before is dead.
#[tokio::test]
async fn a_nonce_and_then_another_token() {
    let stand = Stand::start().await;
    let challenge = |nonce| Step::Refuse(Reason::DpopNonceRequired, Some(nonce));
    let revoked = || Step::Refuse(Reason::TokenRevoked, None);
    for (first, second) in [(challenge("n1"), revoked()), (revoked(), challenge("n2"))] {
        let before = stand.orders.calls();
        stand.orders.then([first, second]);
        stand.create().await.unwrap();
        assert_eq!(stand.orders.calls(), before + 3);
    }
    // Whoever goes on like that is left alone.
    let before = stand.orders.calls();
    let steps = ["n3", "n4", "n5"].map(|nonce| [challenge(nonce), revoked()]);
    stand.orders.then(steps.into_iter().flatten());
    stand.create().await.unwrap_err();
    assert_eq!(stand.orders.calls(), before + 3);
}

/// RFC 9113 §6.8: what GOAWAY refuses was not processed, and can be sent again.
#[tokio::test]
async fn what_goaway_refuses_is_sent_again() {
    let stand = Stand::start().await;
    let url = leaving::in_front_of(&stand.orders_url, leaving::How::Goaway).await;
    stand.create_at(&url).await.unwrap();
    assert_eq!(stand.orders.calls(), 1);
}

/// What a connection that breaks has left of a call, nobody knows.
#[tokio::test]
async fn what_a_broken_connection_leaves_is_not_sent_again() {
    let stand = Stand::start().await;
    let url = leaving::in_front_of(&stand.orders_url, leaving::How::Cut).await;
    stand.create_at(&url).await.unwrap_err();
    assert_eq!(stand.orders.calls(), 0);
}

#[tokio::test]
async fn other_refusals_are_answers() {
    let stand = Stand::start().await;
    let rows = [
        Step::Refuse(Reason::TokenInvalid, None),
        Step::Refuse(Reason::DpopProofInvalid, Some("n2")),
        Step::Refuse(Reason::DpopProofReplayed, None),
        Step::Refuse(Reason::CredentialsMissing, None),
        // A handler's own, or one that it passes on from further down.
        Step::Fail(Reason::DpopNonceRequired),
        Step::Fail(Reason::TokenExpired),
        Step::Away,
    ];
    for (calls, step) in rows.into_iter().enumerate() {
        stand.orders.then([step.clone()]);
        stand.create().await.unwrap_err();
        assert_eq!(stand.orders.calls(), calls + 1, "{step:?}");
    }
    assert_eq!(stand.tokens.script.calls(), 1);
}

/// gRPC takes response headers for a commitment: nothing is sent again after
/// them.
#[tokio::test]
async fn a_refusal_after_response_headers_is_an_answer() {
    let stand = Stand::start().await;
    stand
        .orders
        .then([Step::Refuse(Reason::DpopNonceRequired, Some("n1"))]);
    let mut orders = stand.orders().await;
    let mut watched = orders
        .watch_orders(WatchOrdersRequest {})
        .await
        .unwrap()
        .into_inner();
    watched.message().await.unwrap_err();
    assert_eq!(stand.orders.calls(), 1);
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_not_signed_for() {
    let stand = Stand::start().await;
    stand
        .tokens
        .script
        .then([Step::After(Duration::from_millis(300))]);
    let mut request = Request::new(CreateOrderRequest::default());
    request.set_timeout(Duration::from_millis(100));
    let error = stand
        .orders()
        .await
        .create_order(request)
        .await
        .unwrap_err();
    assert_eq!(error.code(), tonic::Code::DeadlineExceeded, "{error}");
    let reason = Refused::of(&error).unwrap().reason;
    assert_eq!(reason, Reason::DeadlinePassed);
    // The fetch went on without its caller.
    tokio::time::sleep(Duration::from_millis(400)).await;
    stand.create().await.unwrap();
    assert_eq!((stand.tokens.script.calls(), stand.orders.calls()), (1, 1));
}

/// What the other side is told is what is left, also on a second attempt.
#[tokio::test]
async fn metadata_are_sensitive_and_the_deadline_shrinks() {
    let stand = Stand::start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let server = tower::service_fn(move |request: http::Request<Body>| {
        record.lock().push(request.headers().clone());
        std::future::ready(Ok::<_, tonic::Status>(http::Response::new(())))
    });
    let layer = stand.countersign.layer("https://orders.test").unwrap();
    let layer = layer.tokens(stand.countersign.tokens(Vec::new(), Vec::new()));
    let mut request = http::Request::post("/a.B/C").body(Body::empty()).unwrap();
    let timeout = http::HeaderValue::from_static("1H");
    request.headers_mut().insert("grpc-timeout", timeout);
    layer.layer(server).oneshot(request).await.unwrap();
    let headers = seen.lock().pop().unwrap();
    assert!(headers["authorization"].is_sensitive());
    assert!(headers["dpop"].is_sensitive());
    let left = countersign_client::deadline::timeout(&headers).unwrap();
    assert!(left < Duration::from_secs(3600) && left > Duration::from_secs(3500));
}
