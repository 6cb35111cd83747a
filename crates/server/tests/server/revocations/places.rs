//! The places of those who watch: how many there are, whose, and that they are given back.

use std::time::Duration;

use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign::keys::v1::{ListKeysRequest, WatchKeysRequest};
use countersign_client::outcome::Refused;
use tonic::Status;

use super::{SOON, next, watch};
use crate::harness::{Service, inner, service_client};

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_limit_to_watchers_and_places_are_given_back() {
    let service = Service::start_cold(|config| config.limits.watchers_max = 1).await;
    let watch = || async {
        let mut keys = KeyServiceClient::new(service.public().await);
        inner(keys.watch_keys(WatchKeysRequest {}).await)
    };
    let first = watch().await.expect("a place");
    let refused = watch().await.expect_err("no place");
    let refused = Refused::of(&refused).expect("a reason");
    assert_eq!(refused.reason.as_str_name(), "REASON_OVERLOADED");
    assert!(refused.retry_after.is_some());
    drop(first);
    let given_back = async {
        while watch().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, given_back)
        .await
        .expect("given back");
}

/// A guard that watches has asked about a reference once, and goes by what it was told.
/// That no more is given, and to whom: whoever reads it knows what to end.
fn share_is_taken(refused: &Status, by: &str) {
    let told = Refused::of(refused).expect("a reason");
    assert_eq!(told.reason.as_str_name(), "REASON_RATE_LIMITED");
    assert!(told.retry_after.is_some());
    let message = refused.message();
    assert!(message.starts_with(&format!("this {by} ")), "{message}");
    assert!(message.contains("limits.caller_watchers_max"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_take_all_places_of_those_who_watch_keys() {
    let service = Service::start_cold(|config| config.limits.caller_watchers_max = 40).await;
    let mut here = Vec::new();
    for (of_this, by) in [(32, "connection"), (8, "address"), (0, "address")] {
        let mut keys = KeyServiceClient::new(service.public().await);
        for _ in 0..of_this {
            let watch = inner(keys.watch_keys(WatchKeysRequest {}).await);
            here.push(watch.expect("a place"));
        }
        let refused = inner(keys.watch_keys(WatchKeysRequest {}).await);
        share_is_taken(&refused.expect_err("no more"), by);
        // Its connection goes with it, and its places stay.
        inner(keys.list_keys(ListKeysRequest {}).await).expect("keys are listed");
    }
    let mut operator = KeyServiceClient::new(service.admin().await);
    let watch = operator.watch_keys(WatchKeysRequest {}).await;
    inner(watch).expect("an operator has no address");

    drop(here);
    let given_back = async {
        let mut keys = KeyServiceClient::new(service.public().await);
        while keys.watch_keys(WatchKeysRequest {}).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let given_back = tokio::time::timeout(SOON, given_back).await;
    given_back.expect("given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_take_all_places_of_those_who_watch_revocations() {
    let service = Service::start_with(|config| config.limits.caller_watchers_max = 2).await;
    let issuer = service.issuer().to_owned();
    let named = |name| service_client(name, &[(issuer.as_str(), &["revocations.watch"])]);
    let (greedy, other) = (named("greedy"), named("other"));
    let (greedy, other) = (service.add(greedy).await, service.add(other).await);
    let one = watch(&service, &greedy, "").await.expect("a place");
    let _two = watch(&service, &greedy, "").await.expect("a place");
    // Each over a connection of its own, with a key of its own.
    let refused = watch(&service, &greedy, "").await.map(|_| ());
    share_is_taken(&refused.expect_err("no more"), "client");
    let mut others = watch(&service, &other, "").await.expect("its own share");
    assert!(next(&mut others).await.complete);

    drop(one);
    let given_back = async {
        while watch(&service, &greedy, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let given_back = tokio::time::timeout(SOON, given_back).await;
    given_back.expect("given back");
}
