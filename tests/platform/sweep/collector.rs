//! An OTLP collector that keeps every byte it is sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_testkit::Problem;
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
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// What it was sent, encoded.
#[derive(Clone, Default)]
pub(crate) struct Collector {
    spans: Kept,
    metrics: Kept,
}

type Kept = Arc<Mutex<Vec<u8>>>;

impl Collector {
    /// Starts one, and says where it is.
    pub(crate) async fn start() -> Result<(Self, String), Problem> {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(collector.clone()))
            .add_service(MetricsServiceServer::new(collector.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        Ok((collector, format!("http://{address}")))
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<u8> {
        locked(&self.spans).clone()
    }

    /// All metrics so far, each export as a message of its own, one behind the other: which is how
    /// protobuf merges them.
    pub(crate) fn metrics(&self) -> Vec<u8> {
        locked(&self.metrics).clone()
    }
}

fn locked(kept: &Kept) -> MutexGuard<'_, Vec<u8>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let bytes = request.into_inner().encode_to_vec();
        locked(&self.metrics).extend_from_slice(&bytes);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let bytes = request.into_inner().encode_to_vec();
        locked(&self.spans).extend_from_slice(&bytes);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
