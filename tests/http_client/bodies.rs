//! Bodies that can be sent again, and those that cannot.

use std::convert::Infallible;

use bytes::Bytes;
use countersign_client::outcome::{ChallengeError, HttpRefused, LeftAtThat};
use countersign_guard::NonceMode;
use futures_util::stream;
use reqwest::Body;

use crate::stand::{Stand, plain};

fn stream() -> Body {
    let parts = ["one", "two", "three"].map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    Body::wrap_stream(stream::iter(parts))
}

#[tokio::test]
async fn a_body_that_is_read_once_is_sent_once() {
    let stand = Stand::start(NonceMode::Always).await;
    let (http, orders) = (&stand.http, &stand.orders);
    let answer = http.post(orders.at("/orders")).body(stream()).send().await;
    let refused = HttpRefused::of_response(&answer.unwrap()).unwrap();
    assert_eq!(refused.error, Some(ChallengeError::NonceWanted));
    assert_eq!(refused.left_at_that, Some(LeftAtThat::BodySent));
    assert_eq!((orders.log.len(), orders.effects()), (1, 0));

    // The nonce is known now.
    let answer = http.post(orders.at("/orders")).body(stream()).send().await;
    let answer = answer.unwrap();
    assert_eq!(HttpRefused::of_response(&answer), None);
    assert_eq!(answer.text().await.unwrap(), "11");
    assert_eq!((orders.log.len(), orders.effects()), (2, 1));
}

/// Whatever its size: it is at hand.
#[tokio::test]
async fn a_body_in_memory_is_sent_again_whole() {
    let stand = Stand::start(NonceMode::Always).await;
    let http = stand
        .countersign
        .http(plain().http2_prior_knowledge())
        .server(stand.orders.as_server())
        .build()
        .unwrap();
    let body = vec![7; 1_000_000];
    let answer = http.post(stand.orders.at("/orders")).body(body).send();
    assert_eq!(answer.await.unwrap().text().await.unwrap(), "1000000");
    assert_eq!(stand.orders.log.len(), 2);
}
