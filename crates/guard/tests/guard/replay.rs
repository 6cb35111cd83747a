//! A proof is good once.

use std::time::Duration;

use countersign::example::v1::GetOrderRequest;
use countersign_guard::{LedgerLimits, NonceMode};
use tokio::task::JoinSet;
use tonic::Request;

use crate::stand::{Expected, Shown, Stand, es256, proof_of, unsigned};

#[tokio::test]
async fn once_on_this_method_and_never_on_another() {
    let stand = Stand::start().await;
    let shown = stand.good();
    stand.check("first", &shown, Expected::Ok).await;
    stand.check("second", &shown, Expected::Spent).await;
    stand.clock.advance(Duration::from_secs(59));
    stand
        .check("at the end of its life", &shown, Expected::Spent)
        .await;
    let mut request = Request::new(GetOrderRequest::default());
    shown.onto(request.metadata_mut());
    let elsewhere = stand.client().get_order(request).await;
    Expected::P.check("on another method", elsewhere);
}

#[tokio::test]
async fn of_a_hundred_parallel_copies_one_is_accepted() {
    let stand = Stand::start().await;
    let shown = stand.good();
    let client = stand.client();
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (mut client, shown) = (client.clone(), shown.clone());
        calls.spawn(async move {
            let mut request = Request::new(countersign::example::v1::CreateOrderRequest::default());
            shown.onto(request.metadata_mut());
            client.create_order(request).await
        });
    }
    let mut accepted = 0;
    for outcome in calls.join_all().await {
        match outcome {
            Ok(_) => accepted += 1,
            refused => Expected::Spent.check("a copy", refused),
        }
    }
    assert_eq!(accepted, 1);
}

/// A proof from the future edge, tried again when it would be forgotten if its
/// time were counted from its receipt. The ledger forgets every 20 s, so its
/// phase decides when that shows.
#[tokio::test]
async fn it_is_remembered_by_its_own_time() {
    for phase in [0, 5, 10, 15] {
        let stand = Stand::start().await;
        stand.clock.advance(Duration::from_secs(phase));
        let token = stand.token();
        let mut claims = stand.proof_claims("CreateOrder", &token);
        claims["iat"] = (stand.now() + 10).into();
        let shown = Shown::new(&token, &proof_of(&stand.caller_key, &claims));
        stand.check("ten seconds ahead", &shown, Expected::Ok).await;
        for _ in 0..70 {
            stand.clock.advance(Duration::from_secs(1));
            stand.check("again", &shown, Expected::Spent).await;
        }
        stand.clock.advance(Duration::from_secs(1));
        stand.check("too old", &shown, Expected::P).await;
    }
}

/// The clock is set ahead, so that the ledger forgets, and back again.
#[tokio::test]
async fn a_jumping_clock_revives_nothing() {
    let stand = Stand::start().await;
    let shown = stand.good();
    stand.check("first", &shown, Expected::Ok).await;
    stand.clock.advance(Duration::from_secs(3600));
    stand.check("an hour on", &stand.good(), Expected::Ok).await;
    stand.clock.go_back(Duration::from_secs(3600));
    stand.check("and back", &shown, Expected::P).await;
}

/// Whoever has no key that counts can neither burn somebody's `jti` nor fill
/// the ledger.
#[tokio::test]
async fn a_refused_proof_is_not_spent() {
    let stand = Stand::start().await;
    let token = stand.token();
    let claims = stand.proof_claims("CreateOrder", &token);
    let jwk: serde_json::Value = serde_json::from_str(&stand.caller_key.public().to_jwk()).unwrap();
    let header = serde_json::json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
    let forged = Shown::new(&token, &unsigned(&header, &claims));
    for _ in 0..10 {
        stand.check("forged", &forged, Expected::P).await;
    }
    let stolen = Shown::new(&token, &proof_of(&es256(9), &claims));
    stand.check("with another key", &stolen, Expected::T).await;
    assert_eq!(stand.guard.counts().ledger_entries, 0);
    let right = Shown::new(&token, &proof_of(&stand.caller_key, &claims));
    stand.check("the victim", &right, Expected::Ok).await;
}

#[tokio::test]
async fn a_flood_ends_in_a_refusal_and_not_in_a_replay() {
    let limits = LedgerLimits {
        entries_max: 1000,
        entries_per_key_max: 50,
    };
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).ledger_limits(limits)).await;
    let shown = stand.good();
    stand.check("first", &shown, Expected::Ok).await;
    for _ in 1..50 {
        stand.check("its share", &stand.good(), Expected::Ok).await;
    }
    for _ in 0..100 {
        stand
            .check("beyond its share", &stand.good(), Expected::X)
            .await;
    }
    stand.check("the replay", &shown, Expected::Spent).await;
    assert_eq!(stand.guard.counts().ledger_full, 100);
    assert_eq!(stand.guard.counts().ledger_entries, 50);
    stand.clock.advance(Duration::from_secs(120));
    stand
        .check("when its share is back", &stand.good(), Expected::Ok)
        .await;
}
