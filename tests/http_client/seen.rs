//! What a handler may have seen is not sent again.

use countersign_guard::NonceMode;
use countersign_testkit::Platform;
use http::StatusCode;
use reqwest_middleware::Error;
use tokio::net::TcpListener;

use crate::leaving::{self, CANCEL, How, REFUSED_STREAM};
use crate::stand::{Orders, SCOPES, Stand, plain};

/// A handler that answers what a guard would.
#[tokio::test]
async fn what_a_handler_answers_is_the_answer() {
    let stand = Stand::start(NonceMode::Off).await;
    let answer = stand.http.post(stand.orders.at("/failing")).send().await;
    assert_eq!(answer.unwrap().status(), 401);
    assert_eq!((stand.orders.log.len(), stand.orders.effects()), (1, 1));
    assert_eq!(stand.countersign.counts().refused, 0);
}

/// One request by way of something that does not take the first connection's.
async fn ask(how: How) -> (Result<StatusCode, Error>, Orders) {
    let platform = Platform::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let behind = format!("http://{}", listener.local_addr().unwrap());
    let url = leaving::in_front_of(&behind, how).await;
    let off = |guard: countersign_guard::Builder| guard.nonces(NonceMode::Off);
    let orders = Orders::serve(&platform, listener, &url, off).await;
    let countersign = platform.caller("ann", &url, &SCOPES).await.unwrap();
    let http = countersign
        .http(plain().http2_prior_knowledge())
        .server(orders.as_server())
        .build()
        .unwrap();
    let answer = http.post(orders.at("/orders")).body("tea").send().await;
    (answer.map(|answer| answer.status()), orders)
}

#[tokio::test]
async fn a_request_that_may_have_been_seen_is_not_sent_again() {
    for how in [How::Cut, How::GoawayAfter, How::Reset(CANCEL)] {
        let (answer, orders) = ask(how).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::Reqwest(_)), "{how:?}: {error:?}");
        assert_eq!(orders.log.len(), 0, "{how:?}");
    }
}

/// RFC 9113 §8.7.
#[tokio::test]
async fn a_request_that_nobody_looked_at_is_sent_again() {
    for how in [How::Goaway, How::Reset(REFUSED_STREAM)] {
        let (answer, orders) = ask(how).await;
        assert_eq!(answer.unwrap(), 200, "{how:?}");
        assert_eq!((orders.log.len(), orders.effects()), (1, 1), "{how:?}");
    }
}
