//! Every published vector through the token service.
//!
//! The service stands at the vectors' origins and tells the vectors' time. What differs: the
//! method called is IssueToken, so the proofs name that; nonces are the service's own, minted when
//! the vectors' were; nonces are never off; and no access token is presented, so `ath` is ignored.

#[path = "../../../guard/tests/guard/vectors/published.rs"]
mod published;

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use countersign_dpop::{NonceKey, Nonces};
use countersign_jose::UnixTime;
use http::{HeaderValue, Request};
use prost_reflect::prost::Message as _;
use tonic::Status;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use crate::comes::{Comes, check};
use crate::harness::{ISSUE, ORDERS, Service, credentials, service_client};
use crate::proof::{Draft, Key};
use published::{Document, Keys, PATH, Refusals, Rule, Signed, Terms, Vector};

/// When nonces were minted, in seconds from now.
const MINTED: [i64; 9] = [0, -5, -6, -60, -180, -86_400, 30, 60, 61];

/// A service on these terms, what is asked of it, and its nonces in place of the vectors'.
struct Stand {
    service: Service,
    channel: Channel,
    message: Bytes,
    nonces: HashMap<String, String>,
}

impl Stand {
    async fn new(document: &Document, terms: &Terms) -> Self {
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

        let message = credentials(&client).encode_to_vec();
        let length = u32::try_from(message.len()).expect("small");
        let frame = [&[0][..], &length.to_be_bytes(), &message].concat();
        let mut stand = Self {
            channel: service.public().await,
            service,
            message: frame.into(),
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
            let proof = Draft::new(&key, &self.service.htu(ISSUE), long_ago).sign(&key);
            let challenged = self.call("POST", ISSUE, &proof).await;
            check("without a nonce", &challenged, Comes::N);
            let status = challenged.expect_err("challenged");
            let ours = status.metadata().get("dpop-nonce").expect("a nonce");
            let ours = ours.to_str().expect("ASCII").to_owned();
            self.nonces.insert(theirs.mint(at), ours);
        }
        self.service
            .clock
            .set(UnixTime::from_secs(document.now_secs));
    }

    /// A call by hand: whatever method, path and proof.
    async fn call(&self, method: &str, path: &str, proof: &str) -> Result<(), Status> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
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
        match Status::from_header_map(response.headers()) {
            Some(status) => Err(status),
            None if response.status().is_success() => Ok(()),
            None => Err(Status::unknown(response.status().to_string())),
        }
    }

    fn for_issue(&self, mut signed: Signed, number: usize) -> String {
        signed.jti(number);
        signed.payload = renamed(&signed.payload);
        for (theirs, ours) in &self.nonces {
            signed.payload = signed.payload.replace(theirs, ours);
        }
        signed.sign()
    }
}

/// Our method in place of the vectors', however it is written.
fn renamed(text: &str) -> String {
    text.replace("orders.v1.Orders", "countersign.token.v1.TokenService")
        .replace("orders.v1.orders", "countersign.token.v1.tokenservice")
        .replace("orders.v1.%4Frders", "countersign.token.v1.%54okenService")
        .replace("/Create", "/IssueToken")
        .replace("%2FCreate", "%2FIssueToken")
        .replace("/create", "/issuetoken")
        .replace("/Delete", "/RotateToken")
}

/// What comes back, and for which cause.
fn expected(vector: &Vector, signed: Option<&Signed>) -> (Comes, String) {
    let refused = vector.refused.as_deref().unwrap_or_default();
    let off = vector.terms.rule == Rule::Off;
    let cause = match refused {
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
        "method_without_rule" => Comes::NoRule,
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
    let this = std::env::current_exe().expect("this binary");
    let sent = Command::new(this)
        .args(["vectors::sent_one_by_one", "--exact", "--nocapture"])
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
    if std::env::var_os(SENDS).is_none() {
        return;
    }
    let document = Document::read();
    let keys = Keys::new();
    let refusals = Refusals::heard(|_| true);
    let mut sent = 0;
    for (terms, vectors) in document.by_terms() {
        let stand = Stand::new(&document, &terms).await;
        refusals.take();
        for vector in vectors.into_iter().filter(|vector| vector.can_be_sent()) {
            sent += 1;
            let signed = vector.signed(&keys);
            let (comes, cause) = expected(vector, signed.as_ref());
            let proof = match signed {
                Some(signed) => stand.for_issue(signed, sent),
                None => vector.proof.clone(),
            };
            let path = renamed(&vector.path);
            let answer = stand.call(&vector.method, &path, &proof).await;
            if proof.len() > 16 * 1024 {
                // HTTP/2 refuses before us: the header list is over its limit.
                assert!(answer.is_err(), "{}", vector.name);
                continue;
            }
            assert_eq!(refusals.take().concat(), cause, "{}", vector.name);
            check(&vector.name, &answer, comes);
        }
    }
    // A line feed, an empty path and a relative one cannot be sent.
    assert_eq!(sent, document.vectors.len() - 3);
}
