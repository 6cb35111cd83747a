//! The two looks of a log line. Both carry the trace they belong to, and print
//! no field that is named like a secret.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::registry::LookupSpan;

use crate::names;

/// One JSON object a line.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = Line::of(event)?;
        let mut bytes = Vec::with_capacity(256);
        line.json(&mut bytes).map_err(|_| fmt::Error)?;
        writeln!(
            out,
            "{}",
            std::str::from_utf8(&bytes).map_err(|_| fmt::Error)?
        )
    }
}

/// One line of text.
pub(super) struct Pretty;

impl<S, N> FormatEvent<S, N> for Pretty
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        Line::of(event)?.pretty(&mut out)
    }
}

struct Line {
    timestamp: String,
    level: Level,
    target: &'static str,
    trace: Option<SpanContext>,
    said: Said,
}

impl Line {
    fn of(event: &Event<'_>) -> Result<Self, fmt::Error> {
        let mut timestamp = String::with_capacity(27);
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut said = Said::default();
        event.record(&mut said);
        let trace = Context::map_current(|context| {
            let span = context.span();
            let current = span.span_context();
            current.is_valid().then(|| current.clone())
        });
        let meta = event.metadata();
        Ok(Self {
            timestamp,
            level: *meta.level(),
            target: meta.target(),
            trace,
            said,
        })
    }

    fn json(&self, bytes: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let mut serializer = serde_json::Serializer::new(bytes);
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &self.timestamp)?;
        line.serialize_entry("level", self.level.as_str())?;
        line.serialize_entry("target", self.target)?;
        line.serialize_entry("message", &self.said.message)?;
        if let Some(trace) = &self.trace {
            line.serialize_entry("trace_id", &trace.trace_id().to_string())?;
            line.serialize_entry("span_id", &trace.span_id().to_string())?;
        }
        if !self.said.fields.is_empty() {
            line.serialize_entry("fields", &self.said.fields)?;
        }
        line.end()
    }

    fn pretty(&self, out: &mut Writer<'_>) -> fmt::Result {
        let [dim, bright, plain] = if out.has_ansi_escapes() {
            ["\x1b[2m", colour(self.level), "\x1b[0m"]
        } else {
            [""; 3]
        };
        write!(
            out,
            "{dim}{}{plain} {bright}{:>5}{plain} ",
            self.timestamp, self.level
        )?;
        write!(out, "{dim}{}:{plain} ", self.target)?;
        printable(&self.said.message, out)?;
        for (name, value) in &self.said.fields {
            write!(out, " {dim}{name}={plain}")?;
            match value {
                Value::String(text) => printable(text, out)?,
                other => write!(out, "{other}")?,
            }
        }
        if let Some(trace) = &self.trace {
            write!(
                out,
                " {dim}trace_id={} span_id={}{plain}",
                trace.trace_id(),
                trace.span_id()
            )?;
        }
        writeln!(out)
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// A line stays a line, and no terminal obeys what a stranger sent.
fn printable(text: &str, out: &mut Writer<'_>) -> fmt::Result {
    for c in text.chars() {
        if c.is_control() {
            write!(out, "{}", c.escape_default())?;
        } else {
            out.write_char(c)?;
        }
    }
    Ok(())
}

/// What an event says: its message and its fields.
#[derive(Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl Said {
    fn take(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        let name = field.name();
        if name == "message" {
            self.message = match value() {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else if names::SECRET_FIELDS.contains(&name) {
            self.fields.insert(name.to_owned(), names::REDACTED.into());
        } else {
            self.fields.insert(name.to_owned(), value());
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, || format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, || value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, || value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, || value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, || value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, || value.into());
    }
}
