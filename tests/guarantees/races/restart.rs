//! Two uses with a restart between them.

use std::fs;
use std::io;
use std::path::Path;

use countersign_client::clock::Clock as _;
use countersign_client::random;
use countersign_testkit::Problem;
use countersign_testkit::work::in_a_runtime;

use super::control::Faults;
use crate::naive::Writes;
use crate::stage::{Stage, done};
use crate::{counts, scale};

/// What was used before a restart is used after it: a refresh token, a code, an
/// assertion, a proof. The control is a service whose disk forgets what was
/// acknowledged: it starts again from what was there before.
pub(crate) fn a_restart_between_two_uses_changes_nothing() -> Result<(), String> {
    in_a_runtime(async {
        for _ in 0..scale::of(1, 20) {
            if let Some(fault) = Box::pin(twice(false)).await?.first() {
                return Err(fault.clone().into());
            }
            Box::pin(proof_twice()).await?;
            counts::add("uses before and after a restart", 4);
        }
        if Box::pin(twice(true)).await?.len() < 3 {
            return Err("the same check finds too little fault with a disk that forgets".into());
        }
        Ok(())
    })
}

async fn twice(forgets: bool) -> Result<Faults, Problem> {
    let kept = tempfile::tempdir()?;
    let stage = Stage::open(Writes::Conditional).await?;
    let shop = stage.shop(random::bytes()?).await?;
    let token = stage.sign_in(&shop).await?;
    let code = stage.code(&shop).await?;
    let signing = stage.signing().await?;
    let stage = stage.restart(|data| copy(data, kept.path())).await?;

    let tokens = shop.token_service();
    tokens.rotate(&token, &[], &[]).await?;
    tokens.redeem(&code, &[], &[]).await?;
    let now = stage.platform.clock().now();
    let assertion = signing.token_service().client().authentication(now)?;
    let signs = signing.token_service().channel();
    stage.issue_to(signs.clone(), assertion.clone()).await?;

    let stage = stage
        .restart(|data| match forgets {
            true => fs::remove_dir_all(data).and_then(|()| copy(kept.path(), data)),
            false => Ok(()),
        })
        .await?;
    let mut faults = Faults::new();
    let other = stage.shop(random::bytes()?).await?;
    if done(other.token_service().rotate(&token, &[], &[]).await)?.is_some() {
        faults.push("another key rotated a token that was rotated before the restart".to_owned());
    }
    if done(tokens.redeem(&code, &[], &[]).await)?.is_some() {
        faults.push("a code was redeemed before and after a restart".to_owned());
    }
    if stage.issue_to(signs, assertion).await.is_ok() {
        faults.push("an assertion was accepted before and after a restart".to_owned());
    }
    Ok(faults)
}

/// By a service that is past its cold start, and again by one that has just
/// started and remembers nothing.
async fn proof_twice() -> Result<(), Problem> {
    let stage = Stage::open(Writes::Conditional).await?;
    let (channel, proof) = stage.proof().await?;
    stage.issue_with(channel, &proof).await?;
    let stage = stage.restart(|_| Ok(())).await?;
    let (channel, _) = stage.proof().await?;
    match stage.issue_with(channel, &proof).await {
        Ok(()) => Err("a proof was accepted before and after a restart".into()),
        Err(_) => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
