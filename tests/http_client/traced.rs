//! A request's trace, from the client's span through the guard, as a collector sees it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_guard::NonceMode;
use countersign_telemetry::{
    HttpServerLayer, LogFormat, LogSink, Logs, Service, Settings, Traces, prepare,
};
use http::Uri;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

use crate::stand::{Orders, Stand};

/// Longer than a collector in the same process takes on a busy machine.
const DELIVERED: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        (collector, endpoint)
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter();
        let spans = scopes
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans);
        self.0.lock().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn route(uri: &Uri) -> Option<&'static str> {
    uri.path().starts_with("/orders/").then_some("/orders/{id}")
}

fn text<'a>(span: &'a Span, name: &str) -> Option<&'a str> {
    let pair = span.attributes.iter().find(|pair| pair.key == name)?;
    match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first request is challenged for a nonce, and sent again: one span of the client's, and two of
/// the server's below it.
#[tokio::test]
async fn a_request_and_the_guard_that_lets_it_through_are_one_trace() {
    let (collector, endpoint) = Collector::start().await;
    // Where there is one subscriber alone, tracing asks only the thread that comes to a span first
    // whether anybody wants it: the token service's, here.
    let _second = Dispatch::new(NoSubscriber::default());
    let (dispatch, telemetry) = prepare(Settings {
        service: Service {
            name: "shop".to_owned(),
            version: "1".to_owned(),
            instance_id: "test".to_owned(),
        },
        logs: Logs {
            format: LogFormat::Pretty,
            filter: "off".to_owned(),
            sink: LogSink::Stderr,
        },
        traces: Some(Traces::to(endpoint)),
        metrics: None,
    })
    .unwrap();
    // The runtime has this one thread: client, service and guard are all heard.
    let here = tracing::dispatcher::set_default(&dispatch);
    let seen = HttpServerLayer::new("http", route);
    let stand = Stand::seen_by(NonceMode::Always, seen).await;
    let orders: &Orders = &stand.orders;
    let answer = stand.http.get(orders.at("/orders/7")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "ann");
    let sent = orders.log.all();
    assert_eq!(sent.len(), 2, "challenged once");
    let token = sent[1].one("authorization").to_owned();
    let proof = sent[1].one("dpop").to_owned();
    drop(here);
    let delivered = tokio::task::spawn_blocking(move || telemetry.shutdown(DELIVERED));
    delivered.await.unwrap().unwrap();

    let spans = collector.0.lock().clone();
    let of = |kind: SpanKind, name: &str| {
        let found = spans.iter().filter(|span| span.kind() == kind);
        let found: Vec<_> = found.filter(|span| span.name == name).collect();
        found
    };
    let [client] = of(SpanKind::Client, "GET")[..] else {
        panic!("one span of the client's among {spans:#?}");
    };
    // What goes out names it, each time.
    let marked = format!("00-{}-{}-01", hex(&client.trace_id), hex(&client.span_id));
    for request in &sent {
        assert_eq!(request.one("traceparent"), marked);
    }
    assert_eq!(text(client, "server.address"), Some("127.0.0.1"));

    let served = of(SpanKind::Server, "GET /orders/{id}");
    assert_eq!(served.len(), 2, "{spans:#?}");
    let by_id: HashMap<_, _> = spans.iter().map(|span| (&span.span_id, span)).collect();
    let guards: Vec<_> = spans
        .iter()
        .filter(|span| span.name == "countersign.guard")
        .filter(|span| {
            by_id
                .get(&span.parent_span_id)
                .is_some_and(|it| served.contains(it))
        })
        .collect();
    assert_eq!(guards.len(), 2, "{spans:#?}");
    for span in served.iter().copied().chain(guards) {
        assert_eq!(span.trace_id, client.trace_id);
    }
    for span in &served {
        assert_eq!(span.parent_span_id, client.span_id);
        assert_eq!(text(span, "http.route"), Some("/orders/{id}"));
    }
    let reasons = served
        .iter()
        .filter_map(|span| text(span, "countersign.refusal.reason"));
    assert_eq!(reasons.collect::<Vec<_>>(), ["REASON_DPOP_NONCE_REQUIRED"]);
    // The token that was got for it, and the proofs, belong to it as well; none is told.
    for name in ["countersign.token.fetch", "countersign.proof.mint"] {
        let mut named = spans.iter().filter(|span| span.name == name);
        assert!(named.any(|span| span.trace_id == client.trace_id), "{name}");
    }
    let told = format!("{spans:?}");
    for secret in [token.trim_start_matches("DPoP "), &proof, "/orders/7"] {
        assert!(!told.contains(secret), "{secret} is told");
    }
}
