//! W3C trace context in gRPC metadata, that is in HTTP headers.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The propagator's own field names, in the form that a header map looks up quickest.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// W3C Trace Context §3.3.1.5 asks for at least this much; more is dropped, as
/// the section permits, for it would be sent on with every call.
const TRACESTATE_BYTES_MAX: usize = 512;

/// Writes the current trace into `headers`, in place of what they held. Does
/// nothing where there is no trace.
pub fn inject(headers: &mut HeaderMap) {
    Context::map_current(|context| {
        if context.has_active_span() {
            headers.remove(TRACESTATE);
            TraceContextPropagator::new().inject_context(context, &mut Headers(headers));
        }
    });
}

/// The trace that `headers` continue; `None` where they say none, or not clearly
/// (W3C Trace Context §3.2: exactly one well-formed `traceparent`).
pub fn extract(headers: &HeaderMap) -> Option<Context> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    parents.next()?;
    if parents.next().is_some() {
        return None;
    }
    let context =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    context.has_active_span().then_some(context)
}

/// The current trace's identifier in hexadecimal, as logs and collectors show it.
pub fn trace_id() -> Option<String> {
    Context::map_current(|context| {
        let span = context.span();
        let current = span.span_context();
        current.is_valid().then(|| current.trace_id().to_string())
    })
}

struct Headers<H>(H);

impl Injector for Headers<&mut HeaderMap> {
    fn set(&mut self, key: &str, value: String) {
        // An empty tracestate is what the propagator writes for none.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(key.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            self.0.insert(name, value);
        }
    }
}

impl Extractor for Headers<&HeaderMap> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.to_str().ok()?;
        (key != TRACESTATE.as_str() || value.len() <= TRACESTATE_BYTES_MAX).then_some(value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
