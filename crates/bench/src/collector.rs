//! A collector of spans: a real receiver on a real socket, which counts them and
//! keeps none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::BenchError;

/// It runs on the load's core, so that what it takes is not the server's.
pub struct Collector {
    url: String,
    spans: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Collector {
    /// Listens on a port of its own on loopback.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> Result<Self, BenchError> {
        let failed = || BenchError::system("listening for spans");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed())?;
        let address = listener.local_addr().map_err(failed())?;
        let spans = Arc::new(AtomicU64::new(0));
        let service = TraceServiceServer::new(Receiver(Arc::clone(&spans)));
        let task = tokio::spawn(async {
            // If it ends, no more spans are counted, and the run says so.
            let _ = Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await;
        });
        Ok(Self {
            url: format!("http://{address}"),
            spans,
            task,
        })
    }

    /// Where spans go.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many have come.
    pub fn spans(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Receiver(Arc<AtomicU64>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request
            .get_ref()
            .resource_spans
            .iter()
            .flat_map(|resource| &resource.scope_spans);
        let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
        self.0.fetch_add(spans as u64, Ordering::Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
