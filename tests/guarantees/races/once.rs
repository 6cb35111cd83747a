//! What can be used once, used by many at once.

use std::collections::HashSet;
use std::sync::Arc;

use countersign_client::clock::Clock as _;
use countersign_client::random;
use countersign_testkit::Problem;
use countersign_testkit::work::in_a_runtime;
use futures_util::future::{join_all, try_join_all};
use parking_lot::Mutex;
use tonic::{Code, Status};

use super::control::{Faults, exactly_one, shown};
use crate::naive::Writes;
use crate::stage::{Stage, done};
use crate::{counts, scale};

const COPIES: usize = 100;
const USES: usize = 50;

/// Of a hundred copies of one proof, on ten connections, one is accepted. Proofs
/// are not remembered in the store, so the control is a naive ledger.
pub(crate) fn of_many_copies_of_a_proof_one_is_accepted() -> Result<(), String> {
    in_a_runtime(async {
        let stage = Stage::open(Writes::Conditional).await?;
        for _ in 0..scale::of(1, 50) {
            let (_, proof) = stage.proof().await?;
            let connections = (0..10).map(|_| stage.proof());
            let connections = try_join_all(connections).await?;
            let faults = copies(|copy| {
                let (channel, _) = &connections[copy % connections.len()];
                stage.issue_with(channel.clone(), &proof)
            });
            if let Some(fault) = faults.await?.first() {
                return Err(fault.clone().into());
            }
            counts::add("copies of a proof", COPIES);
        }
        let ledger = Mutex::new(HashSet::new());
        let naive = copies(|_| async {
            // Read, then write.
            let spent = ledger.lock().contains("proof");
            tokio::task::yield_now().await;
            match spent {
                true => Err(Status::unauthenticated("replayed")),
                false => {
                    ledger.lock().insert("proof");
                    Ok(())
                }
            }
        });
        if naive.await?.is_empty() {
            return Err("the same check finds no fault with a naive ledger".into());
        }
        Ok(())
    })
}

async fn copies<F>(accept: impl Fn(usize) -> F) -> Result<Faults, Problem>
where
    F: Future<Output = Result<(), Status>>,
{
    let mut accepted = 0;
    for answer in join_all((0..COPIES).map(accept)).await {
        accepted += usize::from(taken(answer)?);
    }
    Ok(exactly_one("copies of a proof", accepted, COPIES))
}

/// Of fifty uses of one code one is answered with tokens; the others are reuse,
/// and what the first got is dead.
pub(crate) fn a_code_is_redeemed_once() -> Result<(), String> {
    shown(("uses of a code", USES), codes, scale::of(2, 50), 2)
}

async fn codes(stage: Arc<Stage>, codes: usize) -> Result<Faults, Problem> {
    let shop = stage.shop(random::bytes()?).await?;
    let tokens = shop.token_service();
    let mut faults = Faults::new();
    for _ in 0..codes {
        let code = stage.code(&shop).await?;
        let uses = (0..USES).map(|_| tokens.redeem(&code, &[], &[]));
        let answers: Vec<_> = join_all(uses).await.into_iter().map(done).collect();
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let redeemed: Vec<_> = answers.into_iter().flatten().collect();
        faults.extend(exactly_one("uses of a code", redeemed.len(), USES));
        for issued in redeemed {
            let token = issued.refresh_token.ok_or("no refresh token")?;
            if done(tokens.rotate(&token, &[], &[]).await)?.is_some() {
                faults.push("what a code led to lives on after its reuse".to_owned());
            }
        }
    }
    Ok(faults)
}

/// Of fifty uses of one client assertion one is accepted.
pub(crate) fn an_assertion_is_spent_once() -> Result<(), String> {
    shown(
        ("uses of an assertion", USES),
        assertions,
        scale::of(2, 50),
        2,
    )
}

async fn assertions(stage: Arc<Stage>, assertions: usize) -> Result<Faults, Problem> {
    let tokens = stage.signing().await?.token_service();
    let mut faults = Faults::new();
    for _ in 0..assertions {
        let assertion = tokens
            .client()
            .authentication(stage.platform.clock().now())?;
        let uses = (0..USES).map(|_| stage.issue_to(tokens.channel(), assertion.clone()));
        let mut accepted = 0;
        for answer in join_all(uses).await {
            accepted += usize::from(taken(answer)?);
        }
        faults.extend(exactly_one("uses of an assertion", accepted, USES));
    }
    Ok(faults)
}

/// Whether it was accepted: anything but a refusal to authenticate shows
/// nothing.
fn taken(answer: Result<(), Status>) -> Result<bool, Problem> {
    match answer {
        Ok(()) => Ok(true),
        Err(status) if status.code() == Code::Unauthenticated => Ok(false),
        Err(status) => Err(status.into()),
    }
}
