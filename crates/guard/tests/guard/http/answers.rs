//! What is answered, in HTTP's words.

use std::time::Duration;

use countersign_client::clock::Clock as _;
use countersign_guard::{LedgerLimits, NonceMode, UnixTime};
use countersign_jose::Algorithms;
use serde_json::json;

use crate::bearer::{bearer, unbound};
use crate::http_stand::{METADATA, ask, create, rules, serve};
use crate::stand::{Edge, Expected, SERVICE, Shown, Stand, proof_of};

async fn check(stand: &Stand, row: &str, shown: &Shown, expected: Expected) {
    let answer = create(&stand.address, shown).await;
    expected.check_http(row, &answer, Algorithms::DEFAULT);
}

#[tokio::test]
async fn a_challenge_to_the_letter() {
    let stand = Stand::at(Edge::Http).await;
    let answer = create(&stand.address, &Shown::default()).await;
    let challenge = format!("DPoP algs=\"ES256 Ed25519\", resource_metadata=\"{METADATA}\"");
    assert_eq!(answer.header("www-authenticate"), Some(&*challenge));
    assert_eq!(
        answer.problem(),
        json!({
            "title": "Unauthorized",
            "status": 401,
            "detail": "an access token is needed: authorization: DPoP …, with a proof in dpop",
            "reason": "REASON_CREDENTIALS_MISSING",
        })
    );

    let mut claims = stand.claims();
    claims["scope"] = "orders.read".into();
    let token = stand.token_of(&claims);
    let shown = Shown::new(&token, &stand.proof("CreateOrder", &token));
    let answer = create(&stand.address, &shown).await;
    assert_eq!(answer.status, 403);
    let challenge = format!(
        "DPoP error=\"insufficient_scope\", error_description=\"the access token lacks a scope: get one with the scopes that are named\", scope=\"orders.write\", algs=\"ES256 Ed25519\", resource_metadata=\"{METADATA}\""
    );
    assert_eq!(answer.header("www-authenticate"), Some(&*challenge));
    assert_eq!(
        answer.problem(),
        json!({
            "title": "Forbidden",
            "status": 403,
            "detail": "the access token lacks a scope: get one with the scopes that are named",
            "reason": "REASON_SCOPE_INSUFFICIENT",
            "error": "insufficient_scope",
            "scope": "orders.write",
        })
    );
    let page = include_str!("../../../../../docs/http-guard.md");
    assert!(page.contains(&answer.body), "{}", answer.body);
}

#[tokio::test]
async fn a_person_is_asked_to_prove_who_they_are() {
    let rule = format!(
        "[\"GET {SERVICE}Vault\"]\nscopes = [\"orders.read\"]\nacr_values = [\"gold\", \"gem\"]\nmax_age = \"300s\""
    );
    let stand = Stand::with_at(Edge::Http, |builder| {
        builder.nonces(NonceMode::Off).rules(rule)
    })
    .await;
    let token = stand.token();
    let shown = crate::http_stand::shown(&stand, "GET", &format!("{SERVICE}Vault"), &token);
    let answer = ask(&stand.address, "GET", &format!("{SERVICE}Vault"), &shown).await;
    Expected::StepUp.check_http("a client in its own name", &answer, Algorithms::DEFAULT);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("acr_values=\"gold gem\", max_age=\"300\""));
}

#[tokio::test]
async fn nonces_are_told_where_they_are_asked_for_and_before_they_end() {
    let stand = Stand::with_at(Edge::Http, |builder| builder.nonces(NonceMode::Always)).await;
    stand.clock.advance(Duration::from_secs(100));
    let with = |nonce: &str| {
        let token = stand.token();
        let mut claims = stand.proof_claims("CreateOrder", &token);
        claims["nonce"] = nonce.into();
        Shown::new(&token, &proof_of(&stand.caller_key, &claims))
    };
    let challenged = create(&stand.address, &stand.good()).await;
    Expected::N.check_http("without one", &challenged, Algorithms::DEFAULT);
    let nonce = challenged.header("dpop-nonce").unwrap().to_owned();
    let answer = create(&stand.address, &with(&nonce)).await;
    assert_eq!((answer.status, answer.header("dpop-nonce")), (200, None));
    assert_eq!(answer.header("cache-control"), None);

    // Of a nonce that is about to end, another is told with the answer, which no cache may keep.
    let mut told = None;
    for _ in 0..60 {
        let answer = create(&stand.address, &with(&nonce)).await;
        if answer.status != 200 {
            break;
        }
        if let Some(next) = answer.header("dpop-nonce") {
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            told = Some(next.to_owned());
            break;
        }
        stand.clock.advance(Duration::from_secs(5));
    }
    let told = told.expect("it was told before the first one ended");
    assert_ne!(told, nonce);
    check(&stand, "the next one", &with(&told), Expected::Ok).await;
    stand.clock.advance(Duration::from_secs(400));
    check(&stand, "the first one", &with(&nonce), Expected::N).await;
}

#[tokio::test]
async fn whoever_should_wait_is_told_for_how_long() {
    let limits = LedgerLimits {
        entries_per_key_max: 2,
        ..LedgerLimits::default()
    };
    let stand = Stand::with_at(Edge::Http, |builder| {
        builder.nonces(NonceMode::Off).ledger_limits(limits)
    })
    .await;
    for _ in 0..2 {
        check(&stand, "room", &stand.good(), Expected::Ok).await;
    }
    check(&stand, "a key that is full", &stand.good(), Expected::X).await;

    let mut stand = Stand::at(Edge::Http).await;
    *stand.keys.published.lock() = None;
    stand
        .restart(|builder| builder.nonces(NonceMode::Off).rules(rules()))
        .await;
    check(&stand, "no key set", &stand.good(), Expected::Unreachable).await;
}

/// One guard, one ledger: a proof that was used at one edge is used at the other.
#[tokio::test]
async fn a_proof_is_spent_at_both_edges() {
    let stand = Stand::with(|builder| builder.nonces(NonceMode::Off).rules(rules())).await;
    let address = serve(&stand.guard).await;
    let shown = stand.good();
    stand.check("over gRPC", &shown, Expected::Ok).await;
    let answer = create(&address, &shown).await;
    Expected::Spent.check_http("over HTTP", &answer, Algorithms::DEFAULT);
    let shown = stand.good();
    let answer = create(&address, &shown).await;
    Expected::Ok.check_http("over HTTP", &answer, Algorithms::DEFAULT);
    stand.check("over gRPC", &shown, Expected::Spent).await;
}

#[tokio::test]
async fn of_fifty_parallel_copies_one_is_accepted() {
    let stand = Stand::at(Edge::Http).await;
    let shown = stand.good();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (address, shown) = (stand.address.clone(), shown.clone());
        calls.spawn(async move { create(&address, &shown).await });
    }
    let answers = calls.join_all().await;
    let accepted = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(accepted.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        Expected::Spent.check_http("a copy", answer, Algorithms::DEFAULT);
    }
}

#[tokio::test]
async fn a_grace_is_for_one_route_and_until_its_date() {
    let route = format!("POST {SERVICE}CreateOrder");
    let until = |stand: &Stand| UnixTime::from_secs(stand.now() + 100);
    let mut stand = Stand::at(Edge::Http).await;
    let date = until(&stand);
    stand
        .restart(|builder| {
            let builder = builder.nonces(NonceMode::Off).rules(rules());
            builder.accept_bearer(route, date)
        })
        .await;
    let token = unbound(&stand, |_| {});
    check(&stand, "in time", &bearer(&token), Expected::Ok).await;
    check(&stand, "a bound one", &bearer(&stand.token()), Expected::T).await;
    stand.clock.advance(Duration::from_secs(100));
    assert_eq!(stand.clock.now(), date);
    check(&stand, "over", &bearer(&token), Expected::T).await;
    assert_eq!(stand.guard.counts().bearer_tokens_accepted, 1);
}
