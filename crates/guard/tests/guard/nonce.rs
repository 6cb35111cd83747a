//! Nonces, and the cold start.

use std::time::Duration;

use countersign_dpop::NonceKey;
use countersign_guard::NonceMode;
use serde_json::Value;
use tonic::Status;

use crate::stand::{Expected, Shown, Stand, proof_of};

const SECOND: Duration = Duration::from_secs(1);

fn with_nonce(stand: &Stand, nonce: impl Into<Value>) -> Shown {
    with_nonce_and_iat(stand, nonce, stand.now())
}

fn with_nonce_and_iat(stand: &Stand, nonce: impl Into<Value>, iat: u64) -> Shown {
    let token = stand.token();
    let mut claims = stand.proof_claims("CreateOrder", &token);
    claims["nonce"] = nonce.into();
    claims["iat"] = iat.into();
    Shown::new(&token, &proof_of(&stand.caller_key, &claims))
}

fn nonce_of(status: &Status) -> String {
    let nonce = status.metadata().get("dpop-nonce").unwrap();
    nonce.to_str().unwrap().to_owned()
}

async fn challenged(stand: &Stand) -> String {
    let refused = stand.create(&stand.good()).await.unwrap_err();
    let nonce = nonce_of(&refused);
    Expected::N.check::<()>("challenged", Err(refused));
    nonce
}

#[tokio::test]
async fn where_a_nonce_is_required() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Always)).await;
    let other = Stand::with(|builder| builder.nonces(NonceMode::Always)).await;
    stand.clock.advance(100 * SECOND);
    let nonce = challenged(&stand).await;
    let foreign = challenged(&other).await;
    let mut forged = nonce.clone().into_bytes();
    forged[0] ^= 1;

    use Expected::{N, Ok, P};
    let rows: [(&str, Value, Expected); 5] = [
        ("as handed out", nonce.clone().into(), Ok),
        ("forged", String::from_utf8(forged).unwrap().into(), N),
        ("of another server", foreign.into(), N),
        ("empty", "".into(), N),
        ("not a string", 1.into(), P),
    ];
    for (row, nonce, expected) in rows {
        stand.check(row, &with_nonce(&stand, nonce), expected).await;
    }
    stand.check("missing", &stand.good(), N).await;
    stand.clock.advance(181 * SECOND);
    stand.check("stale", &with_nonce(&stand, nonce), N).await;
}

#[tokio::test]
async fn a_new_nonce_comes_only_when_the_old_is_about_to_expire() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Always)).await;
    stand.clock.advance(100 * SECOND);
    let nonce = challenged(&stand).await;
    let answer = stand
        .create(&with_nonce(&stand, nonce.clone()))
        .await
        .unwrap();
    assert!(answer.metadata().get("dpop-nonce").is_none());
    stand.clock.advance(120 * SECOND);
    let answer = stand
        .create(&with_nonce(&stand, nonce.clone()))
        .await
        .unwrap();
    let given: Vec<_> = answer.metadata().get_all("dpop-nonce").iter().collect();
    assert_eq!(given.len(), 1);
    let new = given[0].to_str().unwrap().to_owned();
    assert_ne!(new, nonce);
    stand
        .check("the new one", &with_nonce(&stand, new), Expected::Ok)
        .await;
}

/// A client whose clock is off is asked for a nonce, and then its clock does
/// not matter.
#[tokio::test]
async fn a_nonce_replaces_a_clock() {
    let stand = Stand::with(|builder| builder).await;
    stand.clock.advance(100 * SECOND);
    let token = stand.token();
    let off = |by: i64| {
        let mut claims = stand.proof_claims("CreateOrder", &token);
        claims["iat"] = stand.now().saturating_add_signed(by).into();
        Shown::new(&token, &proof_of(&stand.caller_key, &claims))
    };
    stand.check("in time", &off(0), Expected::Ok).await;
    stand.check("too old", &off(-61), Expected::N).await;
    stand.check("a little ahead", &off(30), Expected::N).await;
    stand.check("far ahead", &off(61), Expected::P).await;
    let refused = stand.create(&off(-600)).await.unwrap_err();
    let shown = with_nonce_and_iat(&stand, nonce_of(&refused), stand.now() - 3600);
    stand
        .check("an hour late, with a nonce", &shown, Expected::Ok)
        .await;
    stand.check("and again", &shown, Expected::Spent).await;
}

/// What was spent before a restart is not accepted after it.
#[tokio::test]
async fn a_cold_start() {
    let mut stand = Stand::with(|builder| builder).await;
    stand.clock.advance(100 * SECOND);
    let shown = stand.good();
    stand
        .check("before the restart", &shown, Expected::Ok)
        .await;
    stand.restart(|builder| builder).await;
    for second in 0..=80 {
        let again = stand.create(&shown).await;
        assert!(again.is_err(), "replayed {second} s after a restart");
        if second == 0 {
            Expected::N.check("just after it", again);
        }
        stand.clock.advance(SECOND);
    }
    stand
        .check("when it is warm", &stand.good(), Expected::Ok)
        .await;
}

#[tokio::test]
async fn a_cold_start_costs_a_client_one_challenge() {
    let stand = Stand::with(|builder| builder).await;
    let nonce = challenged(&stand).await;
    for _ in 0..3 {
        let shown = with_nonce(&stand, nonce.clone());
        stand.check("with the nonce", &shown, Expected::Ok).await;
    }
}

/// Replicas share the key; a nonce of before the start does not help.
#[tokio::test]
async fn a_cold_start_with_a_shared_key() {
    let shared = |builder: countersign_guard::Builder| builder.nonce_key(NonceKey::new([5; 32]));
    let mut stand = Stand::with(shared).await;
    let nonce = challenged(&stand).await;
    let shown = with_nonce_and_iat(&stand, nonce.clone(), stand.now() - 1000);
    stand
        .check("before the restart", &shown, Expected::Ok)
        .await;
    stand.clock.advance(20 * SECOND);
    stand.restart(shared).await;
    for second in 0..200 {
        let again = stand.create(&shown).await;
        assert!(again.is_err(), "replayed {second} s after a restart");
        stand.clock.advance(SECOND);
    }
    // One challenge, also within the margin.
    stand.restart(shared).await;
    let nonce = challenged(&stand).await;
    let shown = with_nonce(&stand, nonce);
    stand
        .check("with the new nonce", &shown, Expected::Ok)
        .await;
}
