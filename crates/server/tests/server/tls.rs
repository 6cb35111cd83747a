//! TLS on the TCP address.

use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use tonic::transport::Endpoint;

use crate::authority::Authority;
use crate::harness::Service;

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_over_tls_and_plain_text_does_not() {
    let authority = Authority::new();
    let service = Service::start_cold(|config| authority.greet(config)).await;
    let port = service.running().grpc_address().port();
    let channel = authority.connect(port).await;
    let listed = KeyServiceClient::new(channel)
        .list_keys(ListKeysRequest {})
        .await
        .expect("listed")
        .into_inner();
    assert_eq!(listed.issuer, "https://localhost:7443");

    let plain = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))
        .expect("a URL")
        .connect()
        .await;
    let answered = match plain {
        Ok(channel) => KeyServiceClient::new(channel)
            .list_keys(ListKeysRequest {})
            .await
            .is_ok(),
        Err(_) => false,
    };
    assert!(!answered, "plain text is not answered");
}
