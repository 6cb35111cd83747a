//! The key set as a token service publishes it.

use std::sync::Arc;
use std::time::Duration;

use countersign::keys::v1::key_service_server::{KeyService, KeyServiceServer};
use countersign::keys::v1::{
    ListKeysRequest, ListKeysResponse, VerificationKey, WatchKeysRequest, WatchKeysResponse,
};
use countersign_client::clock::Clock;
use countersign_guard::{BuildError, Builder, NonceMode};
use countersign_jose::SigningKey;
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, Pending};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::stand::{Expected, ISSUER, ORIGIN, Shown, Stand, es256, sign};

#[derive(Clone)]
struct Published(Arc<Mutex<ListKeysResponse>>);

#[tonic::async_trait]
impl KeyService for Published {
    async fn list_keys(
        &self,
        _: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        Ok(Response::new(self.0.lock().clone()))
    }

    type WatchKeysStream = Pending<Result<WatchKeysResponse, Status>>;

    /// As a release that cannot tell.
    async fn watch_keys(
        &self,
        _: Request<WatchKeysRequest>,
    ) -> Result<Response<Self::WatchKeysStream>, Status> {
        Err(Status::unimplemented("the test says so"))
    }
}

/// Tells new keys, and lists none.
struct Watched(watch::Receiver<ListKeysResponse>);

#[tonic::async_trait]
impl KeyService for Watched {
    async fn list_keys(
        &self,
        _: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        Err(Status::unavailable("the test says so"))
    }

    type WatchKeysStream = BoxStream<'static, Result<WatchKeysResponse, Status>>;

    async fn watch_keys(
        &self,
        _: Request<WatchKeysRequest>,
    ) -> Result<Response<Self::WatchKeysStream>, Status> {
        let told = WatchStream::new(self.0.clone()).map(|keys| {
            Ok(WatchKeysResponse {
                key_set: Some(keys),
                heartbeat_interval: None,
            })
        });
        Ok(Response::new(told.boxed()))
    }
}

#[tokio::test]
async fn keys_are_used_and_dropped_as_they_are_told() {
    let (tell, told) = watch::channel(list(&[("k1", &es256(1))]));
    let url = telling(told);
    let mut stand = Stand::start().await;
    let clock = Arc::clone(&stand.clock) as Arc<dyn Clock>;
    let builder = Builder::new(url)
        .issuer(ISSUER)
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .nonces(NonceMode::Off)
        .clock(clock);
    stand.restart_as(builder).await;
    let mut ready = stand.guard.readiness();
    let soon = Duration::from_secs(30);
    let is_ready = ready.wait_for(|ready| *ready);
    tokio::time::timeout(soon, is_ready).await.unwrap().unwrap();
    stand.check("told", &stand.good(), Expected::Ok).await;

    // The token was seen, and is dropped with its key.
    tell.send_replace(list(&[("k2", &es256(3))]));
    let refused = async {
        while stand.create(&stand.good()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(soon, refused).await.unwrap();
    stand
        .check("its key is gone", &stand.good(), Expected::T)
        .await;
}

/// A token service that tells these keys, and whatever they change to. Its URL.
pub(crate) fn telling(told: watch::Receiver<ListKeysResponse>) -> String {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", incoming.local_addr().unwrap());
    let server = Server::builder().add_service(KeyServiceServer::new(Watched(told)));
    tokio::spawn(server.serve_with_incoming(incoming));
    url
}

impl Published {
    fn start(keys: ListKeysResponse) -> (Self, String) {
        let published = Self(Arc::new(Mutex::new(keys)));
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", incoming.local_addr().unwrap());
        let server = Server::builder().add_service(KeyServiceServer::new(published.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        (published, url)
    }
}

pub(crate) fn list(keys: &[(&str, &SigningKey)]) -> ListKeysResponse {
    let key = |(kid, key): &(&str, &SigningKey)| {
        let jwk: Value = serde_json::from_str(&key.public().to_jwk()).unwrap();
        let member = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
        VerificationKey {
            kid: (*kid).to_owned(),
            alg: key.algorithm().name().to_owned(),
            kty: member("kty"),
            crv: member("crv"),
            x: member("x"),
            y: member("y"),
        }
    };
    ListKeysResponse {
        keys: keys.iter().map(key).collect(),
        max_age: None,
        issuer: ISSUER.to_owned(),
    }
}

fn asking(url: &str, stand: &Stand) -> Builder {
    Builder::new(url)
        .issuer(ISSUER)
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .nonces(NonceMode::Off)
        .key_fetch_interval(Duration::ZERO)
        .clock(Arc::clone(&stand.clock) as Arc<dyn Clock>)
}

fn of_key(stand: &Stand, kid: &str, key: &SigningKey) -> Shown {
    let header = json!({ "alg": key.algorithm().name(), "typ": "at+jwt", "kid": kid });
    let token = sign(key, &header, &stand.claims());
    Shown::new(&token, &stand.proof("CreateOrder", &token))
}

#[tokio::test]
async fn keys_are_asked_for_over_grpc() {
    let mut stand = Stand::start().await;
    let edwards = SigningKey::generate_ed25519([4; 32]).unwrap();
    let (published, url) = Published::start(list(&[("k1", &stand.issuer_key), ("e1", &edwards)]));
    let builder = asking(&url, &stand);
    stand.restart_as(builder).await;
    assert!(*stand.guard.readiness().borrow());
    stand.check("ES256", &stand.good(), Expected::Ok).await;
    let shown = of_key(&stand, "e1", &edwards);
    stand.check("Ed25519", &shown, Expected::Ok).await;

    let new = es256(8);
    let unknown = || of_key(&stand, "k2", &new);
    let good = list(&[("k1", &stand.issuer_key), ("k2", &new)]);
    let bad = [
        ("empty", list(&[])),
        ("of a key off the curve", {
            let mut keys = good.clone();
            keys.keys[1].y = keys.keys[1].x.clone();
            keys
        }),
        ("of 10 MB", {
            let mut keys = good.clone();
            keys.keys[0].kid = "x".repeat(10 << 20);
            keys
        }),
        ("of 33 keys", {
            let mut keys = good.clone();
            keys.keys = (0..33)
                .map(|n| VerificationKey {
                    kid: n.to_string(),
                    ..good.keys[1].clone()
                })
                .collect();
            keys
        }),
        ("of another issuer", {
            let mut keys = good.clone();
            keys.issuer = format!("{ISSUER}/");
            keys
        }),
    ];
    for (row, keys) in bad {
        *published.0.lock() = keys;
        stand.check(row, &unknown(), Expected::T).await;
        stand
            .check("the last good set", &stand.good(), Expected::Ok)
            .await;
    }
    *published.0.lock() = good.clone();
    stand.check("a good set", &unknown(), Expected::Ok).await;
}

#[tokio::test]
async fn the_token_services_name_is_checked_at_the_start() {
    let stand = Stand::start().await;
    let (_, url) = Published::start(list(&[("k1", &stand.issuer_key)]));
    let error = asking(&url, &stand)
        .issuer(&url)
        .connect()
        .await
        .unwrap_err();
    assert!(matches!(error, BuildError::OtherIssuer { .. }));
    assert!(
        error.to_string().contains(&format!("issuer({ISSUER:?})")),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_service_that_is_away_is_waited_for() {
    let mut stand = Stand::start().await;
    let builder = asking("http://127.0.0.1:1", &stand);
    stand.restart_as(builder).await;
    assert!(!*stand.guard.readiness().borrow());
    stand
        .check("nobody can vouch", &stand.good(), Expected::Unreachable)
        .await;
}
