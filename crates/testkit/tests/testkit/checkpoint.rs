//! Permits by the real guard, for handlers' tests.

use std::sync::Arc;
use std::time::Duration;

use countersign::FILE_DESCRIPTOR_SET;
use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::OrderService as _;
use countersign::example::v1::{CreateOrderRequest, GetOrderRequest, WatchOrdersRequest};
use countersign_client::clock::Clock as _;
use countersign_client::outcome::Refused;
use countersign_client::source::BoxFuture;
use countersign_guard::{BuildError, RevocationSource, Revocations, WatchFailed};
use countersign_testkit::{Caller, Checkpoint};
use tonic::Status;

use crate::orders::{CREATE, GET, Orders, PING};

async fn checkpoint() -> Checkpoint {
    Checkpoint::of(FILE_DESCRIPTOR_SET).await.unwrap()
}

fn reason(status: &Status) -> Reason {
    Refused::of(status)
        .unwrap_or_else(|| panic!("not a refusal of the guard: {status:?}"))
        .reason
}

#[tokio::test]
async fn a_permit_says_what_the_token_says() {
    let checkpoint = checkpoint().await;
    let ann = checkpoint
        .caller("desk")
        .subject("ann")
        .scopes(["orders.read", "orders.write"])
        .claim("fam", "family-1");
    let permit = ann.permit(GET).await.unwrap();
    assert_eq!(permit.client_id(), "desk");
    assert_eq!(permit.subject(), "ann");
    assert_eq!(
        Vec::from_iter(permit.scopes()),
        ["orders.read", "orders.write"]
    );
    assert_eq!(permit.family(), Some("family-1"));
    assert_eq!(permit.audience(), "https://service.test");
}

#[tokio::test]
async fn a_handler_is_called_with_its_request() {
    let checkpoint = checkpoint().await;
    let desk = checkpoint.caller("desk").scopes(["orders.read"]);
    let orders = Orders::default();
    let ask = |who: Caller| async move { who.request(GET, GetOrderRequest::default()).await };
    let ann = ask(desk.clone().subject("ann")).await.unwrap();
    assert!(orders.get_order(ann).await.is_ok());
    let bob = ask(desk.subject("bob")).await.unwrap();
    let refused = orders.get_order(bob).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::NotOwner);
}

/// What the guard refuses gets no permit, so no test can have one that
/// production would not give.
#[tokio::test]
async fn nobody_gets_a_permit_that_the_guard_would_not_give() {
    let checkpoint = checkpoint().await;
    let good = checkpoint.caller("desk").scopes(["orders.read"]);
    let expired = checkpoint.clock();
    let rows: [(&str, &str, Caller, Reason); 8] = [
        (
            "another scope",
            CREATE,
            good.clone(),
            Reason::ScopeInsufficient,
        ),
        (
            "no scope",
            GET,
            good.clone().without("scope"),
            Reason::ScopeInsufficient,
        ),
        ("no rule", "/a.B/C", good.clone(), Reason::MethodNotAllowed),
        (
            "unbound",
            GET,
            good.clone().without("cnf"),
            Reason::TokenInvalid,
        ),
        (
            "no subject",
            GET,
            good.clone().without("sub"),
            Reason::TokenInvalid,
        ),
        (
            "another audience",
            GET,
            good.clone().claim("aud", "https://elsewhere.test"),
            Reason::TokenInvalid,
        ),
        (
            "another issuer",
            GET,
            good.clone().claim("iss", "https://elsewhere.test"),
            Reason::TokenInvalid,
        ),
        (
            "over",
            GET,
            good.clone().claim("exp", 1),
            Reason::TokenExpired,
        ),
    ];
    for (row, method, caller, expected) in rows {
        let refused = caller.permit(method).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{row}: {refused:?}");
    }
    assert!(good.permit(GET).await.is_ok());
    expired.advance(Duration::from_secs(300));
    let refused = good.permit(GET).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::TokenExpired);
    assert!(good.renewed().permit(GET).await.is_ok());
}

#[tokio::test]
async fn a_public_method_gives_no_permit() {
    let ann = checkpoint().await.caller("desk");
    let none = ann.permit(PING).await.unwrap_err();
    assert_eq!(
        reason(&none),
        Reason::Internal,
        "as the handler would see it"
    );
}

#[tokio::test]
async fn a_revoked_token_is_refused_and_its_streams_end() {
    let checkpoint = checkpoint().await;
    let ann = checkpoint.caller("desk").scopes(["orders.read"]);
    let other = checkpoint.caller("desk").scopes(["orders.read"]);
    let mut stub = OrderServiceClient::new(ann.calls(Orders::server()));
    let answer = stub.watch_orders(WatchOrdersRequest {}).await.unwrap();
    let mut stream = answer.into_inner();
    stream.message().await.unwrap().unwrap();

    checkpoint.revoke(&ann).await.unwrap();
    let end = stream.message().await.unwrap_err();
    assert_eq!(reason(&end), Reason::TokenRevoked);
    let refused = ann.permit(GET).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::TokenRevoked);
    assert!(other.permit(GET).await.is_ok(), "the other token lives");
}

/// The second time the guard has nothing to take, and nobody waits for it. Another
/// token's revocation is not taken for this one's.
#[tokio::test]
async fn revoking_again_changes_nothing() {
    let checkpoint = checkpoint().await;
    let callers = ["ann", "bob"].map(|name| checkpoint.caller(name).scopes(["orders.read"]));
    let [ann, bob] = &callers;
    for _ in 0..2 {
        let (one, other, again) = tokio::join!(
            checkpoint.revoke(ann),
            checkpoint.revoke(bob),
            checkpoint.revoke(ann)
        );
        one.and(other).and(again).unwrap();
        assert_eq!(checkpoint.guard().counts().revocations, 2);
        for caller in &callers {
            let refused = caller.permit(GET).await.unwrap_err();
            assert_eq!(reason(&refused), Reason::TokenRevoked);
        }
    }
    assert!(ann.clone().renewed().permit(GET).await.is_ok());
}

/// Even a token that outlives all others.
#[tokio::test]
async fn a_revoked_token_does_not_come_back() {
    let checkpoint = checkpoint().await;
    let day = Duration::from_secs(24 * 3600);
    let end = checkpoint.clock().now().plus(3 * day).as_secs();
    let ann = checkpoint.caller("ann").scopes(["orders.read"]);
    let ann = ann.claim("exp", end);
    checkpoint.revoke(&ann).await.unwrap();
    checkpoint.clock().advance(day);
    // The guard looks for what it may forget when it hears of something.
    let other = checkpoint.caller("bob");
    checkpoint.revoke(&other).await.unwrap();
    let refused = ann.permit(GET).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::TokenRevoked);
}

/// Nobody waits for what cannot come.
#[tokio::test]
async fn what_cannot_be_revoked_is_said_at_once() {
    struct Deaf;
    impl RevocationSource for Deaf {
        fn watch(&self, _: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
            let unavailable = WatchFailed::Unavailable("deaf".to_owned());
            Box::pin(std::future::ready(Err(unavailable)))
        }
    }
    let nameless = checkpoint().await;
    let nobody = nameless.caller("ann").without("jti");
    let error = nameless.revoke(&nobody).await.unwrap_err();
    assert!(error.to_string().contains("without a jti"), "{error}");

    let deaf = Checkpoint::with(|guard| {
        guard
            .descriptors(FILE_DESCRIPTOR_SET)
            .revocation_source(Arc::new(Deaf))
    });
    let deaf = deaf.await.unwrap();
    let error = deaf.revoke(&deaf.caller("ann")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("was its revocation source replaced?"),
        "{error}"
    );
}

#[tokio::test]
async fn a_stub_calls_the_service_behind_the_guard() {
    let checkpoint = checkpoint().await;
    let checkout = checkpoint.caller("checkout").scopes(["orders.write"]);
    let mut stub = OrderServiceClient::new(checkout.calls(Orders::server()));
    for _ in 0..3 {
        let answer = stub
            .create_order(CreateOrderRequest::default())
            .await
            .unwrap();
        assert_eq!(answer.into_inner().order.unwrap().owner, "checkout");
    }
    let refused = stub
        .get_order(GetOrderRequest::default())
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), Reason::ScopeInsufficient);
}

#[tokio::test]
async fn wrong_rules_are_refused_as_the_guard_refuses_them() {
    let error = Checkpoint::with(|guard| guard).await.unwrap_err();
    assert!(matches!(error, BuildError::NoRules), "{error}");
}
