//! A clock that is set back gives no time back: neither to a grace nor to a stream.

use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::example::v1::WatchOrdersRequest;
use countersign_client::outcome::Refused;
use tonic::Request;

use crate::bearer::{bearer, unbound};
use crate::stand::{Expected, Shown, Stand};

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_grace_of_bearer_tokens_does_not_begin_anew() {
    let stand = crate::bearer::stand().await;
    let exp = stand.now() + 3_600;
    let token = bearer(&unbound(&stand, |claims| claims["exp"] = exp.into()));
    stand.check("in time", &token, Expected::Ok).await;
    stand.clock.advance(Duration::from_secs(100));
    stand.check("over", &token, Expected::T).await;
    stand.clock.go_back(Duration::from_secs(50));
    stand.check("set back", &token, Expected::T).await;
    assert_eq!(stand.guard.counts().bearer_tokens_accepted, 1);
}

#[tokio::test]
async fn a_stream_does_not_outlive_its_token() {
    let stand = Stand::start().await;
    let token = {
        let mut claims = stand.claims();
        claims["exp"] = (stand.now() + 60).into();
        stand.token_of(&claims)
    };
    stand.clock.advance(Duration::from_secs(50));
    stand.check("it is late", &stand.good(), Expected::Ok).await;
    stand.clock.go_back(Duration::from_secs(45));
    let mut request = Request::new(WatchOrdersRequest {});
    Shown::new(&token, &stand.proof("WatchOrders", &token)).onto(request.metadata_mut());
    let answer = stand.client().watch_orders(request).await.unwrap();
    let mut stream = answer.into_inner();
    assert!(stream.message().await.unwrap().is_some());
    // Ten seconds are left of the token, whatever the clock says.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let end = tokio::time::timeout(SOON, stream.message()).await.unwrap();
    let refused = Refused::of(&end.unwrap_err()).unwrap();
    assert_eq!(refused.reason, Reason::TokenExpired);
}
