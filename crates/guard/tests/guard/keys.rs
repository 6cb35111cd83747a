//! The key set: fetched, refreshed, kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_guard::NonceMode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::stand::{Expected, Shown, Stand, es256, published, sign};

fn of_key(stand: &Stand, kid: &str, key: &countersign_jose::SigningKey) -> Shown {
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
    let token = sign(key, &header, &stand.claims());
    Shown::new(&token, &stand.proof("CreateOrder", &token))
}

#[tokio::test]
async fn a_storm_of_unknown_keys_causes_one_fetch() {
    let stand = Stand::start().await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 1, "at the start");
    *stand.keys.takes.lock() = Duration::from_millis(100);
    let stand = Arc::new(stand);
    let mut calls = JoinSet::new();
    for n in 0..50 {
        let stand = Arc::clone(&stand);
        calls.spawn(async move {
            let shown = of_key(&stand, &format!("unknown-{n}"), &es256(8));
            stand.check("unknown", &shown, Expected::T).await;
        });
    }
    calls.join_all().await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let stand = Stand::start().await;
    let new = es256(8);
    let both = published(&[("k1", &stand.issuer_key), ("k2", &new)]);
    *stand.keys.published.lock() = Some(both);
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::Ok)
        .await;
    stand
        .check("of the old key", &stand.good(), Expected::Ok)
        .await;
    let wrong = of_key(&stand, "k2", &stand.issuer_key);
    stand
        .check("of the old key under the new name", &wrong, Expected::T)
        .await;
}

/// A remembered token does not outlive the key that signed it.
#[tokio::test]
async fn a_key_that_is_gone_takes_its_tokens_along() {
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .key_fetch_interval(Duration::ZERO)
    })
    .await;
    let token = stand.token();
    let call = || Shown::new(&token, &stand.proof("CreateOrder", &token));
    stand
        .check("while the key is there", &call(), Expected::Ok)
        .await;
    let new = es256(8);
    *stand.keys.published.lock() = Some(published(&[("k2", &new)]));
    stand
        .check("of the new key", &of_key(&stand, "k2", &new), Expected::Ok)
        .await;
    stand
        .check("remembered, of the old key", &call(), Expected::T)
        .await;
    // The same name for another key does not bring it back.
    *stand.keys.published.lock() = Some(published(&[("k1", &new)]));
    stand
        .check("of the new key", &of_key(&stand, "k1", &new), Expected::Ok)
        .await;
    stand
        .check("of the old key, of that name", &call(), Expected::T)
        .await;
}

#[tokio::test]
async fn the_last_good_set_is_kept() {
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .key_fetch_interval(Duration::ZERO)
    })
    .await;
    let unknown = es256(8);
    *stand.keys.published.lock() = None;
    stand
        .check("unknown", &of_key(&stand, "k2", &unknown), Expected::T)
        .await;
    stand.check("known", &stand.good(), Expected::Ok).await;
    // Keys of another issuer are not taken either.
    let mut foreign = published(&[("k2", &unknown)]);
    foreign.issuer = "https://evil.test".to_owned();
    *stand.keys.published.lock() = Some(foreign);
    stand
        .check("foreign", &of_key(&stand, "k2", &unknown), Expected::T)
        .await;
    stand.check("known", &stand.good(), Expected::Ok).await;
    assert!(stand.keys.fetches.load(Ordering::SeqCst) >= 3);
}

/// The key set is fetched again in the background, without any call asking.
#[tokio::test(start_paused = true)]
async fn it_is_refreshed_in_the_background() {
    let stand = Stand::start().await;
    tokio::time::sleep(Duration::from_secs(151)).await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 2);
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(stand.keys.fetches.load(Ordering::SeqCst), 3);
}
