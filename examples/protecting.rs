//! Protecting a service: a guard in front of it, handlers that ask their permit,
//! and the attacks that come to nothing.
//!
//! ```console
//! $ cargo run --example protecting
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

#[path = "shared/orders.rs"]
mod orders;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, GetOrderRequest, PingRequest};
use countersign_client::Countersign;
use countersign_client::outcome::Refused;
use countersign_testkit::{Platform, Problem, service_client};

#[tokio::main]
async fn main() -> Result<(), Problem> {
    // What an operator has done: a token service, and a registration of the service
    // itself, which may watch revocations.
    let platform = Platform::start().await?;
    let (incoming, url) = orders::port()?;
    let watches = service_client("orders", platform.issuer(), &["revocations.watch"]);
    let registered = platform.register(watches).await?;

    // What a service writes. The rules stand in its .proto.
    let guard = countersign_guard::Builder::new(platform.url())
        .serve(&url) // the origin that clients call, and the resource it is
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .client("orders", registered.credential()) // who the guard is: it watches revocations
        .clock(platform.clock().clone()) // for the attacks below; leave it out
        .connect()
        .await?;
    orders::serve(incoming, &guard); // shared/orders.rs: the layer, and the handlers
    println!(
        "order service {url}, ready: {}",
        *guard.readiness().borrow()
    );

    // Two callers with the same scopes, and an order of one of them.
    let scopes = ["orders.read", "orders.write"];
    let ann = platform.caller("ann", &url, &scopes).await?;
    let bob = platform.caller("bob", &url, &scopes).await?;
    let wanted = CreateOrderRequest {
        item: "tea".to_owned(),
    };
    let placed = stub(&ann, &url)
        .await?
        .create_order(wanted)
        .await?
        .into_inner();
    let order = placed.order.unwrap_or_default();
    println!("ann placed {}", order.order_id);

    let wanted = GetOrderRequest {
        order_id: order.order_id,
    };
    let shown = stub(&ann, &url).await?.get_order(wanted.clone()).await?;
    let item = shown.into_inner().order.unwrap_or_default().item;
    println!("ann reads it: {item}");
    let refused = stub(&bob, &url).await?.get_order(wanted).await;
    println!("bob reads it: {}", reason(refused)?);

    // Everybody may call what is public, with or without a token.
    let mut stranger = OrderServiceClient::connect(url.clone()).await?;
    stranger.ping(PingRequest {}).await?;
    println!("a stranger's Ping is answered");

    // The same call in all the ways in which it must not succeed.
    let attacks = platform.attacks(&url, &["orders.write"]).await?;
    let repelled = attacks.play_all(async |calls| {
        let wanted = CreateOrderRequest {
            item: "loot".to_owned(),
        };
        OrderServiceClient::new(calls).create_order(wanted).await
    });
    for (attack, refused) in repelled.await? {
        println!("refused: {attack}: {}", refused.reason.as_str_name());
    }
    println!(
        "bearer tokens that should not have been: {}",
        guard.counts().bound_tokens_as_bearer
    );
    Ok(())
}

async fn stub(
    who: &Countersign,
    url: &str,
) -> Result<OrderServiceClient<countersign_client::GuardedChannel>, Problem> {
    Ok(OrderServiceClient::new(who.channel(url).connect().await?))
}

fn reason<T>(answer: Result<T, tonic::Status>) -> Result<&'static str, Problem> {
    let status = answer.err().ok_or("this should have been refused")?;
    let refused = Refused::of(&status).ok_or("this is no refusal of the guard's")?;
    Ok(refused.reason.as_str_name())
}
