//! Chapter three: what a thief, a careless caller and a stranger get.

use countersign::error::v1::Reason;
use countersign::example::v1::{
    CreateOrderRequest, GetOrderRequest, PingRequest, PurgeOrdersRequest,
};
use countersign_dpop::Target;
use tonic::{Request, Status};

use super::agent;
use super::registration::Cast;
use super::stage::Stage;
use super::world::World;
use crate::exit::Failure;
use crate::proven::{self, Prover};

/// Plays the attacks with a token that was issued to `checkout`.
pub(crate) async fn play(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    token: &str,
) -> Result<(), Failure> {
    stage.chapter("Attacks on the guarded service")?;
    another_key(stage, world, token).await?;
    same_proof_twice(stage, world, cast.checkout.prover(), token).await?;
    as_bearer(stage, world, token).await?;
    scope_not_held(stage, world, cast.checkout.prover(), token).await?;
    method_without_a_rule(stage, world, cast.checkout.prover(), token).await?;
    nothing_at_all(stage, world).await
}

async fn another_key(stage: &mut Stage<'_>, world: &World, token: &str) -> Result<(), Failure> {
    let thief = agent::stranger()?;
    let target = world.order_target("CreateOrder")?;
    let answer = thief
        .call(
            &target,
            Some(token),
            &order("stolen goods"),
            async |request| world.orders().create_order(request).await,
        )
        .await?;
    stage.refused(
        "a thief presents the token, with a proof by a key of his own",
        answer,
        Reason::TokenInvalid,
        "the token is bound to another key",
    )
}

async fn same_proof_twice(
    stage: &mut Stage<'_>,
    world: &World,
    prover: &Prover,
    token: &str,
) -> Result<(), Failure> {
    let target = world.order_target("CreateOrder")?;
    let (proof, answer) = proof_that_was_used(world, prover, &target, token).await?;
    stage.accepted("a call is overheard", answer, |()| {
        "the caller's own call went through".to_owned()
    })?;
    let replayed = proven::presenting(order("once more"), Some(("DPoP", token)), &proof)?;
    stage.refused(
        "the same token and the same proof are sent once more",
        world.orders().create_order(replayed).await,
        Reason::DpopProofReplayed,
        "a proof works once",
    )
}

/// Makes a call and tells which proof it carried.
async fn proof_that_was_used(
    world: &World,
    prover: &Prover,
    target: &Target,
    token: &str,
) -> Result<(String, Result<(), Status>), Failure> {
    let mut nonce = None;
    loop {
        let proof = prover.proof("POST", target, nonce.as_deref(), Some(token))?;
        let request = proven::presenting(order("coffee"), Some(("DPoP", token)), &proof)?;
        match world.orders().create_order(request).await {
            Err(status) if nonce.is_none() && proven::asks_for_nonce(&status) => {
                nonce = proven::nonce_of(&status);
                if nonce.is_none() {
                    return Ok((proof, Err(status)));
                }
            }
            answer => return Ok((proof, answer.map(drop))),
        }
    }
}

async fn as_bearer(stage: &mut Stage<'_>, world: &World, token: &str) -> Result<(), Failure> {
    let mut request = Request::new(order("without a proof"));
    let value = format!("Bearer {token}")
        .parse()
        .map_err(|_| Failure::internal("the token does not fit into metadata"))?;
    request.metadata_mut().insert("authorization", value);
    stage.refused(
        "the token is sent as Bearer, without a proof",
        world.orders().create_order(request).await,
        Reason::TokenInvalid,
        "a bound token is nobody's bearer token",
    )
}

async fn scope_not_held(
    stage: &mut Stage<'_>,
    world: &World,
    prover: &Prover,
    token: &str,
) -> Result<(), Failure> {
    let target = world.order_target("GetOrder")?;
    let request = GetOrderRequest {
        order_id: "order-1".to_owned(),
    };
    let answer = prover
        .call(&target, Some(token), &request, async |request| {
            world.orders().get_order(request).await
        })
        .await?;
    stage.refused(
        "`checkout` calls GetOrder, which asks for orders.read",
        answer,
        Reason::ScopeInsufficient,
        "its token holds orders.write alone",
    )
}

async fn method_without_a_rule(
    stage: &mut Stage<'_>,
    world: &World,
    prover: &Prover,
    token: &str,
) -> Result<(), Failure> {
    let target = world.order_target("PurgeOrders")?;
    let answer = prover
        .call(
            &target,
            Some(token),
            &PurgeOrdersRequest {},
            async |request| world.orders().purge_orders(request).await,
        )
        .await?;
    stage.refused(
        "`checkout` calls PurgeOrders, which has no rule",
        answer,
        Reason::MethodNotAllowed,
        "what nobody allowed is forbidden",
    )
}

async fn nothing_at_all(stage: &mut Stage<'_>, world: &World) -> Result<(), Failure> {
    stage.refused(
        "a stranger calls CreateOrder without token and proof",
        world.orders().create_order(order("a try")).await,
        Reason::CredentialsMissing,
        "the method asks for orders.write",
    )?;
    stage
        .accepted(
            "the stranger calls Ping, whose rule says public",
            world.orders().ping(PingRequest {}).await,
            |_| "anybody may".to_owned(),
        )
        .map(drop)
}

fn order(item: &str) -> CreateOrderRequest {
    CreateOrderRequest {
        item: item.to_owned(),
    }
}
