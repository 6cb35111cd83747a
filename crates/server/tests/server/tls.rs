//! TLS on the TCP address.

use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
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

/// A ClientHello (RFC 5246 §7.4.1.2) of a peer that speaks no more than `version`: ECDHE over P-256,
/// signed with ECDSA.
fn hello(version: [u8; 2]) -> Vec<u8> {
    const REST: &[u8] = &[
        0, // no session
        0, 4, 0xc0, 0x2b, 0xc0, 0x23, // cipher suites
        1, 0, // no compression
        0, 26, // extensions
        0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms
        0, 10, 0, 4, 0, 2, 0, 23, // supported_groups
        0, 11, 0, 2, 1, 0, // ec_point_formats
        0, 23, 0, 0, // extended_master_secret
    ];
    let length = |more: usize| u8::try_from(2 + 32 + REST.len() + more).expect("short");
    let mut record = vec![22, 3, 1, 0, length(4), 1, 0, 0, length(0)];
    record.extend(version);
    record.extend([7; 32]);
    record.extend(REST);
    record
}

/// RFC 8996.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_older_than_tls_1_2_is_spoken() {
    const TOO_OLD: &[u8] = &[21, 3, 3, 0, 2, 2, 70]; // The alert protocol_version (RFC 8446 §6.2).
    const SERVER_HELLO: &[u8] = &[22, 3, 3];
    let authority = Authority::new();
    let service = Service::start_cold(|config| authority.greet(config)).await;
    let address = service.running().grpc_address();
    for (version, expected) in [([3, 1], TOO_OLD), ([3, 2], TOO_OLD), ([3, 3], SERVER_HELLO)] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(&hello(version)).await.expect("sent");
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).await.expect("answered");
        assert_eq!(answer, expected, "{version:?}");
    }
}
