//! A guarded service on a socket, whose handler's calls and whose panics are counted.

use std::panic;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_dpop::Ath;
use countersign_guard::{Builder, Guard, NonceMode};
use countersign_jose::SigningKey;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Response, Status};
use tower::util::MapRequestLayer;

use crate::method::{Messages, Method};
use crate::orders::Orders;
use crate::pipe::{self, Pipe};
use crate::stand::{Stand, sign};

/// No case waits: whatever takes longer has got stuck, or was let in and waits for a message.
const CALL: Duration = Duration::from_secs(30);

/// Servers run on threads of this name, so that a panic of theirs is told from one of the test.
const SERVER_THREADS: &str = "guarded";

static SERVERS: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(SERVER_THREADS)
        .enable_all()
        .build()
        .unwrap()
});

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Remembers from now on what panics in a server.
pub(crate) fn hear_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if thread::current().name() == Some(SERVER_THREADS) {
            PANICS.lock().push(panic.to_string());
        }
        if !panic.payload().is::<OnPurpose>() {
            usual(panic);
        }
    }));
}

/// What has panicked in a server since the last time.
pub(crate) fn panics() -> Vec<String> {
    std::mem::take(&mut *PANICS.lock())
}

struct OnPurpose;

/// The control: a server that panics is found out.
pub(crate) fn a_panic_is_heard() -> Result<(), String> {
    let ended = SERVERS.spawn(async { panic::panic_any(OnPurpose) });
    let ended: Result<(), _> = SERVERS.block_on(ended);
    match (ended, &panics()[..]) {
        (Err(_), [_]) => Ok(()),
        (ended, heard) => Err(format!("{ended:?}, heard {heard:?}")),
    }
}

/// One value of each name in order; any bytes.
pub(crate) type Fields = Vec<(&'static str, Vec<u8>)>;

/// What is sent.
#[derive(Clone)]
pub(crate) enum Sent {
    /// As metadata, where metadata can hold it; else as a header block.
    Fields(Fields),
    /// As the header block of the call (RFC 7541).
    Block(Vec<u8>),
}

/// A guarded service, and a caller that can present anything.
pub(crate) struct Range {
    pub(crate) stand: Stand,
    /// What is called.
    pub(crate) method: Method,
    /// The caller's public key.
    pub(crate) jwk: Value,
    /// Its thumbprint.
    pub(crate) jkt: String,
    /// A key of the other kind. It makes the same signature every time.
    pub(crate) edwards: SigningKey,
    /// Where nonces are on, one that was handed out.
    pub(crate) nonce: String,
    address: String,
    channel: Channel,
    /// Idle connections for header blocks.
    pipes: Mutex<Vec<Pipe>>,
    handled: Arc<AtomicU64>,
}

impl Range {
    pub(crate) async fn start(nonces: NonceMode) -> Self {
        Self::with(nonces, |_| {}).await
    }

    /// One that shows every request to `seen` before the guard sees it.
    pub(crate) async fn with(
        nonces: NonceMode,
        seen: impl Fn(&http::Request<Body>) + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::configured(|builder| builder.nonces(nonces), seen).await
    }

    /// One whose guard is another.
    pub(crate) async fn configured(
        configure: impl FnOnce(Builder) -> Builder,
        seen: impl Fn(&http::Request<Body>) + Clone + Send + Sync + 'static,
    ) -> Self {
        let stand = Stand::with(configure).await;
        let (address, handled) = serve(&stand.guard, seen, OrderServiceServer::new(Orders));
        let channel = Channel::from_shared(address.clone()).unwrap();
        Self {
            method: Method::CreateOrder,
            jwk: serde_json::from_str(&stand.caller_key.public().to_jwk()).unwrap(),
            jkt: stand.caller_key.public().thumbprint().to_string(),
            edwards: SigningKey::generate_ed25519([3; 32]).unwrap(),
            nonce: String::new(),
            stand,
            channel: channel.connect_lazy(),
            address,
            pipes: Mutex::default(),
            handled,
        }
    }

    /// The header of a good proof.
    pub(crate) fn proof_header(&self) -> Value {
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk })
    }

    /// The claims of a good proof for `token`.
    pub(crate) fn proof_claims(&self, jti: &str, token: &str) -> Value {
        json!({
            "jti": jti, "htm": "POST", "htu": self.method.target(), "iat": self.stand.now(),
            "ath": Ath::of(token).to_string(),
        })
    }

    /// A good token for the holder of `key`.
    pub(crate) fn token_for(&self, key: &SigningKey) -> String {
        let mut claims = self.stand.claims();
        claims["cnf"] = json!({ "jkt": key.public().thumbprint().to_string() });
        self.stand.token_of(&claims)
    }

    /// A good proof for `token`.
    pub(crate) fn proof(&self, jti: &str, token: &str) -> String {
        let claims = self.proof_claims(jti, token);
        sign(&self.stand.caller_key, &self.proof_header(), &claims)
    }

    /// How often a handler was reached.
    pub(crate) fn handled(&self) -> u64 {
        self.handled.load(Ordering::SeqCst)
    }

    /// Hangs up where nothing is under way.
    pub(crate) fn hang_up(&self) {
        self.pipes.lock().clear();
    }

    pub(crate) async fn send(
        &self,
        sent: Sent,
        messages: Messages,
    ) -> Result<Response<()>, Status> {
        let answer = async {
            match sent {
                Sent::Block(block) => self.send_block(block, messages).await,
                Sent::Fields(fields) => match metadata(&fields) {
                    Some(metadata) => self.method.call(&self.channel, metadata, messages).await,
                    None => self.send_block(self.block_of(&fields), messages).await,
                },
            }
        };
        let answer = tokio::time::timeout(CALL, answer).await;
        answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer of any kind")))
    }

    /// The header block of a call with these fields.
    pub(crate) fn block_of(&self, fields: &Fields) -> Vec<u8> {
        let path = self.method.path();
        let mut all: Vec<(&str, &[u8])> = vec![
            (":method", b"POST"),
            (":scheme", b"http"),
            (":path", path.as_bytes()),
            (":authority", b"localhost"),
            ("content-type", b"application/grpc"),
            ("te", b"trailers"),
        ];
        all.extend(fields.iter().map(|(name, value)| (*name, &value[..])));
        pipe::block(&all)
    }

    async fn send_block(&self, block: Vec<u8>, messages: Messages) -> Result<Response<()>, Status> {
        let idle = self.pipes.lock().pop();
        let pipe = match idle {
            Some(pipe) => pipe,
            None => Pipe::connect(&self.address).await,
        };
        let answer = pipe.call(block, self.method, messages).await;
        // After an answer of the guard's the connection is as good as new.
        let well = match &answer {
            Ok(_) => true,
            Err(status) => !status.details().is_empty(),
        };
        if well {
            self.pipes.lock().push(pipe);
        }
        answer
    }
}

/// Serves behind the guard: where, and how often the handler was reached.
pub(crate) fn serve<S>(
    guard: &Guard,
    seen: impl Fn(&http::Request<Body>) + Clone + Send + Sync + 'static,
    service: S,
) -> (String, Arc<AtomicU64>)
where
    S: tower::Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = std::convert::Infallible,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let _on = SERVERS.enter();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", incoming.local_addr().unwrap());
    let handled = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&handled);
    let server = Server::builder()
        .layer(MapRequestLayer::new(move |request| {
            seen(&request);
            request
        }))
        .layer(guard.layer())
        .layer(MapRequestLayer::new(move |request: http::Request<Body>| {
            counted.fetch_add(1, Ordering::SeqCst);
            request
        }))
        .add_service(service);
    SERVERS.spawn(server.serve_with_incoming(incoming));
    (address, handled)
}

/// A token and a proof, as they should be presented, if they are good.
pub(crate) fn presented(token: &[u8], proof: &[u8]) -> Sent {
    Sent::Fields(fields(token, proof))
}

pub(crate) fn fields(token: &[u8], proof: &[u8]) -> Fields {
    vec![
        ("authorization", [b"DPoP ", token].concat()),
        ("dpop", proof.to_vec()),
    ]
}

/// The fields as metadata, if it can hold them.
fn metadata(fields: &Fields) -> Option<MetadataMap> {
    let mut headers = http::HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, http::HeaderValue::from_bytes(value).ok()?);
    }
    Some(MetadataMap::from_headers(headers))
}

/// What hyper takes of a header list (16 KiB), less what the other fields of a call need.
const HTTP2_BYTES: usize = 14 * 1024;

/// Whether HTTP/2 refuses these fields, being more than it takes for a call.
pub(crate) fn are_too_much(fields: &Fields) -> bool {
    fields.iter().map(|(_, value)| value.len()).sum::<usize>() > HTTP2_BYTES
}
