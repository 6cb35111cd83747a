//! Instructions of a guarded call and of a guarded HTTP request, without the network: the guard in
//! front of a handler that does nothing, counted under valgrind: the same on every run, so that slow decay shows.
//! `tests/instructions/main.rs` compares them with what they were.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made has failed"
)]
#![expect(missing_docs, reason = "the macros make public items")]

use std::convert::Infallible;
use std::future::Ready;
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use countersign_client::clock::Clock;
use countersign_client::source::BoxFuture;
use countersign_dpop::{Ath, Jti, Mint, Minter, Origin};
use countersign_guard::layer::http::HttpGuardService;
use countersign_guard::layer::{GuardBody, GuardService};
use countersign_guard::{Builder, Guard, KeySource, KeysUnavailable, NonceMode, PublishedKeys};
use countersign_jose::{Jwks, PublicKey, PublishedKey, SigningKey, UnixTime, jwks};
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::runtime::{self, Runtime};
use tonic::body::Body;
use tower_layer::Layer as _;
use tower_service::Service;

const ORIGIN: &str = "https://orders.internal:8443";
const PATH: &str = "/countersign.example.v1.OrderService/CreateOrder";
const ISSUER: &str = "https://tokens.internal:7443";
const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);

/// Of HTTP.
const ORDERS: &str = "/orders";
const RULES: &str = "[\"POST /orders\"]\nscopes = [\"orders.write\"]";

/// A guard, and a call that it has not seen.
struct Stand<S> {
    runtime: Runtime,
    service: S,
    request: Request<Body>,
}

type Grpc = Stand<GuardService<Handler>>;
type Http = Stand<HttpGuardService<Answers>>;

/// A caller and the issuer of its tokens. Ed25519: its signatures are functions of key and text,
/// so their checks always count the same.
struct Caller {
    issuer: SigningKey,
    minter: Minter,
}

impl Caller {
    fn new() -> Self {
        Self {
            issuer: SigningKey::generate_ed25519([1; 32]).unwrap(),
            minter: Minter::new(Arc::new(SigningKey::generate_ed25519([2; 32]).unwrap())),
        }
    }

    fn token(&self, jti: &str) -> String {
        let (jkt, now) = (self.minter.jkt(), NOW.as_secs());
        let claims = format!(
            r#"{{"iss":"{ISSUER}","sub":"checkout","aud":"{ORIGIN}","client_id":"checkout","scope":"orders.read orders.write","cnf":{{"jkt":"{jkt}"}},"iat":{now},"exp":{},"jti":"{jti}"}}"#,
            now + 300
        );
        let header = br#"{"typ":"at+jwt","alg":"Ed25519","kid":"k1"}"#;
        self.issuer.sign_compact(header, claims.as_bytes()).unwrap()
    }

    fn request(&self, path: &str, token: &str, jti: u8) -> Request<Body> {
        let mint = Mint {
            jti: Jti::new([jti; 16]),
            method: "POST",
            target: &Origin::parse(ORIGIN).unwrap().target(path).unwrap(),
            iat: NOW,
            nonce: None,
            ath: Some(&Ath::of(token)),
        };
        let proof = self.minter.mint(&mint).unwrap();
        Request::post(format!("{ORIGIN}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "tonic/0.14")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof)
            .body(Body::empty())
            .unwrap()
    }
}

/// Each call is made by a process that has served two calls before, so that what it does only once
/// is not counted: the second of them with `seen`, the token it may come with again.
fn stand<S>(
    path: &str,
    seen: &str,
    presented: &str,
    service: impl FnOnce(&Guard) -> S,
    call: impl Fn(&mut Stand<S>),
) -> Stand<S> {
    let caller = Caller::new();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let guard = Builder::new(ISSUER)
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .rules(RULES)
        .nonces(NonceMode::Off)
        .key_source(Arc::new(OneKey(caller.issuer.public().clone())))
        .clock(Arc::new(Stopped))
        .connect();
    let guard = runtime.block_on(guard).unwrap();
    let mut stand = Stand {
        runtime,
        service: service(&guard),
        request: caller.request(path, &caller.token("AwMDAwMDAwMDAwMDAwMDAg"), 1),
    };
    for jti in [2, 3] {
        call(&mut stand);
        stand.request = caller.request(path, &caller.token(seen), jti);
    }
    call(&mut stand);
    stand.request = caller.request(path, &caller.token(presented), 4);
    stand
}

fn grpc(seen: &str, presented: &str) -> Grpc {
    let service = |guard: &Guard| guard.layer().layer(Handler);
    stand(PATH, seen, presented, service, |stand| {
        drop(stand.call());
    })
}

fn http(seen: &str, presented: &str) -> Http {
    let service = |guard: &Guard| guard.http_layer().layer(Answers);
    stand(ORDERS, seen, presented, service, |stand| {
        stand.exchange();
    })
}

const SEEN: &str = "AwMDAwMDAwMDAwMDAwMDAw";
const NEW: &str = "BAQEBAQEBAQEBAQEBAQEBA";

impl Grpc {
    fn call(&mut self) -> Response<GuardBody<Body>> {
        let request = std::mem::take(&mut self.request);
        let answer = self.service.call(black_box(request));
        let response = self.runtime.block_on(answer).unwrap();
        // Trailers of a refusal stand in the headers.
        assert!(!response.headers().contains_key("grpc-status"));
        response
    }
}

impl Http {
    /// To the end of the answer's body, and of whatever was to end it.
    fn exchange(&mut self) -> usize {
        let request = std::mem::take(&mut self.request);
        let answer = self.service.call(black_box(request));
        self.runtime.block_on(async {
            let response = answer.await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            tokio::task::yield_now().await;
            body.len()
        })
    }
}

#[library_benchmark]
#[bench::token_seen(grpc(SEEN, SEEN))]
#[bench::token_new(grpc(SEEN, NEW))]
fn guarded_call(mut stand: Grpc) -> (Response<GuardBody<Body>>, Grpc) {
    (stand.call(), stand)
}

#[library_benchmark]
#[bench::token_seen(http(SEEN, SEEN))]
fn guarded_request(mut stand: Http) -> (usize, Http) {
    (stand.exchange(), stand)
}

library_benchmark_group!(name = guard, benchmarks = [guarded_call, guarded_request]);
main!(library_benchmark_groups = guard);

/// Answers, and does nothing else.
#[derive(Clone)]
struct Handler;

impl Service<Request<Body>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        black_box(request);
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

/// Answers with a body, which is over when it was read.
#[derive(Clone)]
struct Answers;

impl<B> Service<Request<B>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        black_box(request.headers());
        let body = Full::new(Bytes::from_static(b"an order"));
        std::future::ready(Ok(Response::new(body)))
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> UnixTime {
        NOW
    }
}

struct OneKey(PublicKey);

impl KeySource for OneKey {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        let key = PublishedKey {
            kid: "k1",
            algorithm: countersign_jose::Algorithm::Ed25519,
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
