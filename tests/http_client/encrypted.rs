//! Over TLS, as services are reached: HTTP/2 by ALPN, and an authority of one's own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::serve::Listener;
use countersign_guard::NonceMode;
use countersign_testkit::Platform;
use http::Version;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::stand::{Orders, SCOPES, client_of, plain};

/// An authority, and what it says of `localhost`.
struct Authority {
    pem: String,
    leaf: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let own = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&own).unwrap();
        let issuer = Issuer::new(params, own);
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        Self {
            pem: root.pem(),
            leaf: leaf.signed_by(&key, &issuer).unwrap(),
            key,
        }
    }
}

/// Sockets that speak TLS and these protocols.
struct Tls {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    connections: Arc<AtomicUsize>,
}

impl Tls {
    async fn listen(authority: &Authority, protocols: &[&str]) -> Self {
        let key = PrivatePkcs8KeyDer::from(authority.key.serialize_der());
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![authority.leaf.der().clone()], PrivateKeyDer::from(key))
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            connections: Arc::default(),
        }
    }

    fn url(&self) -> String {
        format!(
            "https://localhost:{}",
            self.tcp.local_addr().unwrap().port()
        )
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, peer)) = self.tcp.accept().await else {
                continue;
            };
            // Who does not trust it goes away in the middle.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                self.connections.fetch_add(1, Ordering::SeqCst);
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A client that trusts this authority and nobody else.
fn trusting(authority: &Authority) -> reqwest::ClientBuilder {
    let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    plain().tls_certs_only([root])
}

#[tokio::test]
async fn requests_share_one_connection_of_http_2_and_each_has_its_own_proof() {
    let platform = Platform::start().await.unwrap();
    let authority = Authority::new();
    let tls = Tls::listen(&authority, &["h2", "http/1.1"]).await;
    let (url, connections) = (tls.url(), Arc::clone(&tls.connections));
    let nonces = NonceMode::Always;
    let orders = Orders::serve_at(&platform, tls, &url, |guard| guard.nonces(nonces)).await;
    let caller = platform.caller("ann", &url, &SCOPES).await.unwrap();
    let http = caller.http(trusting(&authority)).server(orders.as_server());
    let http = http.build().unwrap();

    // The first is challenged; it has the connection, the token and the nonce for all.
    let answer = http.get(orders.at("/orders/7")).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_2)
    );
    assert_eq!(answer.text().await.unwrap(), "ann");
    let mut many = JoinSet::new();
    for nth in 0..16 {
        let asked = http.post(orders.at("/orders")).body("tea".repeat(nth + 1));
        many.spawn(async move {
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.version(), Version::HTTP_2);
            (answer.status().as_u16(), answer.text().await.unwrap())
        });
    }
    let mut answers = many.join_all().await;
    answers.sort_by_key(|(_, text)| text.len());
    assert!(
        answers.iter().all(|(status, _)| *status == 200),
        "{answers:?}"
    );
    assert_eq!(orders.effects(), 16);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    let sent = orders.log.all();
    let mut proofs: Vec<_> = sent.iter().map(|request| request.one("dpop")).collect();
    proofs.sort_unstable();
    proofs.dedup();
    assert_eq!(proofs.len(), sent.len(), "no proof twice");
    assert_eq!(caller.counts().fetched, 1);
}

#[tokio::test]
async fn where_the_server_knows_no_http_2_it_is_http_1() {
    let platform = Platform::start().await.unwrap();
    let authority = Authority::new();
    let tls = Tls::listen(&authority, &["http/1.1"]).await;
    let url = tls.url();
    let orders = Orders::serve_at(&platform, tls, &url, |guard| guard).await;
    let caller = platform.caller("ann", &url, &SCOPES).await.unwrap();
    let http = caller.http(trusting(&authority)).server(orders.as_server());
    let answer = http
        .build()
        .unwrap()
        .get(orders.at("/orders/7"))
        .send()
        .await;
    let answer = answer.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_11)
    );
}

/// Neither token nor proof goes to a server that is not who it must be.
#[tokio::test]
async fn a_server_of_another_authority_gets_nothing() {
    let platform = Platform::start().await.unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let tls = Tls::listen(&authority, &["h2", "http/1.1"]).await;
    let (url, connections) = (tls.url(), Arc::clone(&tls.connections));
    let orders = Orders::serve_at(&platform, tls, &url, |guard| guard).await;
    let caller = platform.caller("ann", &url, &SCOPES).await.unwrap();
    for untrusting in [trusting(&other), plain()] {
        let http = caller.http(untrusting).server(orders.as_server());
        let sent = http
            .build()
            .unwrap()
            .get(orders.at("/orders/7"))
            .send()
            .await;
        assert!(
            sent.unwrap_err()
                .to_string()
                .contains("error sending request")
        );
    }
    // By another name than the certificate's.
    let by_address = url.replace("localhost", "127.0.0.1");
    let server = countersign_client::HttpServer::at(&by_address).scopes(SCOPES);
    let http = client_of(&caller, [server]);
    assert!(
        http.get(format!("{by_address}/orders/7"))
            .send()
            .await
            .is_err()
    );
    assert_eq!(orders.log.len(), 0);
    assert_eq!(orders.effects(), 0);
    // One that trusts it is served.
    let http = caller.http(trusting(&authority)).server(orders.as_server());
    let answer = http
        .build()
        .unwrap()
        .get(orders.at("/orders/7"))
        .send()
        .await;
    assert_eq!(answer.unwrap().status(), 200);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
