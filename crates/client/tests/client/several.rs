//! One client object, several servers and resources.

use std::sync::Arc;

use countersign::error::v1::Reason;
use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;

use crate::stand::{Script, Stand, Step, serve};

/// Each has its token for its resource and its nonce, and all of it is of one key.
#[tokio::test]
async fn three_servers_have_tokens_and_nonces_of_their_own() {
    let stand = Stand::start().await;
    let scripts: [Arc<Script>; 3] = Default::default();
    let urls = scripts.each_ref().map(serve);
    let nonces = ["of-one", "of-two", "of-three"];
    let mut clients = Vec::new();
    for ((script, url), nonce) in scripts.iter().zip(&urls).zip(nonces) {
        script.then([Step::Refuse(Reason::DpopNonceRequired, Some(nonce))]);
        let channel = stand.countersign.channel(url).scopes(["orders.write"]);
        clients.push(OrderServiceClient::new(channel.connect().await.unwrap()));
    }
    for _ in 0..3 {
        for client in &mut clients {
            let asked = CreateOrderRequest::default();
            client.create_order(asked).await.unwrap();
        }
    }
    for (at, ((script, url), nonce)) in scripts.iter().zip(&urls).zip(nonces).enumerate() {
        let sent = script.sent.lock();
        assert_eq!(
            sent.len(),
            4,
            "one challenge, and none that another's nonce caused"
        );
        for (nth, sent) in sent.iter().enumerate() {
            let token = format!("DPoP token-{}", at + 1);
            assert_eq!(sent.authorization.as_deref(), Some(token.as_str()));
            let expected = (nth > 0).then_some(nonce);
            assert_eq!(sent.proof["nonce"].as_str(), expected);
            assert!(sent.proof["htu"].as_str().unwrap().starts_with(url));
        }
        assert_eq!(stand.tokens.issue.lock()[at].resources, [url.as_str()]);
    }
    assert_eq!(stand.tokens.script.calls(), 3);
    assert_eq!(stand.tokens.script.last().proof.get("nonce"), None);
}
