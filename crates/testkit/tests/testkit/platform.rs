//! The token service in a test.

use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, WatchOrdersRequest};
use countersign_client::outcome::Refused;
use countersign_testkit::{Platform, Problem};

use crate::orders::{guard_of, place, serve};

#[tokio::test]
async fn a_caller_calls_a_guarded_service() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    let (incoming, url) = place();
    let guard = guard_of(&platform, &url).await?;
    serve(incoming, &guard);

    // Of the same resource, with other scopes: it is registered once, and grows.
    let reader = platform.caller("reader", &url, &["orders.read"]).await?;
    let writer = platform.caller("writer", &url, &["orders.write"]).await?;
    let mut stub = OrderServiceClient::new(writer.channel(&url).connect().await?);
    let answer = stub.create_order(CreateOrderRequest::default()).await?;
    assert_eq!(answer.into_inner().order.unwrap().owner, "writer");
    let mut stub = OrderServiceClient::new(reader.channel(&url).connect().await?);
    stub.watch_orders(WatchOrdersRequest {}).await?;
    let refused = stub
        .create_order(CreateOrderRequest::default())
        .await
        .unwrap_err();
    assert_eq!(
        Refused::of(&refused).unwrap().reason,
        Reason::ScopeInsufficient
    );
    Ok(())
}

/// Its guard knows what is revoked, as one in production does.
#[tokio::test]
async fn its_guards_watch() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    let (_, url) = place();
    let guard = guard_of(&platform, &url).await?;
    assert!(guard.knowledge().is_some_and(|knowledge| knowledge.live));
    // Another one of the same platform is another client.
    let second = guard_of(&platform, &url).await?;
    assert!(second.knowledge().is_some_and(|knowledge| knowledge.live));
    Ok(())
}

#[tokio::test]
async fn a_name_is_given_once() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    platform
        .caller("checkout", "https://orders.test", &["orders.read"])
        .await?;
    let again = platform
        .caller("checkout", "https://orders.test", &["orders.read"])
        .await;
    assert!(again.is_err());
    Ok(())
}
