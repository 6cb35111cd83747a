//! Where the endpoints are: with gRPC, apart from it, nowhere; below an issuer's path; behind TLS.

use std::sync::Arc;

use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign_server::config::HttpPlace;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::web::{Ask, HEALTH, KEYS, METADATA, TOKEN, Web, raw};
use crate::authority::Authority;
use crate::comes::Comes;
use crate::harness::{ORDERS, Service, service_client};
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn at_an_address_of_their_own() {
    let service = Service::start_cold(|config| {
        config.http.place = HttpPlace::Own(([127, 0, 0, 1], 0).into());
    })
    .await;
    let running = service.running();
    assert_ne!(running.http_address(), Some(running.grpc_address()));
    assert_eq!(Web::of(&service).get(HEALTH).await.status, 200);
    // Each address speaks its own protocol.
    KeyServiceClient::new(service.public().await)
        .list_keys(ListKeysRequest {})
        .await
        .expect("gRPC at its address");
    let channel = tonic::transport::Endpoint::from_shared(running.http_url().expect("a URL"))
        .expect("a URL")
        .connect()
        .await
        .expect("connects");
    let elsewhere = KeyServiceClient::new(channel)
        .list_keys(ListKeysRequest {})
        .await;
    elsewhere.expect_err("no gRPC at the address of HTTP");
}

#[tokio::test(flavor = "multi_thread")]
async fn nowhere() {
    let service = Service::start_cold(|config| config.http.place = HttpPlace::Nowhere).await;
    assert_eq!(service.running().http_url(), None);
    service.public().await;
    let mut stream = TcpStream::connect(service.running().grpc_address())
        .await
        .expect("connects");
    let request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut answer = Vec::new();
    // Cut, or ended with a frame of HTTP/2.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_path_of_the_issuer() {
    let service = Service::start_with(|config| {
        config.issuer = Some("http://localhost:7443/tenant".to_owned());
    })
    .await;
    service.add_orders().await;
    let client = service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await;
    let web = Web::of(&service);
    let metadata = web.get(&format!("{METADATA}/tenant")).await.json();
    assert_eq!(metadata["issuer"], service.issuer());
    assert_eq!(
        metadata["token_endpoint"],
        "http://localhost:7443/tenant/token"
    );
    for elsewhere in [
        METADATA.to_owned(),
        format!("{METADATA}/other"),
        "/other/jwks".to_owned(),
    ] {
        web.get(&elsewhere)
            .await
            .check_error(&elsewhere, 404, "invalid_request");
    }
    // A proxy may have taken the path off.
    for path in ["/tenant/token", TOKEN] {
        let mut ask = Ask::post(TOKEN, &[("grant_type", "client_credentials")])
            .basic(&client)
            .proven(&service, &Key::new());
        ask.path = path.to_owned();
        web.send(ask).await.check(path, Comes::Ok);
    }
    assert_eq!(web.get("/tenant/jwks").await.status, 200);
    assert_eq!(web.get(KEYS).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_by_http_1_1_is_no_grpc() {
    let service = Service::start().await;
    let request = "POST /countersign.keys.v1.KeyService/ListKeys HTTP/1.1\r\nHost: x\r\n\
                   Content-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";
    let answer = raw(&service, request.as_bytes(), 1).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_negotiated_by_tls() {
    let authority = Authority::new();
    let service = Service::start_cold(|config| authority.greet(config)).await;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM"))
        .expect("an authority");
    let plain = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for (offered, chosen) in [
        (vec!["http/1.1"], Some("http/1.1")),
        (vec!["h2", "http/1.1"], Some("h2")),
        (vec![], None),
    ] {
        let mut config = plain.clone();
        config.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let address = service.running().http_address().expect("it serves HTTP");
        let stream = TcpStream::connect(address).await.expect("connects");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await.expect("shakes hands");
        let alpn = stream.get_ref().1.alpn_protocol();
        assert_eq!(alpn, chosen.map(str::as_bytes), "{offered:?}");
        if chosen != Some("h2") {
            let request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await.expect("sent");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("closed");
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
}
