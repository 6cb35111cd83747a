//! Starting telemetry, and stopping it in time.

use std::io;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Dispatch;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use crate::export::{self, Delivery, Measuring, Pipeline};
use crate::logs::{self, Chosen, Lines};
use crate::measures::Measures;
use crate::names;
use crate::sampling::{self, Sampled};
use crate::settings::{Service, Settings, SettingsError};

/// What a [`Telemetry`] that is merely dropped waits for: short, for nobody asked.
const DROP_WAIT_MAX: Duration = Duration::from_secs(1);

/// Starts telemetry and makes it the whole process's.
///
/// # Errors
/// Settings that cannot be meant, a thread that cannot be started, or a process
/// that has a subscriber already. A collector that is down is none: it may come.
pub fn start(settings: Settings) -> Result<Telemetry, StartError> {
    let (dispatch, telemetry) = prepare(settings)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| StartError::Taken)?;
    Ok(telemetry)
}

/// Whether these are directives for the log, as [`Logs::filter`](crate::Logs::filter) takes them.
///
/// # Errors
/// They are none.
pub fn check_log_filter(directives: &str) -> Result<(), SettingsError> {
    logs::filter(directives).map(drop)
}

/// Like [`start`], but leaves it to the caller where the subscriber is used.
///
/// # Errors
/// As [`start`].
pub fn prepare(settings: Settings) -> Result<(Dispatch, Telemetry), StartError> {
    let Settings {
        service,
        logs,
        traces,
        metrics,
    } = settings;
    let (log, lines, chosen) = logs::layer(logs).map_err(|failed| match failed {
        logs::Failed::Settings(error) => StartError::Settings(error),
        logs::Failed::Thread(error) => StartError::Thread(error),
    })?;
    let measuring = match &metrics {
        Some(metrics) => Some(export::measuring(metrics, resource(&service))?),
        None => None,
    };
    let kept = Kept {
        tracing: traces.is_some(),
        told: chosen.clone(),
        measures: measuring
            .as_ref()
            .map(|measuring| Measures::of(measuring.provider())),
    };
    let registry = Registry::default().with(log).with(kept);
    let Some(traces) = traces else {
        return Ok((
            Dispatch::new(registry),
            Telemetry {
                tracing: None,
                measuring,
                lines,
                chosen,
                over: false,
            },
        ));
    };

    let (processor, pipeline) = export::pipeline(&traces)?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(&service))
        // The ratio is applied before a span is built; see `sampling`.
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_span_processor(processor)
        .build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false)
        .with_filter(Sampled::by_ratio(traces.ratio));
    let dispatch = Dispatch::new(registry.with(spans));
    let tracing = Some(Tracing { provider, pipeline });
    Ok((
        dispatch,
        Telemetry {
            tracing,
            measuring,
            lines,
            chosen,
            over: false,
        },
    ))
}

/// What no layer can want is refused here and not only by the layers: a refusal here holds for
/// good, where theirs would be asked for again at each of the hundred trace events that the
/// transport has for a call. Other people's spans are not even built.
///
/// It is also where layers find what measures.
pub(crate) struct Kept {
    tracing: bool,
    told: Chosen,
    measures: Option<Measures>,
}

impl Kept {
    pub(crate) fn measures(&self) -> Option<&Measures> {
        self.measures.as_ref()
    }

    fn wants(&self, meta: &Metadata<'_>) -> bool {
        match meta.is_event() {
            true => self.told.may_tell(*meta.level()),
            false => self.tracing && sampling::wants(meta),
        }
    }
}

impl<S: Subscriber> Layer<S> for Kept {
    fn register_callsite(&self, meta: &'static Metadata<'static>) -> Interest {
        if self.wants(meta) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, meta: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(meta)
    }
}

fn resource(service: &Service) -> Resource {
    let given = [
        KeyValue::new(names::SERVICE_VERSION, service.version.clone()),
        KeyValue::new(names::SERVICE_INSTANCE_ID, service.instance_id.clone()),
    ];
    let resource = Resource::builder().with_attributes(given);
    match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(chosen) if !chosen.is_empty() => resource.build(),
        _ => resource
            .with_attribute(KeyValue::new(names::SERVICE_NAME, service.name.clone()))
            .build(),
    }
}

/// Keeps spans and log lines flowing. Hand it to [`Telemetry::shutdown`] when
/// the program ends, or the last of them may be lost.
#[derive(Debug)]
#[must_use = "what is dropped at once exports nothing"]
pub struct Telemetry {
    tracing: Option<Tracing>,
    measuring: Option<Measuring>,
    lines: Lines,
    chosen: Chosen,
    over: bool,
}

#[derive(Debug)]
struct Tracing {
    provider: SdkTracerProvider,
    pipeline: Pipeline,
}

impl Telemetry {
    /// Sends what is left, and waits for it at most `within`, whatever the
    /// collector does. Blocks the thread: call it when the program's runtime has
    /// come to its end, or from `spawn_blocking`.
    ///
    /// # Errors
    /// The time was up, or the collector did not take everything.
    pub fn shutdown(mut self, within: Duration) -> Result<Delivery, Unfinished> {
        self.finish(within)
    }

    /// Chooses log lines by other directives from now on.
    ///
    /// # Errors
    /// They are none; the old ones hold.
    pub fn replace_log_filter(&self, directives: &str) -> Result<(), SettingsError> {
        let _subscriber_lives = self.chosen.replace(logs::filter(directives)?);
        Ok(())
    }

    /// What became of the spans so far.
    pub fn delivery(&self) -> Delivery {
        self.tracing
            .as_ref()
            .map(|tracing| tracing.pipeline.delivery())
            .unwrap_or_default()
    }

    fn finish(&mut self, within: Duration) -> Result<Delivery, Unfinished> {
        self.over = true;
        let deadline = Instant::now() + within;
        let in_time = match &self.tracing {
            None => true,
            Some(tracing) => tracing.provider.shutdown_with_timeout(within).is_ok(),
        };
        let delivery = self.delivery();
        if let Some(measuring) = &self.measuring {
            measuring.finish(deadline.saturating_duration_since(Instant::now()));
        }
        // Their runtimes end here, and with them an export that still hangs.
        self.tracing = None;
        self.measuring = None;
        let written = self.lines.flush(deadline);
        if in_time && written && delivery.failed == 0 && delivery.missing() == 0 {
            Ok(delivery)
        } else {
            Err(Unfinished {
                delivery,
                lines_written: written,
            })
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.finish(DROP_WAIT_MAX);
        }
    }
}

/// Shutdown came to an end without everything delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} spans of {} did not reach the collector{}",
    delivery.ended - delivery.exported,
    delivery.ended,
    if *lines_written { "" } else { ", nor all log lines their sink" }
)]
pub struct Unfinished {
    /// How far it came.
    pub delivery: Delivery,
    /// Whether all log lines were written.
    pub lines_written: bool,
}

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that cannot be meant.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The exporter cannot be built.
    #[error("collector: {0}")]
    Collector(String),
    /// A thread or its runtime cannot be started.
    #[error("telemetry thread: {0}")]
    Thread(#[source] io::Error),
    /// The process has a subscriber already.
    #[error("this process has a tracing subscriber already")]
    Taken,
}
