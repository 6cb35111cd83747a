//! Calling a guarded service: tokens and proofs are the channel's affair, and a
//! refusal has a reason that a program can act on.
//!
//! ```console
//! $ cargo run --example calling
//! ```

#![expect(
    clippy::print_stdout,
    reason = "a program to be watched: what it prints is what it shows"
)]

#[path = "shared/orders.rs"]
mod orders;

use countersign::error::v1::Reason;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, GetOrderRequest, PurgeOrdersRequest};
use countersign_client::outcome::Refused;
use countersign_testkit::{Platform, Problem, service_client};

#[tokio::main]
async fn main() -> Result<(), Problem> {
    // What an operator has done: a token service, a guarded service, a registration.
    let platform = Platform::start().await?;
    let (incoming, url) = orders::port()?;
    let guard = platform.guard(&url).await?;
    let guard = guard.descriptors(countersign::FILE_DESCRIPTOR_SET);
    orders::serve(incoming, &guard.connect().await?);
    platform
        .register_resource(&url, &["orders.read", "orders.write"])
        .await?;
    let checkout = service_client("checkout", &url, &["orders.write"]);
    let checkout = platform.register(checkout).await?;
    println!("token service {}, order service {url}", platform.url());

    // What a caller writes.
    let countersign = countersign_client::Builder::new(platform.url())
        .client("checkout", checkout.credential())
        .connect()
        .await?;
    println!(
        "checkout's proofs are signed by the key {}",
        countersign.thumbprint()
    );
    let channel = countersign
        .channel(&url)
        .scopes(["orders.write"])
        .connect()
        .await?;
    let mut stub = OrderServiceClient::new(channel);

    // The first call fetches a token; each has a proof of its own.
    for item in ["tea", "biscuits"] {
        let wanted = CreateOrderRequest {
            item: item.to_owned(),
        };
        let order = stub
            .create_order(wanted)
            .await?
            .into_inner()
            .order
            .unwrap_or_default();
        println!("{}: {} for {}", order.order_id, order.item, order.owner);
    }

    // What it may not do is refused with a reason.
    let wanted = GetOrderRequest {
        order_id: "order-1".to_owned(),
    };
    explain("GetOrder", stub.get_order(wanted).await)?;
    explain(
        "PurgeOrders",
        stub.purge_orders(PurgeOrdersRequest {}).await,
    )
}

/// What to do about a refusal is read off its reason, never off its text.
fn explain<T>(method: &str, answer: Result<T, tonic::Status>) -> Result<(), Problem> {
    let status = answer.err().ok_or("this should have been refused")?;
    let refused = Refused::of(&status).ok_or("this is no refusal of the guard's")?;
    let what_next = match refused.reason {
        Reason::ScopeInsufficient => format!("ask for {}", refused.scopes_missing.join(" ")),
        Reason::MethodNotAllowed => "nobody may: the method has no rule".to_owned(),
        other => return Err(format!("{method}: {}", other.as_str_name()).into()),
    };
    println!(
        "{method} refused, {}: {what_next}",
        refused.reason.as_str_name()
    );
    Ok(())
}
