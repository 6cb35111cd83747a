//! Chapter two: a token bound to a key, and a guarded call that is accepted.

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, Order};
use countersign_client::{Builder, Credential, Secret};
use tonic::Response;

use super::registration::Cast;
use super::stage::{Stage, fingerprint, short};
use super::world::World;
use crate::exit::Failure;

/// Plays both; the token comes back.
pub(crate) async fn play(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
) -> Result<String, Failure> {
    stage.chapter("A token bound to a key, and a guarded call")?;
    let token = issue(stage, world, cast).await?;
    guarded_call(stage, world, cast).await?;
    Ok(token)
}

async fn issue(stage: &mut Stage<'_>, world: &World, cast: &Cast) -> Result<String, Failure> {
    let checkout = &cast.checkout;
    let issued = world
        .issue_own(checkout, "orders.write", world.order_service())
        .await?;
    let issued = stage.accepted(
        "`checkout` asks for a token: its secret, a proof by its key, one scope",
        issued,
        |issued| {
            format!(
                "issued: {} token {} for {}, bound to key {}, lives {} s",
                issued.token_type,
                fingerprint(&issued.access_token),
                issued.scopes.join(" "),
                short(&checkout.prover().jkt()),
                issued.expires_in.map_or(0, |span| span.seconds),
            )
        },
    )?;
    stage.holds(
        "its type is DPoP: it is of no use without proofs by that key",
        issued.token_type == "DPoP",
    )?;
    Ok(issued.access_token)
}

/// As a service does it: the client layer fetches the token and signs the proofs.
async fn guarded_call(stage: &mut Stage<'_>, world: &World, cast: &Cast) -> Result<(), Failure> {
    let fault = |cause: String| Failure::internal(format!("the client layer: {cause}"));
    let checkout = &cast.checkout;
    let secret = checkout
        .secret()
        .ok_or_else(|| Failure::internal("`checkout` has no secret"))?;
    let countersign = Builder::new(world.token_service())
        .client(
            checkout.id(),
            Credential::ClientSecret(Secret::from(secret.to_owned())),
        )
        .connect()
        .await
        .map_err(|cause| fault(cause.to_string()))?;
    let channel = countersign
        .channel(world.order_service())
        .scopes(["orders.write"])
        .connect()
        .await
        .map_err(|cause| fault(cause.to_string()))?;
    let mut orders = OrderServiceClient::new(channel);
    for item in ["tea", "biscuits"] {
        let placed = orders
            .create_order(CreateOrderRequest {
                item: item.to_owned(),
            })
            .await
            .map(Response::into_inner);
        let placed = stage.accepted(
            &format!("`checkout` calls CreateOrder for {item}, through the client layer"),
            placed,
            |placed| told(placed.order.as_ref()),
        )?;
        stage.holds(
            "the handler knew from its permit that the order is `checkout`'s",
            placed
                .order
                .is_some_and(|order| order.owner == checkout.id()),
        )?;
    }
    Ok(())
}

fn told(order: Option<&Order>) -> String {
    order.map_or_else(
        || "nothing".to_owned(),
        |order| format!("{} for {} was placed", order.order_id, order.item),
    )
}
