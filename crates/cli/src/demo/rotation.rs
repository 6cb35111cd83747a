//! Chapter five: a refresh token is rotated, an answer is lost, a token stolen.

use countersign::error::v1::Reason;
use countersign::introspection::v1::IntrospectTokenResponse;
use countersign::token::v1::{IssueTokenResponse, RotateTokenResponse};

use super::registration::Cast;
use super::stage::{Stage, fingerprint};
use super::world::World;
use crate::exit::Failure;

/// Plays with the refresh token that `desk` was issued.
pub(crate) async fn play(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    issued: IssueTokenResponse,
) -> Result<(), Failure> {
    stage.chapter("A refresh token: rotated, its answer lost, then stolen")?;
    let first = issued.refresh_token;
    let second = rotate(
        stage,
        world,
        cast,
        "`desk` rotates its refresh token",
        &first,
    )
    .await?;
    lost_answer(stage, world, cast, &first, &second.refresh_token).await?;
    let third = rotate(
        stage,
        world,
        cast,
        "`desk` rotates the successor, and is two ahead of the first",
        &second.refresh_token,
    )
    .await?;
    stolen(stage, world, cast, &first, &third).await
}

async fn rotate(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    step: &str,
    refresh_token: &str,
) -> Result<RotateTokenResponse, Failure> {
    let desk = &cast.desk;
    let rotated = world.rotate(desk, desk.prover(), refresh_token).await?;
    let rotated = stage.accepted(step, rotated, |rotated| {
        format!(
            "{} is spent; its successor is {}",
            fingerprint(refresh_token),
            fingerprint(&rotated.refresh_token)
        )
    })?;
    stage.holds(
        "that is another token",
        rotated.refresh_token != refresh_token,
    )?;
    Ok(rotated)
}

async fn lost_answer(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    first: &str,
    second: &str,
) -> Result<(), Failure> {
    let desk = &cast.desk;
    let again = world.rotate(desk, desk.prover(), first).await?;
    let again = stage.accepted(
        "the answer was lost: `desk` asks again, with the same key, within 10 s",
        again,
        |again| format!("answered with {}", fingerprint(&again.refresh_token)),
    )?;
    stage.holds(
        "it is the same successor: nobody was locked out, nothing was issued twice",
        again.refresh_token == second,
    )
}

async fn stolen(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    first: &str,
    newest: &RotateTokenResponse,
) -> Result<(), Failure> {
    let own = world
        .issue_own(&cast.orders, "introspect", world.issuer())
        .await?;
    let own = stage
        .accepted("`orders` gets a token with introspect", own, |own| {
            format!("issued: DPoP token {}", fingerprint(&own.access_token))
        })?
        .access_token;
    introspect(stage, world, cast, &own, &newest.access_token, true).await?;

    let desk = &cast.desk;
    let reused = world.rotate(desk, desk.prover(), first).await?;
    stage.refused(
        "somebody presents the first refresh token, two generations old",
        reused,
        Reason::GrantInvalid,
        "an old token in use means theft: the family is revoked",
    )?;

    introspect(stage, world, cast, &own, &newest.access_token, false).await?;
    let dead = world
        .rotate(desk, desk.prover(), &newest.refresh_token)
        .await?;
    stage.refused(
        "the newest refresh token is presented",
        dead,
        Reason::GrantInvalid,
        "it died with its family",
    )
}

async fn introspect(
    stage: &mut Stage<'_>,
    world: &World,
    cast: &Cast,
    own: &str,
    token: &str,
    active: bool,
) -> Result<(), Failure> {
    let told = world.introspect(&cast.orders, own, token).await?;
    let told = stage.accepted(
        "`orders` introspects the newest access token of the family",
        told,
        |told| match told.active {
            true => format!("active: {} through `{}`", told.sub, told.client_id),
            false => "not active".to_owned(),
        },
    )?;
    let whole = match active {
        true => told.active && !told.sub.is_empty(),
        // Nothing but the word may come back (RFC 7662 §2.2).
        false => told == IntrospectTokenResponse::default(),
    };
    stage.holds(
        match active {
            true => "a live family's token is active",
            false => "a dead family's token is not, and nothing else is said of it",
        },
        whole,
    )
}
