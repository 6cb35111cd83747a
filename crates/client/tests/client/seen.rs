//! What a handler may have seen is not sent again, whatever kind of call it is and however the
//! other side ends it.

use countersign::error::v1::Reason;
use countersign::example::v1::{
    CreateOrderRequest, ExchangeOrdersRequest, ImportOrdersRequest, WatchOrdersRequest,
};
use tonic::Status;

use crate::leaving::{
    self, CANCEL, ENHANCE_YOUR_CALM, How, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM,
};
use crate::stand::{Stand, Step};

#[derive(Copy, Clone, Debug)]
enum Kind {
    Unary,
    ClientStream,
    ServerStream,
    Conversation,
}

const KINDS: [Kind; 4] = [
    Kind::Unary,
    Kind::ClientStream,
    Kind::ServerStream,
    Kind::Conversation,
];

/// One call of this kind, to its end.
async fn call(stand: &Stand, url: &str, kind: Kind) -> Result<(), Status> {
    let mut orders = stand.orders_at(url).await;
    match kind {
        Kind::Unary => orders
            .create_order(CreateOrderRequest::default())
            .await
            .map(drop),
        Kind::ClientStream => {
            let asked = tokio_stream::iter(vec![ImportOrdersRequest::default(); 3]);
            orders.import_orders(asked).await.map(drop)
        }
        Kind::ServerStream => {
            let mut answers = orders
                .watch_orders(WatchOrdersRequest {})
                .await?
                .into_inner();
            while answers.message().await?.is_some() {}
            Ok(())
        }
        Kind::Conversation => {
            let asked = tokio_stream::iter(vec![ExchangeOrdersRequest::default(); 3]);
            let mut answers = orders.exchange_orders(asked).await?.into_inner();
            while answers.message().await?.is_some() {}
            Ok(())
        }
    }
}

#[tokio::test]
async fn a_call_that_may_have_been_seen_is_not_sent_again() {
    let endings = [
        How::Cut,
        How::GoawayAfter,
        How::Answering,
        How::Reset(NO_ERROR),
        How::Reset(INTERNAL_ERROR),
        How::Reset(CANCEL),
        How::Reset(ENHANCE_YOUR_CALM),
    ];
    for how in endings {
        for kind in KINDS {
            let stand = Stand::start().await;
            let url = leaving::in_front_of(&stand.orders_url, how).await;
            let outcome = call(&stand, &url, kind).await;
            assert!(outcome.is_err(), "{how:?}, {kind:?}");
            assert_eq!(stand.orders.calls(), 0, "{how:?}, {kind:?}");
        }
    }
}

/// RFC 9113 §8.7 gives the only two ways to say that nobody looked.
#[tokio::test]
async fn a_call_that_nobody_looked_at_is_sent_again() {
    for how in [How::Goaway, How::Reset(REFUSED_STREAM)] {
        for kind in KINDS {
            let stand = Stand::start().await;
            let url = leaving::in_front_of(&stand.orders_url, how).await;
            let outcome = call(&stand, &url, kind).await;
            assert!(outcome.is_ok(), "{how:?}, {kind:?}: {outcome:?}");
            assert_eq!(stand.orders.calls(), 1, "{how:?}, {kind:?}");
        }
    }
}

/// A handler fails as it likes, also with what another guard refused it with.
#[tokio::test]
async fn what_a_handler_answers_is_the_answer() {
    for kind in KINDS {
        let stand = Stand::start().await;
        let failures = [
            Step::Fail(Reason::DpopNonceRequired),
            Step::Fail(Reason::TokenExpired),
            Step::Fail(Reason::TokenRevoked),
            Step::Away,
        ];
        for (before, step) in failures.into_iter().enumerate() {
            stand.orders.then([step.clone()]);
            let outcome = call(&stand, &stand.orders_url, kind).await;
            assert!(outcome.is_err(), "{step:?}, {kind:?}");
            assert_eq!(stand.orders.calls(), before + 1, "{step:?}, {kind:?}");
        }
        assert_eq!(stand.tokens.script.calls(), 1, "{kind:?}");
    }
}
