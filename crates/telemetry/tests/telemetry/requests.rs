//! Requests that are not gRPC, as a collector sees them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use countersign_telemetry::{HttpServerLayer, MadeRequest, Traces, prepare};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use tower_layer::Layer;
use tower_service::Service;

use crate::kit::{Collector, SHUTDOWN, attributes, runtime, settings};

/// Answers each request with this status.
struct Answers(StatusCode);

impl Service<Request<()>> for Answers {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        // What is done for it belongs to it.
        countersign_telemetry::spans::guard().in_scope(|| {});
        if !self.0.is_success() {
            countersign_telemetry::refused("REASON_GRANT_INVALID", "grant_reused");
        }
        let mut response = Response::new(());
        *response.status_mut() = self.0;
        ready(Ok(response))
    }
}

fn route(uri: &Uri) -> Option<&'static str> {
    (uri.path() == "/token").then_some("/token")
}

#[test]
fn a_request_is_named_after_its_endpoint_and_has_the_status_of_its_answer() {
    let secret = "/csr_a-token-in-a-path";
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (method, path, status, name) in [
        (Method::POST, "/token", 200, "POST /token"),
        (Method::POST, "/token", 400, "POST /token"),
        (Method::POST, "/token", 503, "POST /token"),
        (Method::GET, secret, 404, "GET"),
        (
            Method::from_bytes(b"BREW").unwrap(),
            "/token",
            405,
            "_OTHER /token",
        ),
    ] {
        let (collector, endpoint) = Collector::start();
        let (dispatch, telemetry) =
            prepare(settings("tokens", Some(Traces::to(&endpoint)))).unwrap();
        let here = tracing::dispatcher::set_default(&dispatch);
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("traceparent", parent)
            .body(())
            .unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let mut service = HttpServerLayer::new("https", route).layer(Answers(status));
        runtime().block_on(service.call(request)).unwrap();
        drop(here);
        telemetry.shutdown(SHUTDOWN).unwrap();

        let (_, span) = collector.span(name);
        assert_eq!(span.kind(), SpanKind::Server);
        assert_eq!(span.trace_id[..2], [0x0a, 0xf7], "the caller's trace");
        let (_, guard) = collector.span("countersign.guard");
        assert_eq!(guard.parent_span_id, span.span_id);
        let attributes = attributes(&span);
        assert_eq!(
            attributes["http.response.status_code"],
            format!("{} as a number", status.as_u16())
        );
        assert_eq!(attributes["url.scheme"], "https");
        assert_eq!(attributes["network.protocol.version"], "1.1");
        let endpoint = attributes.get("http.route").map(String::as_str);
        assert_eq!(endpoint, route(&path.parse().unwrap()));
        assert!(attributes.values().all(|value| value != secret));
        // What a client got wrong is no error of the server.
        let is_error = status.is_server_error();
        let said = span.status.as_ref().map(|status| status.code());
        assert_eq!(said == Some(SpanStatus::Error), is_error, "{name} {status}");
        let cause = attributes
            .get("countersign.refusal.cause")
            .map(String::as_str);
        assert_eq!(cause, (!status.is_success()).then_some("grant_reused"));
    }
}

#[test]
fn a_request_that_leaves_is_named_after_its_method_and_has_the_status_of_its_answer() {
    for (status, kind) in [
        (Ok(200), None),
        (Ok(302), None),
        (Ok(401), Some("401")),
        (Ok(503), Some("503")),
        (Err(()), Some("transport")),
    ] {
        let (collector, endpoint) = Collector::start();
        let (dispatch, telemetry) = prepare(settings("shop", Some(Traces::to(&endpoint)))).unwrap();
        let here = tracing::dispatcher::set_default(&dispatch);
        let made = MadeRequest::begin(&Method::POST, Some("orders.test"), Some(443));
        let mut headers = HeaderMap::new();
        made.mark(&mut headers);
        let answer = async {
            // What is done meanwhile belongs to it.
            countersign_telemetry::spans::proof_mint().in_scope(|| {});
            status.map(|status| StatusCode::from_u16(status).unwrap())
        };
        let heard = runtime().block_on(made.during(answer, |status| *status));
        assert_eq!(heard.map(|status| status.as_u16()), status);
        drop(here);
        telemetry.shutdown(SHUTDOWN).unwrap();

        let (_, span) = collector.span("POST");
        assert_eq!(span.kind(), SpanKind::Client);
        let told = headers["traceparent"].to_str().unwrap();
        let id: String = span.span_id.iter().map(|it| format!("{it:02x}")).collect();
        assert!(told.contains(&id), "the server is told of the span: {told}");
        let (_, mint) = collector.span("countersign.proof.mint");
        assert_eq!(mint.parent_span_id, span.span_id);

        let attributes = attributes(&span);
        let said = |name: &str| attributes.get(name).map(String::as_str);
        assert_eq!(said("http.request.method"), Some("POST"));
        assert_eq!(said("server.address"), Some("orders.test"));
        assert_eq!(said("server.port"), Some("443 as a number"));
        let number = status.ok().map(|status| format!("{status} as a number"));
        assert_eq!(said("http.response.status_code"), number.as_deref());
        assert_eq!(said("error.type"), kind);
        let is_error = span.status.as_ref().map(|status| status.code());
        assert_eq!(is_error == Some(SpanStatus::Error), kind.is_some());
    }
}
