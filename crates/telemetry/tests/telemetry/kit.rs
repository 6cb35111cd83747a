//! A collector, a log sink, and a small gRPC pair to watch.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use countersign_telemetry::{
    ClientCalls, ClientLayer, LogFormat, LogSink, Logs, ServerLayer, Service, Settings, Traces,
    refused, spans,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_client::HealthClient;
use tower_layer::Layer;
use tracing::Instrument;

pub(crate) const SHUTDOWN: Duration = Duration::from_secs(5);

/// What a collector was sent: each span with the name of the service that sent it.
#[derive(Clone, Default)]
pub(crate) struct Collector(
    Arc<Mutex<Vec<(String, Span)>>>,
    Arc<Mutex<Vec<HashMap<String, String>>>>,
    Arc<Mutex<Vec<Metric>>>,
);

impl Collector {
    /// Starts one on a thread of its own.
    pub(crate) fn start() -> (Self, String) {
        let collector = Self::default();
        let service = TraceServiceServer::new(collector.clone());
        let metrics = MetricsServiceServer::new(collector.clone());
        let address = serve(move |listener| async move {
            Server::builder()
                .add_service(service)
                .add_service(metrics)
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        (collector, format!("http://{address}"))
    }

    pub(crate) fn spans(&self) -> Vec<(String, Span)> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn resource(&self) -> HashMap<String, String> {
        self.1.lock().unwrap()[0].clone()
    }

    /// The points of the histogram of that name, as it was sent last.
    pub(crate) fn histogram(&self, name: &str) -> Vec<HistogramDataPoint> {
        let sent = self.2.lock().unwrap();
        let last = sent.iter().rev().find(|metric| metric.name == name);
        let metric = last.unwrap_or_else(|| panic!("no metric {name} among {sent:?}"));
        assert_eq!(metric.unit, "s");
        match metric.data.clone().unwrap() {
            Data::Histogram(histogram) => histogram.data_points,
            other => panic!("{name} is no histogram: {other:?}"),
        }
    }

    /// The one span of that name.
    pub(crate) fn span(&self, name: &str) -> (String, Span) {
        let all = self.spans();
        let mut found = all.iter().filter(|(_, span)| span.name == name);
        let one = found
            .next()
            .unwrap_or_else(|| panic!("no span {name} among {:?}", names(&all)));
        assert!(found.next().is_none(), "two spans {name}");
        one.clone()
    }
}

fn names(spans: &[(String, Span)]) -> Vec<&str> {
    spans.iter().map(|(_, span)| span.name.as_str()).collect()
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for group in request.into_inner().resource_spans {
            let resource: HashMap<String, String> = group
                .resource
                .unwrap()
                .attributes
                .into_iter()
                .map(|pair| (pair.key, text(pair.value.unwrap().value.unwrap())))
                .collect();
            let service = resource["service.name"].clone();
            self.1.lock().unwrap().push(resource);
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.0
                .lock()
                .unwrap()
                .extend(spans.map(|span| (service.clone(), span)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for group in request.into_inner().resource_metrics {
            let scopes = group.scope_metrics.into_iter();
            let metrics = scopes.flat_map(|scope| scope.metrics);
            self.2.lock().unwrap().extend(metrics);
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// The span's attributes as text.
pub(crate) fn attributes(span: &Span) -> HashMap<&str, String> {
    texts(&span.attributes)
}

/// Attributes as text.
pub(crate) fn texts(attributes: &[KeyValue]) -> HashMap<&str, String> {
    attributes
        .iter()
        .map(|pair| {
            let value = pair.value.clone().unwrap().value.unwrap();
            (pair.key.as_str(), text(value))
        })
        .collect()
}

fn text(value: Value) -> String {
    match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => format!("{number} as a number"),
        other => format!("{other:?}"),
    }
}

/// Runs a server on a thread and a runtime of its own, for as long as the tests run.
pub(crate) fn serve<F>(run: impl FnOnce(TcpListener) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()>,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        runtime().block_on(async { run(TcpListener::from_std(listener).unwrap()).await });
    });
    address
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn settings(service: &str, traces: Option<Traces>) -> Settings {
    Settings {
        service: Service {
            name: service.into(),
            version: "1.2.3".into(),
            instance_id: format!("{service}-1"),
        },
        logs: Logs {
            format: LogFormat::Json,
            filter: "info".into(),
            sink: LogSink::Writer(Box::new(io::sink())),
        },
        traces,
        metrics: None,
    }
}

/// A log sink that a test can read.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A health service behind [`ServerLayer`] and [`Guarded`]. The thread that
/// serves uses `settings` for its telemetry, shut down when the sender is gone.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start(settings: Settings) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let (dispatch, telemetry) = countersign_telemetry::prepare(settings).unwrap();
            tracing::dispatcher::with_default(&dispatch, || {
                runtime().block_on(async {
                    let (_, health) = tonic_health::server::health_reporter();
                    let listener = TcpListener::from_std(listener).unwrap();
                    let serving = Server::builder()
                        .layer(ServerLayer::new())
                        .layer(GuardLayer)
                        .add_service(health)
                        .serve_with_incoming(TcpListenerStream::new(listener));
                    tokio::select! {
                        done = serving => done.unwrap(),
                        _ = stopped => {}
                    }
                });
            });
            let _ = telemetry.shutdown(SHUTDOWN);
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Waits until everything the server had to say is said.
    pub(crate) fn stop(mut self) {
        self.stop = None;
        self.thread.take().unwrap().join().unwrap();
    }
}

pub(crate) type Client = HealthClient<ClientCalls<Channel>>;

pub(crate) async fn client(address: SocketAddr) -> Client {
    let origin = format!("http://{address}");
    let layer = ClientLayer::new().server(&origin.parse().unwrap());
    let channel = Channel::from_shared(origin)
        .unwrap()
        .connect()
        .await
        .unwrap();
    HealthClient::new(layer.layer(channel))
}

pub(crate) const REFUSE: &str = "x-refuse";

/// Plays the guard: checks, refuses what asks for it, lets the rest through.
#[derive(Clone)]
struct GuardLayer;

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded(inner)
    }
}

#[derive(Clone)]
struct Guarded<S>(S);

impl<S, B> tower_service::Service<http::Request<B>> for Guarded<S>
where
    S: tower_service::Service<http::Request<B>, Response = http::Response<tonic::body::Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let through = spans::guard().in_scope(|| {
            spans::proof_verify().in_scope(|| spans::note_jkt(&"thumbprint"));
            let asks = request.headers().contains_key(REFUSE);
            if asks {
                refused("REASON_DPOP_PROOF_REPLAYED", "jti spent");
            } else {
                tracing::info!(client_secret = "s3cr3t-value", attempt = 1, "let through");
            }
            !asks
        });
        if !through {
            return Box::pin(async { Ok(Status::unauthenticated("no").into_http()) });
        }
        let inner = self.0.call(request);
        Box::pin(inner.instrument(spans::handler()))
    }
}
