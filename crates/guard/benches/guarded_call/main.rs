//! A guarded call whose token was seen before, against its floor: the same
//! exchange with the same signature verified by hand, and nothing else.
//!
//! Both servers run on a thread of their own with a current-thread runtime, and
//! what is measured is that thread's processor time, so that neither the client
//! nor the machine's other work counts. The two take turns within one run; only
//! their ratio means something on another machine.
//!
//! `cargo bench -p countersign-guard --bench guarded_call`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made has failed, and its figures are its answer"
)]

use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::order_service_server::{OrderService, OrderServiceServer};
use countersign::example::v1::{
    CreateOrderRequest, CreateOrderResponse, ExchangeOrdersRequest, ExchangeOrdersResponse,
    GetOrderRequest, GetOrderResponse, ImportOrdersRequest, ImportOrdersResponse, Order,
    PingRequest, PingResponse, PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest,
    WatchOrdersResponse,
};
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::random;
use countersign_client::source::BoxFuture;
use countersign_dpop::{Ath, Jti, Mint, Minter, Origin, Target};
use countersign_guard::{
    Builder, Guard, KeySource, KeysUnavailable, NonceMode, PublishedKeys, Revocation,
    RevocationSource, Revocations, RevocationsTold, RevokedTarget, WatchFailed,
};
use countersign_jose::{Algorithm, Jwks, PublicKey, PublishedKey, SigningKey, base64url, jwks};
use criterion::Criterion;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt as _};
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

const ORIGIN: &str = "https://orders.test:8443";
const ISSUER: &str = "https://tokens.test";
/// With fewer, system calls hide what the server does.
const STREAMS: usize = 64;
/// About a second a round.
const CALLS_PER_ROUND: usize = 64 * 100;
const ROUNDS: usize = 9;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let callers = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let caller = Arc::new(Caller::new());
    let floor = Measured::start(&callers, caller.public(), None);
    let by = |knows| {
        let issuer = caller.issuer.public().clone();
        Measured::start(&callers, caller.public(), Some((issuer, knows)))
    };
    let guarded = by(Knows::Keys);
    let watching = by(Knows::Revocations);

    ratio("guarded call", &callers, &caller, &floor, &guarded);
    ratio(
        "guarded call, 1,000,000 tokens revoked and 100 more every second",
        &callers,
        &caller,
        &floor,
        &watching,
    );
    let mut group = criterion.benchmark_group("guarded_call");
    for (name, server) in [
        ("floor", &floor),
        ("guard, token seen before", &guarded),
        ("guard, a million revoked", &watching),
    ] {
        group.bench_function(name, |bench| {
            bench.iter_custom(|calls| {
                let calls = usize::try_from(calls).unwrap();
                server.measure(&callers, &caller, calls)
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Takes turns, so that what else the machine does falls on both.
fn ratio(
    what: &str,
    callers: &runtime::Runtime,
    caller: &Arc<Caller>,
    floor: &Measured,
    guarded: &Measured,
) {
    let micros = |server: &Measured| {
        let time = server.measure(callers, caller, CALLS_PER_ROUND);
        time.as_secs_f64() * 1e6 / CALLS_PER_ROUND as f64
    };
    let (_, _) = (micros(floor), micros(guarded));
    let mut rounds: Vec<(f64, f64, f64)> = (0..ROUNDS)
        .map(|_| (micros(floor), micros(guarded)))
        .map(|(floor, guarded)| (floor / guarded, floor, guarded))
        .collect();
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, floor, guarded) = rounds[ROUNDS / 2];
    println!(
        "{what}, {STREAMS} streams, processor time of the server's thread, median of {ROUNDS}: \
         floor {floor:.1} µs, guard {guarded:.1} µs, floor ÷ ours {ratio:.3} \
         (from {:.3} to {:.3})",
        rounds[0].0,
        rounds[ROUNDS - 1].0
    );
}

/// What a guard is told of.
#[derive(Copy, Clone)]
enum Knows {
    Keys,
    Revocations,
}

/// Tells of a million revocations, none of which hits the caller, and then of
/// one every ten milliseconds: what was looked up is looked up again each time.
struct Revoked;

const REVOKED: u64 = 1_000_000;
const AT_ONCE: u64 = 1_000;

impl RevocationSource for Revoked {
    fn watch(&self, _: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        let all = (0..REVOKED / AT_ONCE).map(|page| revoked(page * AT_ONCE, AT_ONCE));
        let more = tokio_stream::iter(REVOKED..).throttle(Duration::from_millis(10));
        let told = tokio_stream::iter(all).chain(more.map(|number| revoked(number, 1)));
        let told: Revocations = Box::pin(told.map(Ok));
        Box::pin(std::future::ready(Ok(told)))
    }
}

fn revoked(from: u64, count: u64) -> RevocationsTold {
    let now = SystemClock.now();
    RevocationsTold {
        revocations: (from..from + count)
            .map(|number| Revocation {
                target: RevokedTarget::Token(number.to_string()),
                revoked_at: now,
                forget_at: now.plus(Duration::from_secs(3_600)),
            })
            .collect(),
        cursor: String::new(),
        complete: from + count >= REVOKED,
        heartbeat: Duration::from_secs(5),
    }
}

/// A server on its own thread, whose processor time can be asked for.
struct Measured {
    channel: Channel,
    ask: mpsc::UnboundedSender<oneshot::Sender<Duration>>,
}

impl Measured {
    fn start(
        callers: &runtime::Runtime,
        caller: PublicKey,
        guarded: Option<(PublicKey, Knows)>,
    ) -> Self {
        let (ask, mut asked) = mpsc::unbounded_channel::<oneshot::Sender<Duration>>();
        let (address, listening) = oneshot::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                address.send(incoming.local_addr().unwrap()).unwrap();
                let incoming = incoming.with_nodelay(Some(true));
                let server: Pin<Box<dyn Future<Output = _>>> = match guarded {
                    None => {
                        let orders = OrderServiceServer::new(ByHand(caller));
                        Box::pin(
                            Server::builder()
                                .add_service(orders)
                                .serve_with_incoming(incoming),
                        )
                    }
                    Some((issuer, knows)) => {
                        let guard = guard(issuer, knows).await;
                        let orders = OrderServiceServer::new(Echo);
                        let server = Server::builder().layer(guard.layer()).add_service(orders);
                        Box::pin(server.serve_with_incoming(incoming))
                    }
                };
                let clock = async {
                    while let Some(reply) = asked.recv().await {
                        reply.send(thread_time()).unwrap();
                    }
                };
                tokio::select! {
                    served = server => served.unwrap(),
                    () = clock => {}
                }
            });
        });
        let channel = callers.block_on(async {
            let url = format!("http://{}", listening.await.unwrap());
            Channel::from_shared(url)
                .unwrap()
                .tcp_nodelay(true)
                .connect()
                .await
                .unwrap()
        });
        Self { channel, ask }
    }

    /// The server's processor time for so many calls.
    fn measure(&self, callers: &runtime::Runtime, caller: &Arc<Caller>, calls: usize) -> Duration {
        callers.block_on(async {
            let before = self.thread_time().await;
            let mut streams = JoinSet::new();
            for stream in 0..STREAMS {
                let caller = Arc::clone(caller);
                let mut orders = OrderServiceClient::new(self.channel.clone());
                let share = calls / STREAMS + usize::from(stream < calls % STREAMS);
                streams.spawn(async move {
                    for _ in 0..share {
                        orders.create_order(caller.request()).await.unwrap();
                    }
                });
            }
            streams.join_all().await;
            self.thread_time().await - before
        })
    }

    async fn thread_time(&self) -> Duration {
        let (reply, time) = oneshot::channel();
        self.ask.send(reply).unwrap();
        time.await.unwrap()
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
}

/// Makes calls: 300 bytes, and 1.4 KB of metadata.
struct Caller {
    issuer: SigningKey,
    minter: Minter,
    target: Target,
    token: String,
    ath: Ath,
    item: String,
}

impl Caller {
    fn new() -> Self {
        let issuer = SigningKey::generate_es256([1; 32]).unwrap();
        let minter = Minter::new(Arc::new(SigningKey::generate_es256([2; 32]).unwrap()));
        let now = SystemClock.now().as_secs();
        let claims = json!({
            "iss": ISSUER, "sub": "checkout", "client_id": "checkout", "aud": ORIGIN,
            "iat": now, "exp": now + 3600, "jti": "t1", "scope": "orders.read orders.write",
            "cnf": { "jkt": minter.jkt().to_string() },
        });
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
        let token = issuer
            .sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
            .unwrap();
        let path = "/countersign.example.v1.OrderService/CreateOrder";
        Self {
            target: Origin::parse(ORIGIN).unwrap().target(path).unwrap(),
            ath: Ath::of(&token),
            issuer,
            minter,
            token,
            item: "x".repeat(300),
        }
    }

    fn public(&self) -> PublicKey {
        self.minter.key().public().clone()
    }

    fn request(&self) -> Request<CreateOrderRequest> {
        let mint = Mint {
            jti: Jti::new(random::bytes().unwrap()),
            method: "POST",
            target: &self.target,
            iat: SystemClock.now(),
            nonce: None,
            ath: Some(&self.ath),
        };
        let proof = self.minter.mint(&mint).unwrap();
        let mut request = Request::new(CreateOrderRequest {
            item: self.item.clone(),
        });
        let metadata = request.metadata_mut();
        let sensitive = |text: &str| {
            let mut value = MetadataValue::try_from(text).unwrap();
            value.set_sensitive(true);
            value
        };
        metadata.insert("authorization", sensitive(&format!("DPoP {}", self.token)));
        metadata.insert("dpop", sensitive(&proof));
        request
    }
}

async fn guard(issuer: PublicKey, knows: Knows) -> Guard {
    let builder = Builder::new(ISSUER)
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .nonces(NonceMode::Off)
        .key_source(Arc::new(OneKey(issuer)));
    match knows {
        Knows::Keys => builder.connect().await.unwrap(),
        Knows::Revocations => {
            let builder = builder.revocation_source(Arc::new(Revoked));
            let guard = builder.connect().await.unwrap();
            assert!(guard.counts().revocations >= 1_000_000, "all are known");
            guard
        }
    }
}

struct OneKey(PublicKey);

impl KeySource for OneKey {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        let key = PublishedKey {
            kid: "k1",
            algorithm: Algorithm::Es256,
            key: &self.0,
        };
        let keys = Jwks::parse(jwks::publish(&[key]).as_bytes()).unwrap();
        Box::pin(std::future::ready(Ok(PublishedKeys {
            issuer: ISSUER.to_owned(),
            keys,
            max_age: Duration::from_secs(3600),
        })))
    }
}

fn echo(request: &CreateOrderRequest) -> Response<CreateOrderResponse> {
    let order = Order {
        order_id: "o".repeat(300),
        item: request.item.clone(),
        owner: "w".repeat(300),
    };
    Response::new(CreateOrderResponse { order: Some(order) })
}

/// Answers, and leaves the rest to the guard.
struct Echo;

/// Answers after the one thing that nobody can do without: verifying the
/// proof's signature, with a key that was parsed beforehand.
struct ByHand(PublicKey);

impl ByHand {
    fn verify(&self, request: &Request<CreateOrderRequest>) {
        let proof = request.metadata().get("dpop").unwrap().to_str().unwrap();
        let (input, signature) = proof.rsplit_once('.').unwrap();
        let signature: [u8; 64] = base64url::decode_array(signature).unwrap();
        self.0
            .verify(Algorithm::Es256, input.as_bytes(), &signature)
            .unwrap();
    }
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// CreateOrder is measured; the others are there because the service has them.
macro_rules! orders {
    ($server:ty, $create:expr) => {
        #[tonic::async_trait]
        impl OrderService for $server {
            async fn create_order(
                &self,
                request: Request<CreateOrderRequest>,
            ) -> Result<Response<CreateOrderResponse>, Status> {
                let create: fn(&Self, &Request<CreateOrderRequest>) = $create;
                create(self, &request);
                Ok(echo(request.get_ref()))
            }

            async fn get_order(
                &self,
                _: Request<GetOrderRequest>,
            ) -> Result<Response<GetOrderResponse>, Status> {
                Err(Status::unimplemented(""))
            }

            type WatchOrdersStream = Boxed<WatchOrdersResponse>;

            async fn watch_orders(
                &self,
                _: Request<WatchOrdersRequest>,
            ) -> Result<Response<Self::WatchOrdersStream>, Status> {
                Err(Status::unimplemented(""))
            }

            async fn import_orders(
                &self,
                _: Request<Streaming<ImportOrdersRequest>>,
            ) -> Result<Response<ImportOrdersResponse>, Status> {
                Err(Status::unimplemented(""))
            }

            type ExchangeOrdersStream = Boxed<ExchangeOrdersResponse>;

            async fn exchange_orders(
                &self,
                _: Request<Streaming<ExchangeOrdersRequest>>,
            ) -> Result<Response<Self::ExchangeOrdersStream>, Status> {
                Err(Status::unimplemented(""))
            }

            async fn ping(
                &self,
                _: Request<PingRequest>,
            ) -> Result<Response<PingResponse>, Status> {
                Ok(Response::new(PingResponse {}))
            }

            async fn purge_orders(
                &self,
                _: Request<PurgeOrdersRequest>,
            ) -> Result<Response<PurgeOrdersResponse>, Status> {
                Err(Status::unimplemented(""))
            }
        }
    };
}

orders!(Echo, |_, _| ());
orders!(ByHand, Self::verify);
