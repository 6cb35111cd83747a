//! TLS on the TCP address.

use std::fs;

use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign_server::config::Tls;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::harness::Service;

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_over_tls_and_plain_text_does_not() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let ca = made.cert.pem();
    let service = Service::start_cold(|config| {
        let folder = config
            .store
            .directory
            .parent()
            .expect("a folder")
            .to_owned();
        let tls = Tls {
            certificate_file: folder.join("tls.crt"),
            key_file: folder.join("tls.key"),
            client_authorities_file: None,
        };
        fs::write(&tls.certificate_file, &ca).expect("written");
        fs::write(&tls.key_file, made.signing_key.serialize_pem()).expect("written");
        config.tls = Some(tls);
        config.issuer = Some("https://localhost:7443".to_owned());
    })
    .await;
    let port = service.running().grpc_address().port();
    let channel = Endpoint::from_shared(format!("https://localhost:{port}"))
        .expect("a URL")
        .tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&ca)))
        .expect("a certificate")
        .connect()
        .await
        .expect("connects");
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
