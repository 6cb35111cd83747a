//! What a collector is told of a guard's decisions: the same of both edges, in the same words.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use countersign_guard::{NonceMode, UnixTime};
use countersign_telemetry::{
    LogFormat, LogSink, Logs, Metrics, Service, Settings, Telemetry, names, prepare,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric};
use parking_lot::Mutex;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tracing::dispatcher::DefaultGuard;

use crate::bearer::{bearer, unbound};
use crate::http_stand::{Answer, ask, create, serve_router};
use crate::stand::{Edge, Expected, SERVICE, Shown, Stand, es256, proof_of, sign};

/// A loaded machine may take its time.
const LONG: Duration = Duration::from_secs(30);

/// What it was sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Metric>>>);

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let resources = request.into_inner().resource_metrics.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_metrics);
        self.0.lock().extend(scopes.flat_map(|scope| scope.metrics));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// Measures all that this thread serves, until it is read.
struct Measuring {
    collector: Collector,
    telemetry: Telemetry,
    _here: DefaultGuard,
}

impl Measuring {
    fn begin() -> Self {
        let collector = Collector::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = MetricsServiceServer::new(collector.clone());
        // On a thread of its own: this one waits when it shuts down.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                Server::builder()
                    .add_service(service)
                    .serve_with_incoming(TcpListenerStream::new(listener))
                    .await
                    .unwrap();
            });
        });
        let (dispatch, telemetry) = prepare(Settings {
            service: Service {
                name: "orders".into(),
                version: "1".into(),
                instance_id: "orders-1".into(),
            },
            logs: Logs {
                format: LogFormat::Json,
                filter: "off".into(),
                sink: LogSink::Writer(Box::new(std::io::sink())),
            },
            traces: None,
            metrics: Some(Metrics::to(&endpoint)),
        })
        .unwrap();
        Self {
            collector,
            telemetry,
            _here: tracing::dispatcher::set_default(&dispatch),
        }
    }

    /// What the collector has of each combination of attributes.
    fn read(self) -> BTreeMap<String, HistogramDataPoint> {
        self.telemetry.shutdown(LONG).unwrap();
        let sent = self.collector.0.lock();
        let last = sent
            .iter()
            .rfind(|metric| metric.name == names::GUARD_DURATION);
        let metric = last.expect("the guard's metric");
        assert_eq!(metric.unit, "s");
        let Some(Data::Histogram(histogram)) = &metric.data else {
            panic!("no histogram: {metric:?}");
        };
        let points = histogram.data_points.iter();
        points.map(|point| (said(point), point.clone())).collect()
    }
}

/// Attributes in the order of their names.
fn said(point: &HistogramDataPoint) -> String {
    let mut pairs: Vec<String> = point
        .attributes
        .iter()
        .map(|pair| {
            let value = match pair.value.clone().unwrap().value.unwrap() {
                Value::StringValue(text) => text,
                Value::BoolValue(is) => is.to_string(),
                other => panic!("{other:?}"),
            };
            let name = pair.key.strip_prefix("countersign.").unwrap();
            format!("{name}={value}")
        })
        .collect();
    pairs.sort();
    pairs.join(" ")
}

fn counted(points: &BTreeMap<String, HistogramDataPoint>) -> BTreeMap<&str, u64> {
    let counts = points.iter();
    counts
        .map(|(said, point)| {
            assert!(point.sum.unwrap() > 0.0, "{said} took no time");
            (said.as_str(), point.count)
        })
        .collect()
}

fn expected<'a>(protocol: &str, rows: &'a [(&str, u64)]) -> BTreeMap<String, u64> {
    let with = |row: &'a str| {
        // Between the decision and the reason.
        let (decision, reason) = row.split_once(' ').unwrap_or((row, ""));
        let said = format!("guard.decision={decision} guard.protocol={protocol} {reason}");
        said.trim_end().to_owned()
    };
    rows.iter()
        .map(|(row, count)| (with(row), *count))
        .collect()
}

fn assert_counted(
    points: &BTreeMap<String, HistogramDataPoint>,
    protocol: &str,
    rows: &[(&str, u64)],
) {
    let expected = expected(protocol, rows);
    let expected: BTreeMap<&str, u64> = expected.iter().map(|(row, n)| (&**row, *n)).collect();
    assert_eq!(counted(points), expected);
}

/// Good ones, bad ones, and those that are challenged.
#[tokio::test]
async fn decisions_are_counted_by_what_was_decided_and_why() {
    for (edge, protocol) in [(Edge::Grpc, "grpc"), (Edge::Http, "http")] {
        let measuring = Measuring::begin();
        let stand = Stand::with_at(edge, |builder| builder.nonces(NonceMode::Always)).await;
        stand.clock.advance(Duration::from_secs(100));
        let nonce = challenged(&stand, edge).await;
        let with = |token: &str| {
            let mut claims = stand.proof_claims("CreateOrder", token);
            claims["nonce"] = nonce.as_str().into();
            Shown::new(token, &proof_of(&stand.caller_key, &claims))
        };
        let token = stand.token();
        let once = with(&token);
        stand.check("good", &once, Expected::Ok).await;
        stand.check("good", &with(&token), Expected::Ok).await;
        stand.check("replayed", &once, Expected::Spent).await;
        let nothing = Shown::default();
        stand.check("nothing", &nothing, Expected::Missing).await;
        let mut claims = stand.claims();
        claims["scope"] = "orders.read".into();
        let less = with(&stand.token_of(&claims));
        stand.check("less", &less, Expected::Scope).await;
        let stolen = bearer(&token);
        stand.check("stolen", &stolen, Expected::T).await;

        let points = measuring.read();
        assert_counted(
            &points,
            protocol,
            &[
                ("permitted", 2),
                (
                    "refused refusal.cause=nonce_missing refusal.reason=REASON_DPOP_NONCE_REQUIRED",
                    1,
                ),
                (
                    "refused refusal.cause=proof_replayed refusal.reason=REASON_DPOP_PROOF_REPLAYED",
                    1,
                ),
                (
                    "refused refusal.cause=credentials_missing refusal.reason=REASON_CREDENTIALS_MISSING",
                    1,
                ),
                (
                    "refused refusal.cause=scope_insufficient refusal.reason=REASON_SCOPE_INSUFFICIENT",
                    1,
                ),
                (
                    "refused refusal.cause=bound_token_as_bearer refusal.reason=REASON_TOKEN_INVALID",
                    1,
                ),
            ],
        );
    }
}

/// The nonce that the guard asks for.
async fn challenged(stand: &Stand, edge: Edge) -> String {
    match edge {
        Edge::Grpc => {
            let refused = stand.create(&stand.good()).await.unwrap_err();
            let nonce = refused.metadata().get("dpop-nonce").unwrap();
            nonce.to_str().unwrap().to_owned()
        }
        Edge::Http => {
            let answer: Answer = create(&stand.address, &stand.good()).await;
            assert_eq!(answer.status, 401);
            answer.header("dpop-nonce").unwrap().to_owned()
        }
    }
}

/// Whatever a stranger writes into a path or a method becomes part of no name.
#[tokio::test]
async fn what_has_no_rule_is_one_row_and_what_is_exempt_is_none() {
    let measuring = Measuring::begin();
    let stand = Stand::with(|builder| {
        builder
            .nonces(NonceMode::Off)
            .rules("[\"GET /open/{name}\"]\npublic = true")
            .exempt("GET /health")
    })
    .await;
    let router = Router::new()
        .route("/open/{name}", get(async || "open"))
        .route("/health", get(async || "well"))
        .layer(stand.guard.http_layer());
    let address = serve_router(router).await;
    for (method, path, status) in [
        ("GET", "/open/ann", 200),
        ("GET", "/open/bob", 200),
        ("GET", "/health", 200),
        ("GET", "/.well-known/oauth-protected-resource", 200),
        ("GET", "/secret-1", 403),
        ("BREW", "/secret-2?x=y", 403),
    ] {
        let answer = ask(&address, method, path, &Shown::default()).await;
        assert_eq!(answer.status, status, "{path}");
    }
    assert_counted(
        &measuring.read(),
        "http",
        &[
            ("public", 2),
            (
                "refused refusal.cause=method_without_rule refusal.reason=REASON_METHOD_NOT_ALLOWED",
                2,
            ),
        ],
    );
}

/// What is only let through for now is told apart: without a key, and by a guard that only looks.
#[tokio::test]
async fn what_is_let_through_for_a_time_stands_out() {
    let method = format!("{SERVICE}CreateOrder");
    let route = format!("POST {method}");
    for (edge, protocol, name) in [(Edge::Grpc, "grpc", method), (Edge::Http, "http", route)] {
        let measuring = Measuring::begin();
        let stand = Stand::with_at(edge, |builder| {
            builder
                .nonces(NonceMode::Off)
                .observe()
                .accept_bearer(name, UnixTime::from_secs(1_760_000_100))
        })
        .await;
        stand.check("good", &stand.good(), Expected::Ok).await;
        let unbound = bearer(&unbound(&stand, |_| {}));
        stand.check("unbound", &unbound, Expected::Ok).await;
        let nobody = Shown::default();
        // On to the handler, which finds no permit.
        if edge == Edge::Grpc {
            let refused = stand.create(&nobody).await.unwrap_err();
            assert!(refused.metadata().get("www-authenticate").is_none());
        } else {
            assert_eq!(create(&stand.address, &nobody).await.status, 500);
        }
        let points = measuring.read();
        let bearer =
            format!("bearer.accepted=true guard.decision=permitted guard.protocol={protocol}");
        assert_eq!(points[&bearer].count, 1);
        let mut others = points;
        others.remove(&bearer);
        assert_counted(
            &others,
            protocol,
            &[
                ("permitted", 1),
                (
                    "would_refuse observed.cause=credentials_missing observed.reason=REASON_CREDENTIALS_MISSING",
                    1,
                ),
            ],
        );
    }
}

/// A decision that something has to be found out for takes until that is known.
#[tokio::test]
async fn what_is_waited_for_is_part_of_the_time() {
    let waited = Duration::from_millis(60);
    for (edge, protocol) in [(Edge::Grpc, "grpc"), (Edge::Http, "http")] {
        let measuring = Measuring::begin();
        let stand = Stand::with_at(edge, |builder| {
            builder
                .nonces(NonceMode::Off)
                .key_fetch_interval(Duration::ZERO)
        })
        .await;
        *stand.keys.takes.lock() = waited;
        let header = serde_json::json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k9" });
        let token = sign(&es256(9), &header, &stand.claims());
        let shown = Shown::new(&token, &stand.proof("CreateOrder", &token));
        stand.check("of no key", &shown, Expected::T).await;
        let points = measuring.read();
        assert_counted(
            &points,
            protocol,
            &[(
                "refused refusal.cause=token_unknown_key refusal.reason=REASON_TOKEN_INVALID",
                1,
            )],
        );
        let took = points.values().next().unwrap().sum.unwrap();
        assert!(took >= waited.as_secs_f64(), "{took} s");
    }
}
