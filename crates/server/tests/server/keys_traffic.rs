//! Keys are replaced under the feet of callers that never stop: not one call is refused.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use countersign::admin::v1::{AuthenticationMethod, SigningKeyPurpose, SigningKeyState};
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, PingRequest,
    PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest, WatchOrdersResponse,
};
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign_client::clock::Clock;
use countersign_client::source::{AccessToken, BoxFuture, Cached, ClientCredentials, Fetch};
use countersign_client::{Countersign, Credential, Secret, TokenError};
use countersign_guard::{Builder, KeySource, KeysUnavailable, PublishedKeys};
use countersign_jose::{Jwks, UnixTime};
use countersign_server::Config;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, RwLock};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::flow::{rotate as refresh, signed_in};
use crate::harness::{
    Client, HandClock, ORDERS, Service, WARM, person_client, service_client, with_proof,
};
use crate::keys::{active, kids, revoke, rotate};
use crate::proof::{Draft, Key};

/// As many replacements as there must be at least.
const ROTATIONS: usize = 50;

/// Longer than a key set may be kept, and a minute: the next key is ready.
const READY: Duration = Duration::from_secs(400);

/// A verifier at the very edge of what it may do: it keeps a key set to the last second of its age,
/// whoever asks for another, and so knows a key no sooner than it must.
struct Edge {
    keys: Mutex<Option<(UnixTime, PublishedKeys)>>,
    service: KeyServiceClient<Channel>,
    clock: Arc<HandClock>,
}

impl KeySource for Edge {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        Box::pin(async {
            let mut held = self.keys.lock().await;
            let now = self.clock.now();
            if let Some((until, keys)) = &*held
                && now < *until
            {
                return Ok(keys.clone());
            }
            let mut service = self.service.clone();
            let answer = service.list_keys(ListKeysRequest {}).await;
            let answer = answer.map_err(KeysUnavailable::new)?.into_inner();
            let keys: Vec<_> = answer
                .keys
                .iter()
                .map(|key| {
                    serde_json::json!({
                        "kid": key.kid, "alg": key.alg, "kty": key.kty,
                        "crv": key.crv, "x": key.x, "y": key.y,
                    })
                })
                .collect();
            let set = serde_json::json!({ "keys": keys }).to_string();
            let age = Duration::from_secs(answer.max_age.expect("an age").seconds as u64);
            let keys = PublishedKeys {
                issuer: answer.issuer,
                keys: Jwks::parse(set.as_bytes()).map_err(KeysUnavailable::new)?,
                max_age: age,
            };
            *held = Some((now.plus(age), keys.clone()));
            Ok(keys)
        })
    }
}

/// Fetches tokens while the clock stands still: a proof is not good any more when the clock was moved
/// between its making and its arrival, and a renewal in the background is no call that is under way.
struct Unmoved {
    fetch: ClientCredentials,
    fetching: Arc<RwLock<()>>,
}

impl Fetch for Unmoved {
    fn fetch(&self) -> BoxFuture<'_, Result<AccessToken, TokenError>> {
        Box::pin(async {
            let _fetching = self.fetching.read().await;
            self.fetch.fetch().await
        })
    }
}

/// A token service, a guarded service, and callers.
struct Traffic {
    service: Service,
    /// Held while a call is under way; written while the clock is moved, which is not what is
    /// tried here.
    moving: RwLock<()>,
    /// The same for requests for tokens.
    fetching: Arc<RwLock<()>>,
    calls: AtomicU64,
    stop: AtomicBool,
    edge: Arc<Edge>,
    url: String,
}

impl Traffic {
    async fn start(age: Duration) -> (Arc<Self>, Client, Client) {
        let change = |config: &mut Config| {
            config.issuer = None;
            config.key_set_max_age = age;
        };
        let service = Service::start_with(change).await;
        service.add_orders().await;
        let checkout = service
            .add(service_client(
                "checkout",
                &[(ORDERS, &["orders.read", "orders.write"])],
            ))
            .await;
        let issuer = service.issuer().to_owned();
        let login = service
            .add(service_client(
                "login",
                &[(issuer.as_str(), &["authorizations.decide"])],
            ))
            .await;
        let edge = Edge {
            keys: Mutex::default(),
            service: KeyServiceClient::new(service.public().await),
            clock: Arc::clone(&service.clock),
        };
        let edge = Arc::new(edge);
        let url = guarded(&service, Arc::clone(&edge) as Arc<dyn KeySource>).await;
        service.clock.advance(WARM);
        let traffic = Arc::new(Self {
            service,
            moving: RwLock::default(),
            fetching: Arc::default(),
            calls: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            edge,
            url,
        });
        (traffic, checkout, login)
    }

    async fn countersign(&self, client: &Client) -> Countersign {
        let secret = client.secret.clone().expect("a secret");
        countersign_client::Builder::new(self.service.running().url())
            .client(
                client.id.clone(),
                Credential::ClientSecret(Secret::from(secret)),
            )
            .clock(Arc::clone(&self.service.clock) as Arc<dyn Clock>)
            .connect()
            .await
            .expect("connects")
    }

    async fn orders(
        &self,
        client: &Client,
    ) -> OrderServiceClient<countersign_client::GuardedChannel> {
        let countersign = self.countersign(client).await;
        let fetch = Unmoved {
            fetch: ClientCredentials::new(
                countersign.token_service(),
                Vec::new(),
                vec![ORDERS.to_owned()],
            ),
            fetching: Arc::clone(&self.fetching),
        };
        let clock = Arc::clone(&self.service.clock) as Arc<dyn Clock>;
        let channel = countersign
            .channel(self.url.clone())
            .tokens(Arc::new(Cached::new(fetch, clock)))
            .connect()
            .await
            .expect("connects");
        OrderServiceClient::new(channel)
    }

    /// Calls without end.
    async fn call(self: Arc<Self>, client: Client) -> Result<(), Status> {
        let mut orders = self.orders(&client).await;
        while !self.stop.load(Ordering::SeqCst) {
            let _call = self.moving.read().await;
            orders.create_order(CreateOrderRequest::default()).await?;
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Rotates a refresh token without end.
    async fn refresh(self: Arc<Self>, login: Client, shop: Client) -> Result<(), Status> {
        let key = Key::new();
        let mut newest = {
            // A code does not outlive a clock that is moved before it is redeemed.
            let _call = self.moving.read().await;
            let first = signed_in(&self.service, &login, &shop, &key).await;
            first.refresh_token
        };
        while !self.stop.load(Ordering::SeqCst) {
            {
                let _call = self.moving.read().await;
                newest = refresh(&self.service, &shop, &key, &newest, &[])
                    .await?
                    .refresh_token;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits until so many more calls were answered, or a caller has ended.
    async fn more(&self, calls: u64) {
        let until = self.calls.load(Ordering::SeqCst) + calls;
        while self.calls.load(Ordering::SeqCst) < until && !self.stop.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn advance(&self, by: Duration) {
        // In this order: a call that is under way may wait for a token.
        let _moving = self.moving.write().await;
        let _fetching = self.fetching.write().await;
        self.service.clock.advance(by);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_rotations_refuse_no_call() {
    let (traffic, checkout, login) = Traffic::start(Duration::from_secs(300)).await;
    let shop = person_client("shop", AuthenticationMethod::ClientSecret);
    let shop = traffic.service.add(shop).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        callers.spawn(stopping(
            &traffic,
            Arc::clone(&traffic).call(checkout.clone()),
        ));
    }
    callers.spawn(stopping(
        &traffic,
        Arc::clone(&traffic).refresh(login, shop),
    ));

    let signing = SigningKeyPurpose::AccessTokens;
    let mut signers = HashSet::from([active(&traffic.service, signing).await]);
    let mut makers = HashSet::from([active(&traffic.service, SigningKeyPurpose::Handles).await]);
    while signers.len() <= ROTATIONS && !traffic.stop.load(Ordering::SeqCst) {
        // Too early, as an operator in a hurry: it must wait.
        rotate(&traffic.service, signing).await;
        signers.insert(active(&traffic.service, signing).await);
        // A caller that begins now has a token of whatever key is active.
        let mut newcomer = traffic.orders(&checkout).await;
        let called = newcomer.create_order(CreateOrderRequest::default()).await;
        called.expect("no call is refused");
        for _ in 0..4 {
            traffic.more(12).await;
            traffic.advance(READY / 4).await;
        }
        if signers.len() % 10 == 0 {
            rotate(&traffic.service, SigningKeyPurpose::Handles).await;
            makers.insert(active(&traffic.service, SigningKeyPurpose::Handles).await);
        }
        // The last moment to take a key set without the key that is made now.
        traffic.edge.fetch().await.expect("a key set");
        rotate(&traffic.service, signing).await;
        signers.insert(active(&traffic.service, signing).await);
    }
    traffic.more(12).await;
    traffic.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.expect("no panic").expect("no call is refused");
    }
    assert!(
        signers.len() > ROTATIONS && makers.len() > 3,
        "{}",
        makers.len()
    );
    let calls = traffic.calls.load(Ordering::SeqCst);
    assert!(calls >= 48 * ROTATIONS as u64 / 2, "{calls} calls");
    println!(
        "{} signing keys, {} MAC keys, {calls} calls",
        signers.len(),
        makers.len()
    );
}

/// One that fails stops the others, and the test.
fn stopping(
    traffic: &Arc<Traffic>,
    caller: impl Future<Output = Result<(), Status>> + Send + 'static,
) -> impl Future<Output = Result<(), Status>> + Send + 'static {
    let traffic = Arc::clone(traffic);
    async move {
        let ended = caller.await;
        traffic.stop.store(true, Ordering::SeqCst);
        ended
    }
}

/// Once the guard has the new key set, a token of the revoked key is refused, although it was seen
/// before and has not expired; and callers go on with tokens of the next key.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_by_guards_that_have_seen_its_tokens() {
    let (traffic, checkout, _) = Traffic::start(Duration::from_secs(10)).await;
    let (service, key) = (&traffic.service, Key::new());
    let token = service.issue(&checkout, &key).await.expect("issued");
    let token = token.access_token;
    let raw = Channel::from_shared(traffic.url.clone()).expect("a URL");
    let mut raw = OrderServiceClient::new(raw.connect().await.expect("connects"));
    let call = || {
        let path = "/countersign.example.v1.OrderService/CreateOrder";
        let htu = format!("{}{path}", traffic.url);
        let proof = Draft::new(&key, &htu, service.now());
        let proof = proof.ath(&token).sign(&key);
        let mut request = with_proof(CreateOrderRequest::default(), &proof);
        let value = format!("DPoP {token}").parse().expect("ASCII");
        request.metadata_mut().insert("authorization", value);
        request
    };
    raw.create_order(call()).await.expect("of the old key");
    raw.create_order(call()).await.expect("seen before");

    let signing = SigningKeyPurpose::AccessTokens;
    let old = active(service, signing).await;
    revoke(service, &old).await.expect("revoked");
    // The guard's key set comes of age. It asks again when a token names a key that it does not
    // know, and in the background; here the next key was in the set from the beginning.
    traffic.advance(Duration::from_secs(11)).await;
    let mut others = traffic.orders(&checkout).await;
    let others = others.create_order(CreateOrderRequest::default()).await;
    others.expect("of the next key");
    let mut looks = 0;
    while raw.create_order(call()).await.is_ok() {
        looks += 1;
        assert!(looks < 600, "a guard asks every five seconds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let refused = raw.create_order(call()).await.expect_err("and from now on");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let kept = kids(service, signing, SigningKeyState::Retiring).await;
    assert_eq!(kept, [""; 0], "it does not retire, it is gone");
}

/// Serves orders behind a guard with this key source, and says where.
async fn guarded(service: &Service, keys: Arc<dyn KeySource>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let guard = Builder::new(service.running().url())
        .serve_as(url.clone(), ORDERS)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .key_source(keys)
        .key_fetch_interval(Duration::ZERO)
        .clock(Arc::clone(&service.clock) as Arc<dyn Clock>)
        .connect()
        .await
        .expect("a guard");
    let server = Server::builder()
        .layer(guard.layer())
        .add_service(OrderServiceServer::new(Orders))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    url
}

struct Orders;

type Sends<T> = tokio_stream::Iter<std::vec::IntoIter<Result<T, Status>>>;

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        _: Request<CreateOrderRequest>,
    ) -> Result<Response<CreateOrderResponse>, Status> {
        Ok(Response::new(CreateOrderResponse::default()))
    }

    async fn get_order(
        &self,
        _: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        Ok(Response::new(GetOrderResponse::default()))
    }

    type WatchOrdersStream = Sends<WatchOrdersResponse>;

    async fn watch_orders(
        &self,
        _: Request<WatchOrdersRequest>,
    ) -> Result<Response<Self::WatchOrdersStream>, Status> {
        Ok(Response::new(tokio_stream::iter(Vec::new())))
    }

    async fn import_orders(
        &self,
        _: Request<Streaming<ImportOrdersRequest>>,
    ) -> Result<Response<ImportOrdersResponse>, Status> {
        Ok(Response::new(ImportOrdersResponse::default()))
    }

    type ExchangeOrdersStream = Sends<ExchangeOrdersResponse>;

    async fn exchange_orders(
        &self,
        _: Request<Streaming<ExchangeOrdersRequest>>,
    ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
        Ok(Response::new(tokio_stream::iter(Vec::new())))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Result<Response<PingResponse>, Status> {
        Ok(Response::new(PingResponse {}))
    }

    async fn purge_orders(
        &self,
        _: Request<PurgeOrdersRequest>,
    ) -> Result<Response<PurgeOrdersResponse>, Status> {
        Ok(Response::new(PurgeOrdersResponse {}))
    }
}
