//! Every published vector through the token service, over gRPC and over HTTP.
//!
//! The service stands at the vectors' origins and tells the vectors' time. What differs: what is
//! called is IssueToken, or the token endpoint, so the proofs name that; nonces are the service's own, minted when
//! the vectors' were; nonces are never off; and no access token is presented, so `ath` is ignored.

#[path = "../../../guard/tests/guard/vectors/published.rs"]
pub(crate) mod published;

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use countersign_dpop::{NonceKey, Nonces};
use countersign_jose::UnixTime;
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use prost_reflect::prost::Message as _;
use tonic::Status;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::comes::Comes;
use crate::edges::{Edge, Given, Reply};
use crate::harness::{ISSUE, ORDERS, Service, credentials, service_client};
use crate::http::web::{Answer, FORM, TOKEN, form};
use crate::proof::{Draft, Key};
use published::{Document, Keys, PATH, Refusals, Rule, Signed, Terms, Vector};

/// When nonces were minted, in seconds from now.
const MINTED: [i64; 9] = [0, -5, -6, -60, -180, -86_400, 30, 60, 61];

/// What is called.
fn path_of(edge: Edge) -> &'static str {
    match edge {
        Edge::Grpc => ISSUE,
        Edge::Http => TOKEN,
    }
}

/// A service on these terms, what is asked of it, and its nonces in place of the vectors'.
struct Stand {
    edge: Edge,
    service: Service,
    channel: Channel,
    message: Bytes,
    nonces: HashMap<String, String>,
}

impl Stand {
    async fn new(edge: Edge, document: &Document, terms: &Terms) -> Self {
        let mut service = Service::start_cold(|config| {
            config.issuer = Some(document.origins[0].clone());
            config.listen.origins = document.origins[1..].to_vec();
            config.proofs.age = terms.limits.age;
            config.proofs.skew = terms.limits.skew;
            config.proofs.algorithms = terms.limits.algorithms.iter().collect();
            config.proofs.nonce_always = terms.rule == Rule::Required;
        })
        .await;
        service.add_orders().await;
        let client = service
            .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
            .await;
        let started = UnixTime::from_secs(match terms.rule {
            Rule::ColdStart { minted_from_secs } => minted_from_secs,
            // Long enough ago for a start to be forgotten, and for a nonce of yesterday.
            Rule::Off | Rule::WhenIatIsOff | Rule::Required => document.now_secs - 100_000,
        });
        service.clock.set(started);
        service.restart().await;

        let message = match edge {
            Edge::Grpc => {
                let message = credentials(&client).encode_to_vec();
                let length = u32::try_from(message.len()).expect("small");
                [&[0][..], &length.to_be_bytes(), &message].concat()
            }
            Edge::Http => form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &client.id),
                ("client_secret", client.secret.as_deref().expect("a secret")),
            ])
            .into_bytes(),
        };
        let mut stand = Self {
            edge,
            channel: service.public().await,
            service,
            message: message.into(),
            nonces: HashMap::new(),
        };
        stand.collect_nonces(document, started).await;
        stand
    }

    /// Its key is its own, so there are none from before its start.
    async fn collect_nonces(&mut self, document: &Document, started: UnixTime) {
        let theirs = Nonces::standard(&NonceKey::new(document.nonce_key));
        let key = Key::new();
        let minted = MINTED.map(|secs| document.now_secs.saturating_add_signed(secs));
        for at in minted.map(UnixTime::from_secs) {
            if at < started {
                continue;
            }
            self.service.clock.set(at);
            let long_ago = at.minus(Duration::from_secs(100_000));
            let path = path_of(self.edge);
            let proof = Draft::new(&key, &self.service.htu(path), long_ago).sign(&key);
            let challenged = self.call("POST", path, &proof).await;
            challenged.check("without a nonce", Comes::N);
            self.nonces.insert(theirs.mint(at), challenged.nonce());
        }
        self.service
            .clock
            .set(UnixTime::from_secs(document.now_secs));
    }

    /// A call by hand: whatever method, path and proof.
    async fn call(&self, method: &str, path: &str, proof: &str) -> Reply {
        let media_type = match self.edge {
            Edge::Grpc => "application/grpc",
            Edge::Http => FORM,
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .header("content-type", media_type)
            .header("te", "trailers")
            .header("dpop", HeaderValue::try_from(proof).expect("can be sent"))
            .body(tonic::body::Body::new(http_body_util::Full::new(
                self.message.clone(),
            )))
            .expect("a request");
        let response = self
            .channel
            .clone()
            .oneshot(request)
            .await
            .expect("answers");
        let (head, body) = response.into_parts();
        if self.edge == Edge::Http {
            return Reply::Http(Answer {
                status: head.status,
                headers: head.headers,
                body: body.collect().await.expect("a body").to_bytes(),
            });
        }
        Reply::Grpc(match Status::from_header_map(&head.headers) {
            Some(status) => Err(status),
            None if head.status.is_success() => Ok(Given::default()),
            None => Err(Status::unknown(head.status.to_string())),
        })
    }

    fn for_us(&self, mut signed: Signed, number: usize) -> String {
        signed.jti(number);
        signed.payload = renamed(self.edge, &signed.payload);
        for (theirs, ours) in &self.nonces {
            signed.payload = signed.payload.replace(theirs, ours);
        }
        signed.sign()
    }
}

/// Our method, or endpoint, in place of the vectors', however it is written.
fn renamed(edge: Edge, text: &str) -> String {
    if edge == Edge::Http {
        return text
            .replace("orders.v1.Orders/./Create", "./token")
            .replace("orders.v1.Orders/Create", "token")
            .replace("orders.v1.%4Frders/Create", "%74oken")
            .replace("orders.v1.Orders%2FCreate", "token%2F")
            .replace("orders.v1.orders/create", "Token")
            .replace("orders.v1.Orders/Delete", "revoke");
    }
    text.replace("orders.v1.Orders", "countersign.token.v1.TokenService")
        .replace("orders.v1.orders", "countersign.token.v1.tokenservice")
        .replace("orders.v1.%4Frders", "countersign.token.v1.%54okenService")
        .replace("/Create", "/IssueToken")
        .replace("%2FCreate", "%2FIssueToken")
        .replace("/create", "/issuetoken")
        .replace("/Delete", "/RotateToken")
}

/// What comes back, and for which cause.
fn expected(edge: Edge, vector: &Vector, signed: Option<&Signed>) -> (Comes, String) {
    let refused = vector.refused.as_deref().unwrap_or_default();
    let off = vector.terms.rule == Rule::Off;
    let cause = match refused {
        _ if edge == Edge::Http && vector.path.contains('?') => "query",
        _ if edge == Edge::Http && vector.path != PATH => "http_not_found",
        _ if edge == Edge::Http && vector.method != "POST" => "http_method",
        // The guard in front of the service knows no such path.
        _ if vector.path != PATH => "method_without_rule",
        // Commas are looked for before anything else (RFC 9449 §4.3, check 1).
        _ if vector.proof.contains(',') => "several_proofs",
        "ath_missing" | "ath_mismatch" if vector.access_token.is_some() => "",
        // Where nonces are on, a clock that is off is asked for one.
        "too_old" if off => "nonce_needed",
        "in_future" if off && vector.name == "iat 11 s ahead" => "nonce_needed",
        "" if off && signed.is_some_and(|signed| signed.says("nonce")) => "nonce_unknown",
        "nonce_before_start" => "nonce_unknown",
        cause => cause,
    };
    let comes = match cause {
        "" => Comes::Ok,
        "method_without_rule" | "http_method" => Comes::NoRule,
        "http_not_found" => Comes::NotFound,
        "query" => Comes::R("query"),
        "nonce_malformed" => Comes::P,
        cause if cause.starts_with("nonce_") => Comes::N,
        _ => Comes::P,
    };
    (comes, cause.to_owned())
}

/// Set in the process that sends them.
const SENDS: &str = "COUNTERSIGN_SERVER_TEST_SENDS";

/// In a process of its own: what is logged there is logged because of the vectors, whichever of
/// the service's threads does it.
#[test]
fn every_published_vector_through_the_token_service() {
    send("vectors::sent_one_by_one");
}

/// As over gRPC: each refused by the same check.
#[test]
fn every_published_vector_through_the_token_endpoint() {
    send("vectors::sent_to_the_endpoint_one_by_one");
}

fn send(test: &str) {
    let this = std::env::current_exe().expect("this binary");
    let sent = Command::new(this)
        .args([test, "--exact", "--nocapture"])
        .env(SENDS, "1")
        .output()
        .expect("starts");
    assert!(
        sent.status.success(),
        "{}{}",
        String::from_utf8_lossy(&sent.stdout),
        String::from_utf8_lossy(&sent.stderr)
    );
}

/// What the other process does.
#[tokio::test]
async fn sent_one_by_one() {
    send_all(Edge::Grpc).await;
}

/// The same.
#[tokio::test]
async fn sent_to_the_endpoint_one_by_one() {
    send_all(Edge::Http).await;
}

async fn send_all(edge: Edge) {
    if std::env::var_os(SENDS).is_none() {
        return;
    }
    let document = Document::read();
    let keys = Keys::new();
    let refusals = Refusals::heard(|_| true);
    let mut sent = 0;
    for (terms, vectors) in document.by_terms() {
        let mut stand = Stand::new(edge, &document, &terms).await;
        refusals.take();
        for vector in vectors.into_iter().filter(|vector| vector.can_be_sent()) {
            sent += 1;
            let signed = vector.signed(&keys);
            let (comes, cause) = expected(edge, vector, signed.as_ref());
            let proof = match signed {
                Some(signed) => stand.for_us(signed, sent),
                None => vector.proof.clone(),
            };
            let path = renamed(edge, &vector.path);
            let answer = stand.call(&vector.method, &path, &proof).await;
            if proof.len() > 16 * 1024 {
                // HTTP/2 refuses before us: the header list is over its limit.
                assert!(answer.is_refused(), "{}", vector.name);
                continue;
            }
            assert_eq!(refusals.take().concat(), cause, "{}", vector.name);
            answer.check(&vector.name, comes);
        }
        // What a service says while it ends is heard, too: not by the next one.
        stand.service.stop().await;
    }
    // A line feed, an empty path and a relative one cannot be sent.
    assert_eq!(sent, document.vectors.len() - 3);
}
