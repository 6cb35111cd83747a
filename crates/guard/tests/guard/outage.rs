//! The token service goes away, over sockets: calls go on.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::example::v1::CreateOrderRequest;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::keys::v1::key_service_server::{KeyService, KeyServiceServer};
use countersign::keys::v1::{
    ListKeysRequest, ListKeysResponse, WatchKeysRequest, WatchKeysResponse,
};
use countersign::token::v1::token_service_server::{TokenService, TokenServiceServer};
use countersign::token::v1::{
    IssueTokenRequest, IssueTokenResponse, RevokeTokenRequest, RevokeTokenResponse,
    RotateTokenRequest, RotateTokenResponse,
};
use countersign_client::clock::Clock;
use countersign_client::{Countersign, Credential, GuardedChannel};
use countersign_guard::{Builder, NonceMode};
use countersign_jose::SigningKey;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::key_service::list;
use crate::revocation::until;
use crate::stand::{Expected, ISSUER, ORIGIN, Shown, Stand, TestClock, es256, sign};

const LIFE: Duration = Duration::from_secs(300);

/// Issues tokens of one key, and publishes it.
#[derive(Clone)]
struct Issuer {
    clock: Arc<TestClock>,
    key: Arc<SigningKey>,
    kid: &'static str,
    published: ListKeysResponse,
}

#[tonic::async_trait]
impl TokenService for Issuer {
    async fn issue_token(
        &self,
        request: Request<IssueTokenRequest>,
    ) -> Result<Response<IssueTokenResponse>, Status> {
        let now = self.clock.now().as_secs();
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid });
        let claims = json!({
            "iss": ISSUER, "sub": "checkout", "client_id": "checkout", "aud": ORIGIN,
            "exp": now + LIFE.as_secs(), "iat": now, "jti": format!("t{now}"),
            "scope": "orders.read orders.write",
            "cnf": { "jkt": es256(2).public().thumbprint().to_string() },
        });
        Ok(Response::new(IssueTokenResponse {
            access_token: sign(&self.key, &header, &claims),
            token_type: "DPoP".to_owned(),
            expires_in: Some(prost_types::Duration {
                seconds: LIFE.as_secs() as i64,
                nanos: 0,
            }),
            scopes: request.into_inner().scopes,
            ..IssueTokenResponse::default()
        }))
    }

    async fn rotate_token(
        &self,
        _: Request<RotateTokenRequest>,
    ) -> Result<Response<RotateTokenResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn revoke_token(
        &self,
        _: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

#[tonic::async_trait]
impl KeyService for Issuer {
    async fn list_keys(
        &self,
        _: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        Ok(Response::new(self.published.clone()))
    }

    type WatchKeysStream = BoxStream<'static, Result<WatchKeysResponse, Status>>;

    async fn watch_keys(
        &self,
        _: Request<WatchKeysRequest>,
    ) -> Result<Response<Self::WatchKeysStream>, Status> {
        let now = WatchKeysResponse {
            key_set: Some(self.published.clone()),
            heartbeat_interval: None,
        };
        let told = stream::once(std::future::ready(Ok(now))).chain(stream::pending());
        Ok(Response::new(told.boxed()))
    }
}

/// Whatever listens at the token service's address. On a runtime of its own, so that its
/// connections end with it as with a process.
struct Process(Option<Runtime>);

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Process {
    fn of(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(work);
        Self(Some(runtime))
    }

    fn token_service(listener: TcpListener, issuer: Issuer) -> Self {
        Self::of(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let server = Server::builder()
                .add_service(TokenServiceServer::new(issuer.clone()))
                .add_service(KeyServiceServer::new(issuer))
                .serve_with_incoming(TcpListenerStream::new(listener));
            server.await.unwrap();
        })
    }

    /// Takes connections and answers with something else than HTTP/2, or not at all.
    fn stranger(listener: TcpListener, says: &'static [u8]) -> Self {
        Self::of(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut held = Vec::new();
            while let Ok((caller, _)) = listener.accept().await {
                let mut caller = caller.into_std().unwrap();
                let _ = caller.write_all(says);
                held.push(caller);
            }
        })
    }

    async fn kill(self, address: SocketAddr) {
        drop(self);
        until("nobody listens", || TcpStream::connect(address).is_err()).await;
    }
}

fn listen(address: &str) -> TcpListener {
    TcpListener::bind(address).unwrap()
}

fn guard(url: &str, stand: &Stand, file: &std::path::Path) -> Builder {
    Builder::new(url)
        .issuer(ISSUER)
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .nonces(NonceMode::Off)
        .key_fetch_interval(Duration::ZERO)
        .key_set_file(file)
        .clock(Arc::clone(&stand.clock) as Arc<dyn Clock>)
}

async fn client(url: &str, stand: &Stand) -> Countersign {
    countersign_client::Builder::new(url)
        .issuer(ISSUER)
        .client("checkout", Credential::Public)
        .proof_key(es256(2))
        .clock(Arc::clone(&stand.clock) as Arc<dyn Clock>)
        .connect()
        .await
        .unwrap()
}

async fn orders(client: &Countersign, address: &str) -> OrderServiceClient<GuardedChannel> {
    let channel = client.channel(address).origin(ORIGIN).connect();
    OrderServiceClient::new(channel.await.unwrap())
}

/// A token service that is there, and a guard that has its keys from it and a file for them.
struct Scene {
    stand: Stand,
    address: SocketAddr,
    url: String,
    file: PathBuf,
    issuer: Issuer,
    service: Process,
    _folder: TempDir,
}

impl Scene {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        let mut stand = Stand::start().await;
        let listener = listen("127.0.0.1:0");
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let issuer = Issuer {
            clock: Arc::clone(&stand.clock),
            key: Arc::new(es256(1)),
            kid: "k1",
            published: list(&[("k1", &es256(1))]),
        };
        let service = Process::token_service(listener, issuer.clone());
        stand.restart_as(guard(&url, &stand, &file)).await;
        Self {
            stand,
            address,
            url,
            file,
            issuer,
            service,
            _folder: folder,
        }
    }
}

/// Half of a token's life, second by second where it matters: dead, a stranger in its place, one
/// that says nothing in its place, and a guard that starts meanwhile. Then it comes back, with
/// another key.
#[tokio::test]
async fn half_a_tokens_life_without_the_token_service_fails_no_call() {
    let Scene {
        mut stand,
        address,
        url,
        file,
        issuer,
        service,
        _folder,
    } = Scene::begin().await;
    let client = client(&url, &stand).await;
    let mut first = orders(&client, &stand.address).await;
    let asked = CreateOrderRequest::default;
    first.create_order(asked()).await.unwrap();
    assert!(file.exists());

    service.kill(address).await;
    let began = stand.clock.now();
    // As the guard does by itself every few minutes.
    stand.guard.fetch_keys().await;
    for _ in 0..25 {
        stand.clock.advance(Duration::from_secs(2));
        first.create_order(asked()).await.unwrap();
    }
    let strange: [&'static [u8]; 2] = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""];
    for says in strange {
        let stranger = Process::stranger(listen(&address.to_string()), says);
        // A guard that starts now has its keys from the file.
        stand.guard.fetch_keys().await;
        stand.restart_as(guard(&url, &stand, &file)).await;
        assert!(*stand.guard.readiness().borrow());
        let mut second = orders(&client, &stand.address).await;
        for _ in 0..25 {
            stand.clock.advance(Duration::from_secs(2));
            first.create_order(asked()).await.unwrap();
            second.create_order(asked()).await.unwrap();
        }
        stranger.kill(address).await;
    }
    let away = stand.clock.now().as_secs() - began.as_secs();
    assert_eq!(away, LIFE.as_secs() / 2);
    assert_eq!(client.counts().fetched, 1);

    // It is back, and signs with a key that nobody has heard of.
    let new = Issuer {
        key: Arc::new(es256(8)),
        kid: "k2",
        published: list(&[("k1", &es256(1)), ("k2", &es256(8))]),
        ..issuer
    };
    let _service = Process::token_service(listen(&address.to_string()), new);
    for _ in 0..200 {
        if client.counts().renewed > 0 {
            break;
        }
        // Slowly: renewals that fail while connections are made anew wait by this clock.
        stand.clock.advance(Duration::from_millis(500));
        first.create_order(asked()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.counts().renewed, 1, "{:?}", client.counts());
    first.create_order(asked()).await.unwrap();
}

/// The worst moment: clients that make calls, with tokens just short of the latest renewal.
#[tokio::test]
async fn an_outage_that_begins_just_before_renewals_are_due_fails_no_call() {
    let Scene {
        stand,
        address,
        url,
        service,
        _folder,
        ..
    } = Scene::begin().await;
    let mut callers = Vec::new();
    for _ in 0..16 {
        let client = client(&url, &stand).await;
        let orders = orders(&client, &stand.address).await;
        callers.push((client, orders));
    }
    let asked = CreateOrderRequest::default;
    for _ in 0..=15 {
        for (_, orders) in &mut callers {
            orders.create_order(asked()).await.unwrap();
        }
        stand.clock.advance(Duration::from_secs(10));
    }
    // Half of their lives was over with the last calls.
    let renewed = || {
        let mut counts = callers.iter().map(|(client, _)| client.counts());
        counts.all(|counts| counts.renewed == 1)
    };
    until("all are renewed", renewed).await;

    // They were renewed after 90 s at the earliest, and are all of them younger than 150 now.
    stand.clock.advance(Duration::from_secs(79));
    service.kill(address).await;
    stand.guard.fetch_keys().await;
    for _ in 0..30 {
        stand.clock.advance(LIFE / 60);
        for (_, orders) in &mut callers {
            orders.create_order(asked()).await.unwrap();
        }
    }
    for (client, _) in &callers {
        let counts = client.counts();
        assert_eq!((counts.fetched, counts.renewed), (1, 1), "{counts:?}");
    }
}

/// Keys that come over a watch and make no sense, or are somebody else's: the last good set stays.
#[tokio::test]
async fn bad_keys_over_a_watch_leave_the_last_good_set() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let mut stand = Stand::start().await;
    let evil = es256(9);
    let mut two_of_a_name = list(&[("k1", &evil), ("k1", &es256(1))]);
    two_of_a_name.keys[1].alg.clear();
    let mut garbage = list(&[("k1", &evil)]);
    garbage.keys[0].y = garbage.keys[0].x.clone();
    let mut foreign = list(&[("k1", &evil)]);
    foreign.issuer = "https://evil.test".to_owned();
    let mut huge = list(&[("k1", &evil)]);
    huge.keys[0].kid = "x".repeat(10 << 20);
    let rows = [
        ("of another issuer", foreign),
        ("two of a name", two_of_a_name),
        ("garbage", garbage),
        ("of 10 MB", huge),
        ("none", list(&[])),
    ];
    for (row, bad) in rows {
        let (tell, told) = tokio::sync::watch::channel(list(&[("k1", &stand.issuer_key)]));
        let url = crate::key_service::telling(told);
        stand.restart_as(guard(&url, &stand, &file)).await;
        let mut ready = stand.guard.readiness();
        let is_ready = ready.wait_for(|ready| *ready);
        tokio::time::timeout(Duration::from_secs(30), is_ready)
            .await
            .unwrap()
            .unwrap();
        let of = |kid: &str, key: &SigningKey| {
            let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
            let token = sign(key, &header, &stand.claims());
            Shown::new(&token, &stand.proof("CreateOrder", &token))
        };
        tell.send_replace(bad);
        for _ in 0..20 {
            stand.check(row, &stand.good(), Expected::Ok).await;
            stand.check(row, &of("k1", &evil), Expected::T).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // What is good is taken again: the bad was passed over, and not the end of it.
        let new = es256(8);
        tell.send_replace(list(&[("k1", &stand.issuer_key), ("k2", &new)]));
        let begun = tokio::time::Instant::now();
        while stand.create(&of("k2", &new)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{row}");
            stand.check(row, &stand.good(), Expected::Ok).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stand.check(row, &of("k1", &evil), Expected::T).await;
    }
}
