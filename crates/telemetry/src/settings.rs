//! What a program says about its telemetry.

use std::fmt;
use std::io::Write;
use std::str::FromStr;

/// Everything [`start`](crate::start) needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Who is speaking.
    pub service: Service,
    /// Which log lines, how, and where to.
    pub logs: Logs,
    /// Where spans go; `None` turns tracing off.
    pub traces: Option<Traces>,
    /// Where metrics go; `None`: nothing is measured.
    pub metrics: Option<Metrics>,
}

/// Who is speaking: OpenTelemetry's `service.*` resource attributes. The
/// variables `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go before the
/// name and add to the rest.
#[derive(Clone, Debug)]
pub struct Service {
    /// `service.name`.
    pub name: String,
    /// `service.version`.
    pub version: String,
    /// `service.instance.id`: which of several running instances.
    pub instance_id: String,
}

/// Which log lines, how, and where to.
#[derive(Debug)]
pub struct Logs {
    /// For people or for machines.
    pub format: LogFormat,
    /// Directives of `tracing_subscriber::EnvFilter`, such as `info,h2=warn`.
    pub filter: String,
    /// Where the lines go.
    pub sink: LogSink,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text, coloured on a terminal.
    #[default]
    Pretty,
    /// One JSON object a line: `timestamp`, `level`, `target`, `message`,
    /// `trace_id`, `span_id`, `fields`.
    Json,
}

impl FromStr for LogFormat {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(SettingsError::Format(text.to_owned())),
        }
    }
}

/// Where log lines go. Always by way of a bounded queue and a thread, so that a
/// full pipe stops nobody.
#[derive(Default)]
pub enum LogSink {
    /// Standard error.
    #[default]
    Stderr,
    /// Anything else.
    Writer(Box<dyn Write + Send>),
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stderr => "Stderr",
            Self::Writer(_) => "Writer(..)",
        })
    }
}

/// Where spans go, and which.
#[derive(Clone)]
pub struct Traces {
    /// An OTLP collector over gRPC: `http://host:4317`, or `https://…`.
    pub endpoint: String,
    /// The share, from 0 to 1, of the traces that begin here to be recorded.
    /// One that began elsewhere is recorded when it is there.
    pub ratio: f64,
    /// Metadata for the collector, often a key: never shown.
    pub headers: Vec<(String, String)>,
    /// The certificate authority of an `https` collector, in PEM; without it the
    /// system's.
    pub ca_pem: Option<Vec<u8>>,
}

impl Traces {
    /// Every trace, to `endpoint`.
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            ratio: 1.0,
            headers: Vec::new(),
            ca_pem: None,
        }
    }

    /// What OpenTelemetry's own variables say, `None` when they name no collector:
    /// `OTEL_SDK_DISABLED`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`,
    /// `OTEL_TRACES_SAMPLER_ARG`. Others that the SDK reads itself
    /// (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`) hold in any case.
    ///
    /// # Errors
    /// A sampler that is not known, or whose argument is not a ratio.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        // An empty variable counts as none, as OpenTelemetry's specification asks.
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        if var("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let Some(endpoint) = var("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .or_else(|| var("OTEL_EXPORTER_OTLP_ENDPOINT"))
        else {
            return Ok(None);
        };
        let ratio = match var("OTEL_TRACES_SAMPLER").as_deref() {
            None | Some("always_on" | "parentbased_always_on") => 1.0,
            Some("always_off" | "parentbased_always_off") => 0.0,
            Some("traceidratio" | "parentbased_traceidratio") => {
                match var("OTEL_TRACES_SAMPLER_ARG") {
                    None => 1.0,
                    Some(text) => text.parse().map_err(|_| SettingsError::Ratio(text))?,
                }
            }
            Some(other) => return Err(SettingsError::Sampler(other.to_owned())),
        };
        Ok(Some(Self {
            ratio,
            ..Self::to(endpoint)
        }))
    }

    /// # Errors
    /// An endpoint that is no `http` or `https` URI with a host; a ratio that is none.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        check_endpoint(&self.endpoint)?;
        if !(0.0..=1.0).contains(&self.ratio) {
            return Err(SettingsError::Ratio(self.ratio.to_string()));
        }
        Ok(())
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Traces")
            .field("endpoint", &self.endpoint)
            .field("ratio", &self.ratio)
            .field("headers", &headers)
            .field("ca_pem", &self.ca_pem.is_some())
            .finish()
    }
}

/// Where metrics go. How often is OpenTelemetry's own variable, `OTEL_METRIC_EXPORT_INTERVAL`, in
/// milliseconds: each minute without it.
#[derive(Clone)]
pub struct Metrics {
    /// An OTLP collector over gRPC: `http://host:4317`, or `https://…`.
    pub endpoint: String,
    /// Metadata for the collector, often a key: never shown.
    pub headers: Vec<(String, String)>,
    /// The certificate authority of an `https` collector, in PEM; without it the
    /// system's.
    pub ca_pem: Option<Vec<u8>>,
}

impl Metrics {
    /// To `endpoint`.
    pub fn to(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            headers: Vec::new(),
            ca_pem: None,
        }
    }

    /// What OpenTelemetry's own variables say, `None` when they name no collector or want no
    /// metrics: `OTEL_SDK_DISABLED`, `OTEL_METRICS_EXPORTER`,
    /// `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`.
    ///
    /// # Errors
    /// An exporter that is not known.
    pub fn from_env(var: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        if var("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        match var("OTEL_METRICS_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return Err(SettingsError::Exporter(other.to_owned())),
        }
        let endpoint = var("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
            .or_else(|| var("OTEL_EXPORTER_OTLP_ENDPOINT"));
        Ok(endpoint.map(Self::to))
    }

    /// # Errors
    /// An endpoint that is no `http` or `https` URI with a host.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        check_endpoint(&self.endpoint)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Metrics")
            .field("endpoint", &self.endpoint)
            .field("headers", &headers)
            .field("ca_pem", &self.ca_pem.is_some())
            .finish()
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), SettingsError> {
    let uri = endpoint.parse::<http::Uri>().ok();
    let good = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
    });
    if good {
        Ok(())
    } else {
        Err(SettingsError::Endpoint(endpoint.to_owned()))
    }
}

/// Settings that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a log format.
    #[error("log format '{0}': must be 'pretty' or 'json'")]
    Format(String),
    /// Not a log filter.
    #[error("log filter: {0}")]
    Filter(String),
    /// Not a collector's address.
    #[error("collector endpoint '{0}': must be like http://host:4317 or https://host:4317")]
    Endpoint(String),
    /// Not a share.
    #[error("sampling ratio '{0}': must be a number from 0 to 1")]
    Ratio(String),
    /// Not a sampler of OpenTelemetry's specification.
    #[error(
        "OTEL_TRACES_SAMPLER '{0}': must be always_on, always_off, traceidratio, or one of these after parentbased_"
    )]
    Sampler(String),
    /// Not a place that metrics can go to.
    #[error("OTEL_METRICS_EXPORTER '{0}': must be otlp or none")]
    Exporter(String),
    /// Not metadata.
    #[error("collector header '{0}': must be ASCII metadata")]
    Header(String),
}
