//! From an ended span to the collector, without anybody waiting.
//!
//! The SDK's batch processor holds a bounded queue and a thread. The gRPC client
//! it drives needs a tokio runtime; it gets one of its own, so that neither the
//! program's runtime nor its end matters to it.

mod metrics;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, ClientTlsConfig};

use crate::settings::{SettingsError, Traces};
use crate::setup::StartError;
pub(crate) use metrics::{Measuring, measuring};

/// A collector that has not taken a batch by then has lost it; meanwhile the
/// queue fills, and a second is far above what a healthy one takes.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(5);

/// Spans show up in the collector this soon; the SDK's five seconds are long for
/// somebody who looks for the call just made. `OTEL_BSP_SCHEDULE_DELAY` overrides.
const BATCH_EVERY: Duration = Duration::from_secs(1);

/// What became of the spans that were recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Spans that ended and were to be exported.
    pub ended: u64,
    /// Spans that the collector has taken.
    pub exported: u64,
    /// Spans that it was offered and did not take.
    pub failed: u64,
}

impl Delivery {
    /// Spans neither exported nor failed: dropped because the queue was full, or,
    /// before shutdown, still waiting in it.
    pub fn missing(&self) -> u64 {
        self.ended.saturating_sub(self.exported + self.failed)
    }
}

/// The processor to give to the SDK, and what keeps it running.
pub(crate) fn pipeline(traces: &Traces) -> Result<(CountedProcessor, Pipeline), StartError> {
    traces.check()?;
    let metadata = metadata(&traces.headers)?;
    let (handle, stop) = driver().map_err(StartError::Thread)?;
    let counts = Arc::new(Counts::default());

    let mut builder = OtlpExporter::builder()
        .with_tonic()
        .with_endpoint(&traces.endpoint)
        .with_timeout(EXPORT_TIME_MAX)
        .with_metadata(metadata);
    if traces.endpoint.starts_with("https:") {
        builder = builder.with_tls_config(tls(traces.ca_pem.as_deref()));
    }
    let exporter = {
        let _runtime = handle.enter();
        builder
            .build()
            .map_err(|error| StartError::Collector(error.to_string()))?
    };
    let exporter = CountedExporter {
        inner: Arc::new(exporter),
        runtime: handle,
        counts: counts.clone(),
        reachable: AtomicBool::new(true),
    };
    let mut batches = BatchConfigBuilder::default();
    if std::env::var_os("OTEL_BSP_SCHEDULE_DELAY").is_none() {
        batches = batches.with_scheduled_delay(BATCH_EVERY);
    }
    let inner = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches.build())
        .build();
    Ok((
        CountedProcessor {
            inner,
            counts: counts.clone(),
        },
        Pipeline {
            counts,
            _stop: stop,
        },
    ))
}

/// Keeps the exporter's runtime alive; gone, everything under way is cut off.
#[derive(Debug)]
pub(crate) struct Pipeline {
    counts: Arc<Counts>,
    _stop: oneshot::Sender<()>,
}

impl Pipeline {
    pub(crate) fn delivery(&self) -> Delivery {
        self.counts.read()
    }
}

/// A runtime on a thread of its own, until the sender is dropped.
fn driver() -> io::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    thread::Builder::new()
        .name("countersign-telemetry".into())
        .spawn(move || {
            // An error is the sender's end: what we wait for.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        })?;
    Ok((handle, stop))
}

fn tls(ca_pem: Option<&[u8]>) -> ClientTlsConfig {
    match ca_pem {
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    }
}

fn metadata(headers: &[(String, String)]) -> Result<MetadataMap, SettingsError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let bad = || SettingsError::Header(name.clone());
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        map.append(
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?,
            value,
        );
    }
    Ok(MetadataMap::from_headers(map))
}

#[derive(Debug, Default)]
struct Counts {
    ended: AtomicU64,
    exported: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    fn read(&self) -> Delivery {
        // Outcomes first: a span is counted as ended before it has one.
        let exported = self.exported.load(Ordering::Acquire);
        let failed = self.failed.load(Ordering::Acquire);
        Delivery {
            ended: self.ended.load(Ordering::Acquire),
            exported,
            failed,
        }
    }
}

/// Counts what goes in; the SDK keeps its own count of drops to itself.
#[derive(Debug)]
pub(crate) struct CountedProcessor {
    inner: BatchSpanProcessor,
    counts: Arc<Counts>,
}

impl SpanProcessor for CountedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.counts.ended.fetch_add(1, Ordering::Release);
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts what comes out, and says in the log when the collector goes and comes
/// back: once each, for a collector can be away for days.
#[derive(Debug)]
struct CountedExporter {
    inner: Arc<OtlpExporter>,
    runtime: Handle,
    counts: Arc<Counts>,
    reachable: AtomicBool,
}

impl SpanExporter for CountedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let size = batch.len() as u64;
        let exporter = self.inner.clone();
        let sent = self.runtime.spawn(async move {
            // The exporter's own time limit does not cover connecting.
            tokio::time::timeout(EXPORT_TIME_MAX, exporter.export(batch)).await
        });
        let result = match sent.await {
            Ok(Ok(result)) => result,
            Ok(Err(_late)) => Err(OTelSdkError::Timeout(EXPORT_TIME_MAX)),
            Err(_stopped) => Err(OTelSdkError::AlreadyShutdown),
        };
        match &result {
            Ok(()) => {
                self.counts.exported.fetch_add(size, Ordering::Release);
                if !self.reachable.swap(true, Ordering::Relaxed) {
                    let lost = self.counts.failed.load(Ordering::Relaxed);
                    tracing::info!(lost, "collector takes spans again");
                }
            }
            Err(error) => {
                self.counts.failed.fetch_add(size, Ordering::Release);
                if self.reachable.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%error, "collector takes no spans; they are dropped");
                }
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Nothing is exported before the SDK has set the resource, so there is no
        // second holder.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}
