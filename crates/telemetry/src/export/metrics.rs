//! From a histogram to the collector, without anybody waiting.
//!
//! The SDK's reader has a thread, which asks for what was measured every now and then and drives
//! the exporter. Its gRPC client gets a runtime of its own, as that of spans does.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::ready;
use std::thread;
use std::time::Duration;

use opentelemetry_otlp::{MetricExporter as OtlpExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::{EXPORT_TIME_MAX, driver, metadata, tls};
use crate::settings::Metrics;
use crate::setup::StartError;

/// What is measured, and what sends it.
pub(crate) fn measuring(metrics: &Metrics, resource: Resource) -> Result<Measuring, StartError> {
    metrics.check()?;
    let metadata = metadata(&metrics.headers)?;
    let (runtime, stop) = driver().map_err(StartError::Thread)?;
    let mut builder = OtlpExporter::builder()
        .with_tonic()
        .with_endpoint(&metrics.endpoint)
        .with_timeout(EXPORT_TIME_MAX)
        .with_metadata(metadata);
    if metrics.endpoint.starts_with("https:") {
        builder = builder.with_tls_config(tls(metrics.ca_pem.as_deref()));
    }
    let inner = {
        let _runtime = runtime.enter();
        builder
            .build()
            .map_err(|error| StartError::Collector(error.to_string()))?
    };
    let exporter = ToldExporter {
        inner,
        runtime,
        reachable: AtomicBool::new(true),
    };
    let provider = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_reader(PeriodicReader::builder(exporter).build())
        .build();
    Ok(Measuring {
        provider,
        _stop: stop,
    })
}

/// Keeps measurements flowing; gone, an export that still hangs is cut off.
#[derive(Debug)]
pub(crate) struct Measuring {
    provider: SdkMeterProvider,
    _stop: oneshot::Sender<()>,
}

impl Measuring {
    pub(crate) fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }

    /// Sends what was measured since the last time, and waits for it at most `within`: the SDK
    /// keeps a time of its own, which is not ours. What is not sent then was said in the log.
    pub(crate) fn finish(&self, within: Duration) {
        let provider = self.provider.clone();
        let (done, told) = mpsc::channel();
        let ending = thread::Builder::new().spawn(move || {
            // Nobody waits for it any more, or it is told in time.
            let _ = done.send(provider.shutdown());
        });
        if ending.is_ok() {
            let _ = told.recv_timeout(within);
        }
    }
}

/// Says in the log when the collector goes and comes back: once each.
#[derive(Debug)]
struct ToldExporter {
    inner: OtlpExporter,
    runtime: Handle,
    reachable: AtomicBool,
}

impl ToldExporter {
    async fn send(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        // The exporter's own time limit does not cover connecting.
        let sent = tokio::time::timeout(EXPORT_TIME_MAX, self.inner.export(metrics)).await;
        sent.unwrap_or(Err(OTelSdkError::Timeout(EXPORT_TIME_MAX)))
    }
}

impl PushMetricExporter for ToldExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = {
            let mut sent = pin!(async { self.send(metrics).await });
            // It is polled by a thread that has no runtime.
            std::future::poll_fn(|cx| {
                let _runtime = self.runtime.enter();
                std::task::Poll::Ready(ready!(sent.as_mut().poll(cx)))
            })
            .await
        };
        match &result {
            Ok(()) => {
                if !self.reachable.swap(true, Ordering::Relaxed) {
                    tracing::info!("collector takes metrics again");
                }
            }
            Err(error) => {
                if self.reachable.swap(false, Ordering::Relaxed) {
                    tracing::warn!(%error, "collector takes no metrics; they are kept for the next time");
                }
            }
        }
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}
