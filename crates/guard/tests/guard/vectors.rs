//! Every published vector through a guarded channel.
//!
//! The guard stands at the vectors' origins, tells the vectors' time and has the vectors' nonce
//! key. What differs: a guard wants an access token and its `ath`, so the proofs are given one.

#[path = "vectors/published.rs"]
pub(crate) mod published;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use countersign_client::clock::Clock;
use countersign_dpop::{Ath, NonceKey};
use countersign_guard::{Builder, Guard, KeySource, NonceMode};
use countersign_jose::{base64url, sha256};
use http::{HeaderValue, Request, Response};
use prost_reflect::prost::Message as _;
use prost_reflect::prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::prost_types::{FileDescriptorProto, MethodDescriptorProto};
use serde_json::json;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tower::{Service, ServiceExt as _};

use crate::stand::{Expected, ISSUER, Stand};
use published::{Document, Keys, PATH, Refusals, Rule, Signed, Terms, Vector};

/// The service of the vectors: whatever reaches it is answered with OK.
#[derive(Clone)]
pub(crate) struct Orders;

impl NamedService for Orders {
    const NAME: &'static str = "orders.v1.Orders";
}

impl Service<Request<Body>> for Orders {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Status::ok("").into_http()))
    }
}

/// A descriptor set in which its method has a rule.
fn descriptors() -> Vec<u8> {
    let field = |onto: &mut Vec<u8>, number: u32, value: &[u8]| {
        encode_key(number, WireType::LengthDelimited, onto);
        encode_varint(value.len() as u64, onto);
        onto.extend_from_slice(value);
    };
    let rule = countersign::policy::v1::Rule {
        scopes: vec!["orders.write".to_owned()],
        ..Default::default()
    };
    // Options are put in by hand: prost's own types would drop the extension.
    let mut options = Vec::new();
    field(&mut options, 59449, &rule.encode_to_vec());
    let mut method = MethodDescriptorProto {
        name: Some("Create".to_owned()),
        input_type: Some(".countersign.policy.v1.Rule".to_owned()),
        output_type: Some(".countersign.policy.v1.Rule".to_owned()),
        ..MethodDescriptorProto::default()
    }
    .encode_to_vec();
    field(&mut method, 4, &options);
    let mut service = Vec::new();
    field(&mut service, 1, b"Orders");
    field(&mut service, 2, &method);
    let mut file = FileDescriptorProto {
        name: Some("orders.proto".to_owned()),
        package: Some("orders.v1".to_owned()),
        dependency: vec!["countersign/policy/v1/rule.proto".to_owned()],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
    .encode_to_vec();
    field(&mut file, 6, &service);
    let mut set = Vec::new();
    field(&mut set, 1, &file);
    set
}

/// A guard on these terms, at the vectors' time.
pub(crate) async fn guard(stand: &Stand, document: &Document, terms: &Terms) -> Guard {
    // Long enough ago for a start to be forgotten.
    let long_ago = document.now_secs - 10_000;
    let (mode, started_secs) = match terms.rule {
        Rule::Off => (NonceMode::Off, long_ago),
        Rule::WhenIatIsOff => (NonceMode::WhereNeeded, long_ago),
        Rule::Required => (NonceMode::Always, long_ago),
        // A guard that shares its key leaves a margin of 10 s after its start.
        Rule::ColdStart { minted_from_secs } => (NonceMode::WhereNeeded, minted_from_secs - 10),
    };
    set_clock(stand, started_secs);
    let mut builder = Builder::new(ISSUER)
        .descriptors(descriptors())
        .rules(format!("[\"POST {PATH}\"]\nscopes = [\"orders.write\"]"))
        .limits(terms.limits)
        .nonces(mode)
        .nonce_key(NonceKey::new(document.nonce_key))
        .clock(Arc::clone(&stand.clock) as Arc<dyn Clock>)
        .key_source(Arc::clone(&stand.keys) as Arc<dyn KeySource>);
    for origin in &document.origins {
        builder = builder.serve(origin);
    }
    let guard = builder.connect().await.unwrap();
    set_clock(stand, document.now_secs);
    guard
}

fn set_clock(stand: &Stand, secs: u64) {
    let now = stand.now();
    stand
        .clock
        .advance(Duration::from_secs(secs.saturating_sub(now)));
    stand
        .clock
        .go_back(Duration::from_secs(now.saturating_sub(secs)));
}

async fn channel(guard: &Guard) -> Channel {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = format!("http://{}", incoming.local_addr().unwrap());
    let server = Server::builder().layer(guard.layer()).add_service(Orders);
    tokio::spawn(server.serve_with_incoming(incoming));
    Channel::from_shared(address)
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// A call by hand: whatever method, path and proof.
pub(crate) async fn call(
    channel: &Channel,
    vector: &Vector,
    token: &str,
    proof: &str,
) -> Result<tonic::Response<()>, Status> {
    let mut request = Request::builder()
        .method(vector.method.as_str())
        .uri(format!("http://localhost{}", vector.path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::empty())
        .unwrap();
    let headers = request.headers_mut();
    let token = HeaderValue::try_from(format!("DPoP {token}")).unwrap();
    headers.insert("authorization", token);
    headers.insert("dpop", HeaderValue::try_from(proof).unwrap());
    let response = channel.clone().oneshot(request).await.unwrap();
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() as i32 == 0 => Ok(tonic::Response::new(())),
        Some(status) => Err(status),
        None => Err(Status::unknown(response.status().to_string())),
    }
}

/// An access token for everything here, bound to the key of the proof.
pub(crate) fn token(
    stand: &Stand,
    document: &Document,
    key: &countersign_jose::SigningKey,
) -> String {
    let mut claims = stand.claims();
    claims["aud"] = json!(document.origins);
    claims["cnf"] = json!({ "jkt": key.public().thumbprint().to_string() });
    stand.token_of(&claims)
}

/// The vector's proof for a guard: with the `ath` of our access token, or as wrong as it was.
fn for_guard(vector: &Vector, mut signed: Signed, token: &str, number: usize) -> String {
    signed.jti(number);
    let ours = Ath::of(token).to_string();
    match &vector.access_token {
        None if signed.says("ath") => {}
        None => {
            signed.payload.pop();
            signed.payload.push_str(&format!(",\"ath\":\"{ours}\"}}"));
        }
        Some(theirs) => {
            let ours_of_all = sha256(&[format!("DPoP {token}").as_bytes()]);
            let theirs_of_all = sha256(&[format!("DPoP {theirs}").as_bytes()]);
            for (theirs, ours) in [
                (
                    base64url::encode(theirs_of_all),
                    base64url::encode(ours_of_all),
                ),
                (Ath::of(theirs).to_string(), ours),
                (hex(theirs), hex(token)),
            ] {
                signed.payload = signed.payload.replace(&theirs, &ours);
            }
        }
    }
    signed.sign()
}

fn hex(token: &str) -> String {
    let digest = sha256(&[token.as_bytes()]);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What comes back, and for which cause.
fn expected(vector: &Vector, signed: Option<&Signed>) -> (Expected, Option<String>) {
    let cause = match vector.refused.as_deref() {
        // No method of that name has a rule, whatever its proof.
        _ if vector.path != PATH => return (Expected::NoRule, Some("method_without_rule".into())),
        // Commas are looked for before anything else (RFC 9449 §4.3, check 1).
        Some(_) if vector.proof.contains(',') => Some("several_proofs"),
        // At the token service, where no access token is presented, these are accepted.
        None if vector.access_token.is_none() && signed.is_some_and(|s| s.says("ath")) => {
            Some("ath_mismatch")
        }
        cause => cause,
    };
    let comes = match cause {
        None => Expected::Ok,
        Some("in_future" | "too_old") => Expected::P,
        Some(cause) if cause.starts_with("nonce_") && cause != "nonce_malformed" => Expected::N,
        Some(_) => Expected::P,
    };
    (comes, cause.map(str::to_owned))
}

/// What is sent for a vector, and what comes back.
pub(crate) struct Attempt {
    pub(crate) token: String,
    pub(crate) proof: String,
    pub(crate) comes: Expected,
    /// Why it is refused.
    pub(crate) cause: Option<String>,
}

impl Attempt {
    /// The `number` is that of no other.
    pub(crate) fn of(
        vector: &Vector,
        keys: &Keys,
        stand: &Stand,
        document: &Document,
        number: usize,
    ) -> Self {
        let signed = vector.signed(keys);
        let key = signed
            .as_ref()
            .map_or(&stand.caller_key, |signed| &signed.key);
        let token = token(stand, document, key);
        let (comes, cause) = expected(vector, signed.as_ref());
        let proof = match signed {
            Some(signed) => for_guard(vector, signed, &token, number),
            None => vector.proof.clone(),
        };
        Self {
            token,
            proof,
            comes,
            cause,
        }
    }
}

/// On one thread, so that what is logged can be heard.
#[tokio::test]
async fn every_published_vector_through_a_guarded_channel() {
    let document = Document::read();
    let keys = Keys::new();
    let stand = Stand::start().await;
    let refusals = Refusals::heard(|thread| thread.id() == std::thread::current().id());
    let mut sent = 0;
    for (terms, vectors) in document.by_terms() {
        let guard = guard(&stand, &document, &terms).await;
        let channel = channel(&guard).await;
        for vector in vectors.into_iter().filter(|vector| vector.can_be_sent()) {
            sent += 1;
            let Attempt {
                token,
                proof,
                comes,
                cause,
            } = Attempt::of(vector, &keys, &stand, &document, sent);
            let outcome = call(&channel, vector, &token, &proof).await;
            if proof.len() > 16 * 1024 {
                // HTTP/2 refuses before us: the header list is over its limit.
                assert!(outcome.is_err(), "{}", vector.name);
                continue;
            }
            assert_eq!(refusals.take(), Vec::from_iter(cause), "{}", vector.name);
            comes.check_with(&vector.name, outcome, terms.limits.algorithms);
        }
    }
    // A line feed, an empty path and a relative one cannot be sent.
    assert_eq!(sent, document.vectors.len() - 3);
}
