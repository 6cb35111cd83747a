//! A stream is authorised when it opens, and ends with its token: here the token is
//! revoked, and the stream is over within a second. The handler knows nothing of it.
//!
//! ```console
//! $ cargo run --example streaming
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

#[path = "shared/orders.rs"]
mod orders;

use std::sync::Arc;

use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, WatchOrdersRequest};
use countersign_client::outcome::Refused;
use countersign_client::source::GivenToken;
use countersign_testkit::{Platform, Problem, service_client};
use tokio::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let platform = Platform::start().await?;
    let (incoming, url) = orders::port()?;

    // A guard with a client of its own is told what is revoked, as it is.
    let watches = service_client("orders", platform.issuer(), &["revocations.watch"]);
    let registered = platform.register(watches).await?;
    let guard = countersign_guard::Builder::new(platform.url())
        .serve(&url)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .client("orders", registered.credential())
        .connect()
        .await?;
    orders::serve(incoming, &guard);

    // A token that the program holds itself, so that it can have it revoked.
    let checkout = platform
        .caller("checkout", &url, &["orders.read", "orders.write"])
        .await?;
    let tokens = checkout.token_service();
    let issued = tokens.issue(&[], std::slice::from_ref(&url)).await?;
    let given = GivenToken::new(issued.access_token()?);
    let channel = checkout
        .channel(&url)
        .tokens(Arc::new(given))
        .connect()
        .await?;
    let mut stub = OrderServiceClient::new(channel);

    let opened = stub.watch_orders(WatchOrdersRequest {}).await?;
    let mut stream = opened.into_inner();
    println!(
        "the stream is open; open streams at the guard: {}",
        guard.counts().open_streams
    );
    for item in ["tea", "biscuits"] {
        let wanted = CreateOrderRequest {
            item: item.to_owned(),
        };
        stub.create_order(wanted).await?;
        let told = stream.message().await?.ok_or("the stream has ended")?;
        println!(
            "the stream tells of {}",
            told.order.unwrap_or_default().item
        );
    }

    let revoked = Instant::now();
    tokens.revoke(&issued.access_token).await?;
    println!("the token is revoked");
    let end = stream.message().await.err().ok_or("the stream goes on")?;
    let refused = Refused::of(&end).ok_or("the stream ended for another reason")?;
    if refused.reason != Reason::TokenRevoked {
        return Err(refused.reason.as_str_name().into());
    }
    println!(
        "{} ms later the stream has ended: {}",
        revoked.elapsed().as_millis(),
        refused.reason.as_str_name()
    );
    Ok(())
}
