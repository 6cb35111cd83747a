//! A store that fails takes the service down, and everybody is told.

use countersign_store::MemoryStore;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health as _;

use super::*;
use crate::health::{KEYS, STORE};

const TOKENS: &str = "countersign.token.v1.TokenService";

async fn status(health: &Health, name: &str) -> ServingStatus {
    let request = HealthCheckRequest {
        service: name.to_owned(),
    };
    health
        .service()
        .check(Request::new(request))
        .await
        .expect("known")
        .into_inner()
        .status()
}

#[tokio::test]
async fn a_store_that_fails_is_reported_and_ends_the_service() {
    let store = Arc::new(MemoryStore::new());
    let health = Health::serving(&[TOKENS]).await;
    let (failed, mut failure) = watch::channel(None);
    let attending = tokio::spawn(attend(
        Arc::clone(&store) as Arc<dyn Store>,
        health.clone(),
        failed,
        CancellationToken::new(),
    ));
    assert_eq!(status(&health, "").await, ServingStatus::Serving);

    store.fail("input/output error");
    let stopped = failure
        .wait_for(Option::is_some)
        .await
        .expect("told")
        .clone();
    assert_eq!(
        stopped,
        Some(Stopped::StoreFailed("input/output error".to_owned()))
    );
    for name in ["", STORE, TOKENS] {
        assert_eq!(
            status(&health, name).await,
            ServingStatus::NotServing,
            "{name}"
        );
    }
    assert_eq!(status(&health, KEYS).await, ServingStatus::Serving);
    attending.await.expect("ended");
}
