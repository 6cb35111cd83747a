//! Three thousand connections that ask for nothing are gone after seconds, and nobody notices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::authority::Authority;
use crate::harness::{ISSUE, Service};

const CONNECTIONS: usize = 3_000;

/// What the service gives them, and what a machine that does much else at the same time may add.
const GONE_WITHIN: Duration = Duration::from_secs(5 + 40);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// RFC 9113 §6.2.
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;

/// The head of a call, as far as `flags` say. POST, http, the path and the authority (RFC 7541).
fn head(flags: u8) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x04, ISSUE.len() as u8];
    block.extend_from_slice(ISSUE.as_bytes());
    block.extend_from_slice(b"\x01\x09localhost");
    let mut frame = vec![0, 0, block.len() as u8, HEADERS, flags, 0, 0, 0, 1];
    frame.extend_from_slice(&block);
    frame
}

/// What the silent ones say before they fall silent.
fn halves() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        PREFACE[..7].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, SETTINGS].concat(),
        [PREFACE, SETTINGS, &head(END_HEADERS)[..20]].concat(),
        [PREFACE, SETTINGS, &head(0)].concat(),
        [PREFACE, SETTINGS, &head(END_HEADERS)].concat(),
    ]
}

/// A service with TLS, and the certificate of its authority in PEM.
async fn service_with_tls() -> (Service, String) {
    let authority = Authority::new();
    let service = Service::start_cold(|config| authority.greet(config)).await;
    (service, authority.pem().to_owned())
}

/// TLS as the silent ones begin it.
fn session(ca: &str) -> rustls::ClientConnection {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("PEM"))
        .expect("a certificate");
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    rustls::ClientConnection::new(Arc::new(config), name).expect("a session")
}

fn client_hello(ca: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    session(ca).write_tls(&mut bytes).expect("written");
    bytes
}

/// Says what it has to say, and waits until it is cut: for how long.
async fn silent(address: SocketAddr, says: Vec<u8>) -> Duration {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // One that waited in the backlog for its turn counts from when it got through.
    let begun = Instant::now();
    let _ = stream.write_all(&says).await;
    let mut heard = vec![0; 4 * 1024];
    while matches!(stream.read(&mut heard).await, Ok(1..)) {}
    begun.elapsed()
}

/// Calls every 50 ms, every tenth time on a connection of its own; how often it did.
async fn call_until(done: CancellationToken, endpoint: Endpoint) -> usize {
    let connect = async || -> KeyServiceClient<Channel> {
        KeyServiceClient::new(endpoint.connect().await.expect("connects"))
    };
    let mut client = connect().await;
    let mut calls = 0;
    while !done.is_cancelled() {
        if calls % 10 == 0 {
            client = connect().await;
        }
        client
            .list_keys(ListKeysRequest {})
            .await
            .expect("answered");
        calls += 1;
        sleep(Duration::from_millis(50)).await;
    }
    calls
}

/// Three thousand of them, and somebody honest at the same time.
async fn all_are_cut(address: SocketAddr, endpoint: Endpoint, halves: &[Vec<u8>]) {
    let done = CancellationToken::new();
    let honest = tokio::spawn(call_until(done.clone(), endpoint));
    let mut all = JoinSet::new();
    for says in halves.iter().cycle().take(CONNECTIONS) {
        all.spawn(silent(address, says.clone()));
    }
    let begun = Instant::now();
    let cut = timeout(2 * GONE_WITHIN, all.join_all()).await;
    let cut = cut.expect("every connection is cut");
    assert_eq!(cut.len(), CONNECTIONS);
    let longest = cut.iter().max().copied().unwrap_or_default();
    assert!(longest < GONE_WITHIN, "one lasted {longest:?}");
    done.cancel();
    let calls = honest.await.expect("no call failed");
    assert!(calls > 20, "only {calls} calls in {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_connections_that_ask_for_nothing_are_gone_after_seconds() {
    let service = Service::start_cold(|_| {}).await;
    let endpoint = Endpoint::from_shared(service.running().url().to_owned()).expect("a URL");
    all_are_cut(service.running().grpc_address(), endpoint, &halves()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_half_handshakes_are_gone_after_seconds() {
    let (service, ca) = service_with_tls().await;
    let address = service.running().grpc_address();
    let endpoint = Endpoint::from_shared(format!("https://localhost:{}", address.port()))
        .expect("a URL")
        .tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&ca)))
        .expect("a certificate");
    let hello = client_hello(&ca);
    let halves = [
        Vec::new(),
        hello[..3].to_vec(),
        hello[..hello.len() / 2].to_vec(),
        // Whole, and its answer is not answered.
        hello,
    ];
    all_are_cut(address, endpoint, &halves).await;
}

/// The handshake is over, and then nothing, or half a call.
#[tokio::test(flavor = "multi_thread")]
async fn who_falls_silent_inside_tls_is_cut() {
    let (service, ca) = service_with_tls().await;
    let address = service.running().grpc_address();
    let mut all = JoinSet::new();
    for says in halves() {
        let mut session = session(&ca);
        all.spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).expect("connects");
            let mut stream = rustls::Stream::new(&mut session, &mut stream);
            let begun = Instant::now();
            std::io::Write::write_all(&mut stream, &says).expect("written");
            std::io::Write::flush(&mut stream).expect("shaken");
            let mut heard = Vec::new();
            // Cut without TLS's own goodbye, or with it.
            let _ = std::io::Read::read_to_end(&mut stream, &mut heard);
            begun.elapsed()
        });
    }
    let cut = timeout(2 * GONE_WITHIN, all.join_all()).await;
    for after in cut.expect("every connection is cut") {
        assert!(after < GONE_WITHIN, "one lasted {after:?}");
    }
}

/// With a handful of places: who asks for nothing gives his back, so that others get in.
#[tokio::test(flavor = "multi_thread")]
async fn places_come_back() {
    let service = Service::start_cold(|config| config.listen.connections_max = 8).await;
    let address = service.running().grpc_address();
    for _ in 0..3 {
        let mut all = JoinSet::new();
        for says in halves().into_iter().cycle().take(16) {
            all.spawn(silent(address, says));
        }
        // Later than they, and so behind them.
        sleep(Duration::from_millis(200)).await;
        let call = async {
            let channel = service.public().await;
            KeyServiceClient::new(channel)
                .list_keys(ListKeysRequest {})
                .await
                .expect("answered")
        };
        timeout(GONE_WITHIN, call).await.expect("it gets its turn");
        all.join_all().await;
    }
}

/// Places for a few connections, all of them held by peers that only watch.
#[tokio::test(flavor = "multi_thread")]
async fn who_only_watches_does_not_keep_others_out() {
    const PLACES: u32 = 16;
    let service = Service::start_cold(|config| config.listen.connections_max = PLACES).await;
    let mut watching = Vec::new();
    for _ in 0..PLACES {
        let mut answers = HealthClient::new(service.public().await)
            .watch(HealthCheckRequest::default())
            .await
            .expect("watched")
            .into_inner();
        answers
            .message()
            .await
            .expect("answered")
            .expect("a status");
        watching.push(answers);
    }
    let listed = async {
        let channel = service.public().await;
        KeyServiceClient::new(channel)
            .list_keys(ListKeysRequest {})
            .await
    };
    // Otherwise they would stay for five minutes.
    let listed = timeout(GONE_WITHIN, listed).await;
    listed.expect("a place is free").expect("listed");
    drop(watching);
}
