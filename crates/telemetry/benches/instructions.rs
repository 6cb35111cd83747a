//! Instructions of what measuring costs: a gRPC call and an HTTP request through the layers of a
//! server, and a guard's decision, each where metrics are kept and where they go nowhere, counted
//! under valgrind: the same on every run, so that slow decay shows. `tests/instructions/main.rs`
//! compares them with what they were.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made has failed"
)]
#![expect(missing_docs, reason = "the macros make public items")]

use std::convert::Infallible;
use std::future::{Future as _, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use countersign_telemetry::layer::ServedRequests;
use countersign_telemetry::{
    Decided, Deciding, HttpServerLayer, LogFormat, LogSink, Logs, Metrics, Protocol, ServerCalls,
    ServerLayer, Service as Program, Settings, Telemetry, prepare,
};
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::{HeaderValue, Request, Response, Uri};
use tower_layer::Layer as _;
use tower_service::Service;
use tracing::dispatcher::{self, DefaultGuard};

const METHOD: &str = "countersign.example.v1.OrderService/CreateOrder";
const ROUTE: &str = "/orders";

/// What is served, and where it is measured. Nobody listens at the collector's address, and nothing
/// is sent there before the first minute is over.
struct Stand<S> {
    service: S,
    _here: DefaultGuard,
    _telemetry: Telemetry,
}

#[derive(Clone, Copy, PartialEq)]
enum Metric {
    Kept,
    Off,
}

/// Two calls came before, so that what is done only once is not counted.
fn stand<S>(metrics: Metric, service: S, call: impl Fn(&mut S)) -> Stand<S> {
    let (dispatch, telemetry) = prepare(Settings {
        service: Program {
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
        metrics: (metrics == Metric::Kept).then(|| Metrics::to("http://127.0.0.1:9")),
    })
    .unwrap();
    let mut stand = Stand {
        service,
        _here: dispatcher::set_default(&dispatch),
        _telemetry: telemetry,
    };
    for _ in 0..2 {
        call(&mut stand.service);
    }
    stand
}

fn grpc(metrics: Metric) -> Stand<ServerCalls<Answers>> {
    let layer = ServerLayer::of(|path| (path.strip_prefix('/') == Some(METHOD)).then_some(METHOD));
    let service = layer.layer(Answers);
    stand(metrics, service, |service| {
        answered(service, &format!("/{METHOD}"));
    })
}

fn http(metrics: Metric) -> Stand<ServedRequests<Answers>> {
    let route = |uri: &Uri| (uri.path() == ROUTE).then_some(ROUTE);
    let service = HttpServerLayer::new("https", route).layer(Answers);
    stand(metrics, service, |service| {
        answered(service, ROUTE);
    })
}

fn guard(metrics: Metric) -> Stand<()> {
    stand(metrics, (), |()| decided())
}

/// From the request to the end of its answer.
fn answered<S, B>(service: &mut S, path: &str)
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let request = Request::post(path).body(()).unwrap();
    let answer = pin!(service.call(request));
    let polled = answer.poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(response)) = polled else {
        panic!("the service answers at once");
    };
    black_box(response.status());
}

fn decided() {
    Deciding::begin().decided(black_box(Protocol::Http), black_box(Decided::Permitted));
}

#[library_benchmark]
#[bench::measured(grpc(Metric::Kept))]
#[bench::not_measured(grpc(Metric::Off))]
fn served_call(mut stand: Stand<ServerCalls<Answers>>) -> Stand<ServerCalls<Answers>> {
    answered(
        &mut stand.service,
        "/countersign.example.v1.OrderService/CreateOrder",
    );
    stand
}

#[library_benchmark]
#[bench::measured(http(Metric::Kept))]
#[bench::not_measured(http(Metric::Off))]
fn served_request(mut stand: Stand<ServedRequests<Answers>>) -> Stand<ServedRequests<Answers>> {
    answered(&mut stand.service, ROUTE);
    stand
}

#[library_benchmark]
#[bench::measured(guard(Metric::Kept))]
#[bench::not_measured(guard(Metric::Off))]
fn guard_decision(stand: Stand<()>) -> Stand<()> {
    decided();
    stand
}

library_benchmark_group!(
    name = telemetry,
    benchmarks = [served_call, served_request, guard_decision]
);
main!(library_benchmark_groups = telemetry);

/// Answers at once, with a status of either protocol and nothing else.
#[derive(Clone)]
struct Answers;

impl Service<Request<()>> for Answers {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(request);
        let mut response = Response::new(());
        let status = HeaderValue::from_static("0");
        response.headers_mut().insert("grpc-status", status);
        ready(Ok(response))
    }
}
