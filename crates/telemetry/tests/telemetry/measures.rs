//! What a collector is told of how long requests and calls take.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, Pending, Ready, pending, ready};
use std::net::TcpListener;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use countersign_telemetry::{HttpServerLayer, Metrics, ServerLayer, Settings, names, prepare};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use tower_layer::Layer;
use tower_service::Service;

use crate::kit::{Collector, SHUTDOWN, runtime, settings, texts};

/// Answers each request with the status that it asks for, in the words of a protocol.
struct Answers(fn(u16) -> Response<String>);

/// Over HTTP.
const HTTP: Answers = Answers(|status| {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
});

/// Over gRPC.
const GRPC: Answers = Answers(|status| {
    let mut response = Response::new(String::new());
    let status = HeaderValue::from(status);
    response.headers_mut().insert("grpc-status", status);
    response
});

impl Service<Request<u16>> for Answers {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<u16>) -> Self::Future {
        ready(Ok((self.0)(*request.body())))
    }
}

/// Never answers.
struct Silent;

impl Service<Request<()>> for Silent {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pending<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        pending()
    }
}

fn route(uri: &Uri) -> Option<&'static str> {
    (uri.path() == "/token").then_some("/token")
}

fn method(path: &str) -> Option<&'static str> {
    (path == "/shop.v1.Orders/Get").then_some("shop.v1.Orders/Get")
}

/// Does the work where it is measured, and returns what the collector was told of it.
fn measured(work: impl FnOnce()) -> Collector {
    let (collector, endpoint) = Collector::start();
    let (dispatch, telemetry) = prepare(Settings {
        metrics: Some(Metrics::to(&endpoint)),
        ..settings("tokens", None)
    })
    .unwrap();
    tracing::dispatcher::with_default(&dispatch, work);
    telemetry.shutdown(SHUTDOWN).unwrap();
    collector
}

/// How often each combination of attributes was counted.
fn counted(points: &[HistogramDataPoint]) -> BTreeMap<String, u64> {
    let line = |point: &HistogramDataPoint| {
        let sorted: BTreeMap<_, _> = texts(&point.attributes).into_iter().collect();
        let said = sorted.iter().map(|(name, value)| format!("{name}={value}"));
        said.collect::<Vec<_>>().join(" ")
    };
    points
        .iter()
        .map(|point| (line(point), point.count))
        .collect()
}

fn expected(lines: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let lines = lines.iter();
    lines
        .map(|(line, count)| ((*line).to_owned(), *count))
        .collect()
}

/// What one puts in a request has a row of its own, what strangers think up has none.
#[test]
fn requests_are_counted_by_route_method_and_status() {
    let collector = measured(|| {
        let mut service = HttpServerLayer::new("https", route).layer(HTTP);
        let brewed = Method::from_bytes(b"BREW").unwrap();
        for (method, path, version, status) in [
            (Method::POST, "/token", Version::HTTP_2, 200),
            (Method::POST, "/token", Version::HTTP_2, 200),
            (Method::POST, "/token", Version::HTTP_11, 200),
            (Method::POST, "/token", Version::HTTP_2, 400),
            (Method::POST, "/token", Version::HTTP_2, 503),
            (Method::POST, "/token", Version::HTTP_2, 599),
            (Method::GET, "/csr_secret-1", Version::HTTP_2, 404),
            (Method::GET, "/csr_secret-2?x=y", Version::HTTP_2, 404),
            (brewed, "/token", Version::HTTP_2, 405),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .version(version)
                .body(status)
                .unwrap();
            runtime().block_on(service.call(request)).unwrap();
        }
    });
    let points = collector.histogram("http.server.request.duration");
    let two = "network.protocol.version=2 url.scheme=https";
    let token = "http.route=/token network.protocol.version=2 url.scheme=https";
    let post = "http.request.method=POST http.response.status_code";
    assert_eq!(
        counted(&points),
        expected(&[
            (&format!("{post}=200 as a number {token}"), 2),
            (
                &format!("{post}=200 as a number {}", token.replace("=2 ", "=1.1 ")),
                1
            ),
            (&format!("{post}=400 as a number {token}"), 1),
            (&format!("error.type=503 {post}=503 as a number {token}"), 1),
            (
                &format!("error.type=_OTHER {post}=599 as a number {token}"),
                1
            ),
            (
                &format!("http.request.method=GET http.response.status_code=404 as a number {two}"),
                2
            ),
            (
                &format!(
                    "http.request.method=_OTHER http.response.status_code=405 as a number {token}"
                ),
                1
            ),
        ])
    );
}

#[test]
fn a_request_takes_until_its_head_is_answered_or_nobody_waits_for_it_any_more() {
    let waited = Duration::from_millis(30);
    let collector = measured(|| {
        let mut service = HttpServerLayer::new("https", route).layer(Silent);
        let request = Request::post("/token").body(()).unwrap();
        let mut answer = Box::pin(service.call(request));
        let polled = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let begun = Instant::now();
        while begun.elapsed() < waited {
            std::thread::sleep(waited);
        }
        drop(answer);
    });
    let points = collector.histogram("http.server.request.duration");
    let [point] = &*points else {
        panic!("one, not {points:?}");
    };
    let said = texts(&point.attributes);
    assert_eq!(said["error.type"], "cancelled");
    assert!(!said.contains_key("http.response.status_code"));
    assert!(point.sum.unwrap() >= waited.as_secs_f64(), "{point:?}");
    // Buckets end where the conventions advise, and finer below 5 ms.
    for boundary in [0.0005, 0.005, 0.01, 0.075, 0.25, 1.0, 10.0] {
        let known = point.explicit_bounds.iter();
        assert!(known.clone().any(|it| (it - boundary).abs() < 1e-9));
    }
}

#[test]
fn calls_are_counted_by_method_and_status() {
    let collector = measured(|| {
        let mut service = ServerLayer::of(method).layer(GRPC);
        for (path, status) in [
            ("/shop.v1.Orders/Get", 0),
            ("/shop.v1.Orders/Get", 0),
            // The caller's fault, and the server's.
            ("/shop.v1.Orders/Get", 7),
            ("/shop.v1.Orders/Get", 14),
            ("/made.up/One", 7),
            ("/made.up/Two", 7),
            ("/csr_secret", 12),
        ] {
            let request = Request::post(path).body(status).unwrap();
            runtime().block_on(service.call(request)).unwrap();
        }
        // Nobody waits for an answer.
        let mut silent = ServerLayer::of(method).layer(Silent);
        let request = Request::post("/shop.v1.Orders/Get").body(()).unwrap();
        drop(silent.call(request));
        // Shed in front of the layer.
        let shed = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from(14))]);
        ServerLayer::of(method).answered_before("/shop.v1.Orders/Get", &shed);
        // A server that has said no names.
        let mut unnamed = ServerLayer::new().layer(GRPC);
        let request = Request::post("/shop.v1.Orders/Get").body(0).unwrap();
        runtime().block_on(unnamed.call(request)).unwrap();
    });
    let points = collector.histogram("rpc.server.call.duration");
    let get = "rpc.method=shop.v1.Orders/Get rpc.status_code";
    let other = "rpc.method=_OTHER rpc.status_code";
    let grpc = "rpc.system.name=grpc";
    assert_eq!(
        counted(&points),
        expected(&[
            (&format!("{get}=OK {grpc}"), 2),
            (&format!("{get}=PERMISSION_DENIED {grpc}"), 1),
            (
                &format!("error.type=UNAVAILABLE {get}=UNAVAILABLE {grpc}"),
                2
            ),
            (&format!("{get}=CANCELLED {grpc}"), 1),
            (&format!("{other}=PERMISSION_DENIED {grpc}"), 2),
            (
                &format!("error.type=UNIMPLEMENTED {other}=UNIMPLEMENTED {grpc}"),
                1
            ),
            (&format!("{other}=OK {grpc}"), 1),
        ])
    );
}

/// A request that is shed in front of the layer is measured as one behind it.
#[test]
fn what_is_answered_before_is_measured_alike() {
    let collector = measured(|| {
        let layer = HttpServerLayer::new("https", route);
        let request = |status| Request::post("/token").body(status).unwrap();
        layer.answered_before(&request(0), StatusCode::SERVICE_UNAVAILABLE);
        let mut service = layer.layer(HTTP);
        runtime().block_on(service.call(request(503))).unwrap();
    });
    let points = collector.histogram(names::HTTP_SERVER_DURATION);
    assert_eq!(
        points.iter().map(|point| point.count).collect::<Vec<_>>(),
        [2]
    );
}

/// It takes connections and never answers.
#[test]
fn a_collector_that_is_deaf_does_not_hold_up_shutdown() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let (dispatch, telemetry) = prepare(Settings {
        metrics: Some(Metrics::to(format!(
            "http://{}",
            deaf.local_addr().unwrap()
        ))),
        ..settings("s", None)
    })
    .unwrap();
    tracing::dispatcher::with_default(&dispatch, || {
        let mut service = HttpServerLayer::new("https", route).layer(HTTP);
        let request = Request::post("/token").body(200).unwrap();
        let answered = pin!(service.call(request));
        assert!(runtime().block_on(answered).is_ok());
    });
    let within = Duration::from_millis(500);
    let begun = Instant::now();
    let _ = telemetry.shutdown(within);
    // The time that it was given, and as much as a busy machine takes.
    assert!(begun.elapsed() < within + Duration::from_secs(2));
}
