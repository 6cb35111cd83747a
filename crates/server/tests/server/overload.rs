//! What is too much is refused early, with a time to come back, and takes nothing from others.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign_client::outcome::Refused;
use countersign_server::Occasion;
use countersign_server::config::Limits;
use futures_util::future::join_all;
use futures_util::stream;
use http::{HeaderMap, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::comes::{Comes, check};
use crate::harness::{
    Client, INTROSPECT, ISSUE, ORDERS, ROTATE, Service, credentials, service_client, with_proof,
};
use crate::proof::Key;

/// Long beside what anything here takes, short beside the ten seconds that a call may take.
const SOON: Duration = Duration::from_secs(5);

async fn service(change: impl FnOnce(&mut Limits)) -> Service {
    let service = Service::start_with(|config| change(&mut config.limits)).await;
    service.add_orders().await;
    service
}

async fn client(service: &Service, id: &str) -> Client {
    service
        .add(service_client(id, &[(ORDERS, &["orders.read"])]))
        .await
}

/// What the refusal is, which must say how long to wait.
#[track_caller]
fn reason(status: &Status) -> &'static str {
    let refused = Refused::of(status).unwrap_or_else(|| panic!("not ours: {status:?}"));
    let wait = refused.retry_after.expect("says how long to wait");
    assert!(
        Duration::from_millis(500) <= wait && wait < SOON,
        "{wait:?}"
    );
    refused.reason.as_str_name()
}

/// A caller whose messages never come, on one connection.
struct Half(
    legacy::Client<HttpConnector, UnsyncBoxBody<Bytes, Infallible>>,
    String,
);

impl Half {
    /// Its connection has had a whole call: until then it would not be kept for long.
    async fn new(service: &Service) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http();
        let half = Self(client, service.running().url().to_owned());
        let keys = "/countersign.keys.v1.KeyService/ListKeys";
        let nothing = Full::new(Bytes::from_static(&[0; 5])).boxed_unsync();
        let whole = half.0.request(half.request(keys, nothing)).await;
        assert!(whole.expect("answers").status().is_success());
        half
    }

    /// Sends a head, and waits for what comes of it.
    fn call(&self) -> JoinHandle<()> {
        let answer = self.head(ISSUE, &HeaderMap::new());
        tokio::spawn(async move { drop(answer.await) })
    }

    /// The status that comes of a head.
    fn head(&self, path: &str, metadata: &HeaderMap) -> impl Future<Output = Status> + use<> {
        let frames = stream::pending::<Result<http_body::Frame<Bytes>, Infallible>>();
        let mut request = self.request(path, StreamBody::new(frames).boxed_unsync());
        request.headers_mut().extend(metadata.clone());
        let answer = self.0.request(request);
        async move {
            let answer = answer.await.expect("answers");
            Status::from_header_map(answer.headers()).expect("without a message")
        }
    }

    fn request(
        &self,
        path: &str,
        body: UnsyncBoxBody<Bytes, Infallible>,
    ) -> http::Request<UnsyncBoxBody<Bytes, Infallible>> {
        http::Request::post(format!("{}{path}", self.1))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(body)
            .expect("a request")
    }
}

async fn others_are_served(service: &Service) {
    let channel = service.public().await;
    HealthClient::new(channel.clone())
        .check(HealthCheckRequest::default())
        .await
        .expect("health has a lane of its own");
    KeyServiceClient::new(channel)
        .list_keys(ListKeysRequest {})
        .await
        .expect("keys have a lane of their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_lane_sheds_and_the_other_lanes_go_on() {
    let service = service(|limits| limits.in_flight_max = 2).await;
    let batch = client(&service, "batch").await;
    let asks = service
        .add(service_client(
            "asks",
            &[(service.issuer(), &["introspect"])],
        ))
        .await;
    let message = IntrospectTokenRequest {
        token: "x".to_owned(),
        ..IntrospectTokenRequest::default()
    };
    let question = service.guarded(&asks, INTROSPECT, message).await;

    // Both places are taken again and again, by calls whose message never comes.
    let half = Half::new(&service).await;
    let held = [half.call(), half.call()];
    let mut shed = None;
    for _ in 0..100 {
        if let Err(status) = service.issue(&batch, &Key::new()).await {
            shed = Some(status);
            break;
        }
        drop(half.call());
    }
    let shed = shed.expect("the lane is full");
    assert_eq!(reason(&shed), "REASON_OVERLOADED");
    others_are_served(&service).await;
    service
        .introspections()
        .await
        .introspect_token(question)
        .await
        .expect("introspection has a lane of its own");
    for call in held {
        call.abort();
    }
}

/// A signature costs far more than the refusal, so that a flood of bad proofs is shed, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_lane_sheds_before_the_guard_looks() {
    let service = service(|limits| limits.in_flight_max = 1).await;
    let asks = service
        .add(service_client(
            "asks",
            &[(service.issuer(), &["introspect"])],
        ))
        .await;
    let half = Half::new(&service).await;
    let mut shed = false;
    for _ in 0..100 {
        let right = service.guarded(&asks, INTROSPECT, ()).await;
        let right = right.metadata().clone().into_headers();
        let mut wrong = right.clone();
        wrong.insert("dpop", HeaderValue::from_static("x"));
        // The one place is taken by a call whose message never comes.
        let status = tokio::select! {
            biased;
            status = half.head(INTROSPECT, &right) => status,
            status = half.head(INTROSPECT, &wrong) => status,
        };
        shed = Refused::of(&status).is_some_and(|refused| refused.retry_after.is_some());
        if shed {
            assert_eq!(reason(&status), "REASON_OVERLOADED");
            break;
        }
    }
    assert!(shed);
}

/// 41 connections would be enough to fill all places for ten seconds.
#[tokio::test(flavor = "multi_thread")]
async fn calls_without_a_message_do_not_keep_a_lane_full() {
    let service = service(|limits| limits.in_flight_max = 8).await;
    let batch = client(&service, "batch").await;
    let half = Half::new(&service).await;
    let held: Vec<_> = (0..50).map(|_| half.call()).collect();
    sleep(Duration::from_millis(100)).await;
    let served = async {
        while service.issue(&batch, &Key::new()).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, served).await.expect("there is room soon");
    for call in held {
        call.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_shed_or_served_and_nothing_else() {
    let service = Service::start_with(|config| {
        config.listen.workers = 1;
        config.limits.waiting_max = 1;
        config.limits.client_calls_per_sec = 0;
    })
    .await;
    service.add_orders().await;
    let batch = client(&service, "batch").await;
    let key = Key::new();
    let (mut served, mut shed) = (0, 0);
    // More at once than one core can do within the moment in which a queue is a burst. All is
    // signed before the first is sent, and four connections send: the service is the slowest.
    for _ in 0..20 {
        let requests: Vec<_> = (0..400)
            .map(|_| with_proof(credentials(&batch), &service.proof(&key, ISSUE)))
            .collect();
        let channels = join_all((0..4).map(|_| service.tokens())).await;
        let calls: Vec<_> = requests
            .into_iter()
            .zip(channels.iter().cycle())
            .map(|(request, tokens)| {
                let mut tokens = tokens.clone();
                tokio::spawn(async move { tokens.issue_token(request).await })
            })
            .collect();
        for answer in join_all(calls).await {
            match answer.expect("no panic") {
                Ok(_) => served += 1,
                Err(status) => {
                    assert_eq!(reason(&status), "REASON_OVERLOADED");
                    shed += 1;
                }
            }
        }
        others_are_served(&service).await;
        if shed > 0 && served > 0 {
            break;
        }
    }
    assert!(shed > 0 && served > 0, "{served} served, {shed} shed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_its_share_and_strangers_take_none_of_it() {
    let service = service(|limits| limits.client_calls_per_sec = 1).await;
    let busy = client(&service, "busy").await;
    let quiet = client(&service, "quiet").await;
    let stranger = Client {
        id: quiet.id.clone(),
        secret: Some("wrong".to_owned()),
    };
    let mut before_signatures = false;
    for _ in 0..50 {
        let Err(status) = service.issue(&busy, &Key::new()).await else {
            continue;
        };
        assert_eq!(reason(&status), "REASON_RATE_LIMITED");
        // Its signature is not even looked at.
        let unsigned = with_proof(credentials(&busy), "x");
        let answer = service.tokens().await.issue_token(unsigned).await;
        let status = answer.expect_err("no proof");
        if Refused::of(&status).is_some_and(|refused| refused.retry_after.is_some()) {
            before_signatures = true;
            break;
        }
    }
    assert!(before_signatures);
    for _ in 0..20 {
        let answer = service.issue(&stranger, &Key::new()).await;
        check("a stranger", &answer, Comes::C);
    }
    service
        .issue(&quiet, &Key::new())
        .await
        .expect("another client, whom strangers named");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_has_its_limit_and_no_other_method() {
    let limit = vec![("IssueToken".to_owned(), 1)];
    let service = service(|limits| limits.method_calls_per_sec = limit).await;
    let batch = client(&service, "batch").await;
    let mut limited = None;
    for _ in 0..50 {
        limited = service.issue(&batch, &Key::new()).await.err();
        if limited.is_some() {
            break;
        }
    }
    let limited = limited.expect("more than one a second");
    assert_eq!(reason(&limited), "REASON_RATE_LIMITED");
    let request = countersign::token::v1::RotateTokenRequest {
        client: batch.authentication(),
        refresh_token: "x".to_owned(),
        ..Default::default()
    };
    let proof = service.proof(&Key::new(), ROTATE);
    let answer = service
        .tokens()
        .await
        .rotate_token(with_proof(request, &proof))
        .await;
    check("another method", &answer, Comes::G);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_change_hold_when_the_configuration_is_read_again() {
    let service = service(|_| {}).await;
    let batch = client(&service, "batch").await;
    let half = Half::new(&service).await;
    let change = async |change: fn(&mut Limits)| {
        let mut next = service.config.clone();
        change(&mut next.limits);
        let reloaded = service.running().reload(Ok(next), Occasion::Asked).await;
        assert_eq!(reloaded.expect("good").applied.len(), 1);
    };
    // Beside a call that has no message.
    let refused = async || {
        for _ in 0..20 {
            let held = half.call();
            let answer = service.issue(&batch, &Key::new()).await;
            held.abort();
            if let Err(status) = answer {
                return Some(reason(&status));
            }
        }
        None
    };
    let rows: [(fn(&mut Limits), _); 3] = [
        (
            |limits| limits.client_calls_per_sec = 1,
            "REASON_RATE_LIMITED",
        ),
        (
            |limits| limits.method_calls_per_sec = vec![("IssueToken".to_owned(), 1)],
            "REASON_RATE_LIMITED",
        ),
        (|limits| limits.in_flight_max = 1, "REASON_OVERLOADED"),
    ];
    for (tightened, expected) in rows {
        assert_eq!(refused().await, None, "before {expected}");
        change(tightened).await;
        assert_eq!(refused().await, Some(expected));
        change(|_| {}).await;
    }
    assert_eq!(refused().await, None);
}
