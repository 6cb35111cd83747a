//! Two uses of one refresh token at once, and a use against a revocation.

use std::sync::Arc;

use countersign_client::random;
use countersign_testkit::Problem;
use tokio::join;

use super::control::{Faults, many, shown};
use crate::scale;
use crate::stage::{Stage, done};

/// Refresh tokens of one family that are raced for, one after the other.
const CHAIN: usize = 20;

/// Two racers with one key get the same successor, and the family moved once.
pub(crate) fn one_key_twice_at_once_gets_one_successor() -> Result<(), String> {
    shown(
        ("refresh tokens with two racers of one key", 1),
        one_key,
        scale::of(200, 10_000),
        CHAIN,
    )
}

async fn one_key(stage: Arc<Stage>, tokens: usize) -> Result<Faults, Problem> {
    let families = tokens.div_ceil(CHAIN);
    let mut faults = many(families, |_| chain(&stage)).await?;
    // Each family was written when it began, and once for each of its tokens.
    let (written, expected) = (stage.families_written(), families * (CHAIN + 1));
    if written != expected {
        faults.push(format!("{written} writes of families, not {expected}"));
    }
    Ok(faults)
}

async fn chain(stage: &Stage) -> Result<Faults, Problem> {
    let key = random::bytes()?;
    let (one, two) = (stage.shop(key).await?, stage.shop(key).await?);
    let (tokens_one, tokens_two) = (one.token_service(), two.token_service());
    let mut newest = stage.sign_in(&one).await?;
    let mut faults = Faults::new();
    for _ in 0..CHAIN {
        let (first, second) = join!(
            tokens_one.rotate(&newest, &[], &[]),
            tokens_two.rotate(&newest, &[], &[]),
        );
        let successors = [done(first)?, done(second)?].map(|issued| issued?.refresh_token);
        match successors {
            [Some(first), Some(second)] if first.expose() == second.expose() => newest = first,
            [Some(_), Some(_)] => faults.push("two distinct successors".to_owned()),
            _ => faults.push("a racer with the same key was refused".to_owned()),
        }
        if !faults.is_empty() {
            break;
        }
    }
    Ok(faults)
}

/// Of two racers with different keys, where the family goes with neither, one
/// wins, the other is reuse, and the family is dead.
pub(crate) fn of_two_keys_at_once_one_wins() -> Result<(), String> {
    shown(
        ("refresh tokens with two racers of two keys", 1),
        two_keys,
        scale::of(40, 1_000),
        8,
    )
}

async fn two_keys(stage: Arc<Stage>, tokens: usize) -> Result<Faults, Problem> {
    let (one, two) = (
        stage.shop(random::bytes()?).await?,
        stage.shop(random::bytes()?).await?,
    );
    many(tokens, |_| async {
        let token = stage.sign_in(&one).await?;
        let (tokens_one, tokens_two) = (one.token_service(), two.token_service());
        let (first, second) = join!(
            tokens_one.rotate(&token, &[], &[]),
            tokens_two.rotate(&token, &[], &[]),
        );
        let won = match (done(first)?, done(second)?) {
            (Some(won), None) | (None, Some(won)) => won,
            (Some(_), Some(_)) => return Ok(vec!["both keys got a successor".to_owned()]),
            (None, None) => return Ok(vec!["neither key got a successor".to_owned()]),
        };
        let successor = won.refresh_token.ok_or("no refresh token")?;
        match done(tokens_one.rotate(&successor, &[], &[]).await)? {
            Some(_) => Ok(vec!["a family lives on after reuse".to_owned()]),
            None => Ok(Faults::new()),
        }
    })
    .await
}

/// A revocation and a rotation at once: whichever comes first, afterwards the
/// family is dead.
pub(crate) fn a_revoked_family_stays_dead() -> Result<(), String> {
    shown(
        ("revocations against rotations", 1),
        revoked,
        scale::of(40, 1_000),
        24,
    )
}

async fn revoked(stage: Arc<Stage>, families: usize) -> Result<Faults, Problem> {
    let key = random::bytes()?;
    let (one, two) = (stage.shop(key).await?, stage.shop(key).await?);
    many(families, |_| async {
        let token = stage.sign_in(&one).await?;
        let (rotates, revokes) = (one.token_service(), two.token_service());
        let (rotated, revoked) = join!(rotates.rotate(&token, &[], &[]), revokes.revoke(&token),);
        revoked?;
        let newest = done(rotated)?
            .and_then(|issued| issued.refresh_token)
            .unwrap_or(token);
        match done(rotates.rotate(&newest, &[], &[]).await)? {
            Some(_) => Ok(vec!["a revoked family was rotated".to_owned()]),
            None => Ok(Faults::new()),
        }
    })
    .await
}
