//! Refusals that another attempt would not better, as whoever asked reads them.

use std::time::Duration;

use countersign_client::outcome::{ChallengeError, HttpRefused};
use countersign_guard::NonceMode;

use crate::stand::Stand;

#[tokio::test]
async fn a_step_up_and_a_scope_that_lacks_can_be_read() {
    let stand = Stand::start(NonceMode::Off).await;
    let (http, orders) = (&stand.http, &stand.orders);

    let answer = http.get(orders.at("/vault")).send().await.unwrap();
    let refused = HttpRefused::of_response(&answer).unwrap();
    assert_eq!(refused.status, 401);
    assert_eq!(refused.error, Some(ChallengeError::StepUp));
    assert_eq!(refused.acr_values, ["urn:example:mfa"]);
    assert_eq!(refused.max_age, Some(Duration::from_secs(300)));
    let metadata = orders.at("/.well-known/oauth-protected-resource");
    assert_eq!(refused.resource_metadata, Some(metadata));

    let answer = http.delete(orders.at("/orders/7")).send().await.unwrap();
    let refused = HttpRefused::of_response(&answer).unwrap();
    assert_eq!(refused.status, 403);
    assert_eq!(refused.error, Some(ChallengeError::ScopeInsufficient));
    assert_eq!(refused.scopes, ["orders.admin"]);
    assert_eq!(refused.left_at_that, None);

    // No rule: no challenge, either.
    let answer = http.get(orders.at("/unknown")).send().await.unwrap();
    let refused = HttpRefused::of_response(&answer).unwrap();
    assert_eq!((refused.status.as_u16(), refused.error), (403, None));

    assert_eq!(orders.log.len(), 3, "each was sent once");
    assert_eq!(stand.countersign.counts().fetched, 1);
    assert_eq!(stand.countersign.counts().refused, 0);
}
