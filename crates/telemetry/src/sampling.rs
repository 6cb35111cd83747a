//! Whether a trace is recorded: decided once, where it begins.
//!
//! OpenTelemetry's own sampler is asked only after a span has been built, which
//! costs about a microsecond each. A call makes several, so the question is put
//! first, and for a trace that is not sampled none is built.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing::{Metadata, Subscriber, dispatcher};
use tracing_subscriber::layer::{Context as LayerContext, Filter};

/// What is to happen with a span that may be wanted.
pub(crate) enum Decision {
    /// Build it.
    Record,
    /// Do not, and let this context travel in its place, so that everybody
    /// further down the trace decides the same.
    Skip(Context),
}

/// For the span that begins a call, or another root: the parent decides, and
/// without one the coin does.
pub(crate) fn decide(parent: &Context) -> Decision {
    if parent.has_active_span() {
        return if parent.span().span_context().is_sampled() {
            Decision::Record
        } else {
            Decision::Skip(parent.clone())
        };
    }
    match dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Sampled>().map(Sampled::flip))
    {
        // Somebody else's subscriber, or none: it decides.
        None | Some(true) => Decision::Record,
        Some(false) => Decision::Skip(unsampled()),
    }
}

/// For a span inside a call: is there a trace to belong to?
pub(crate) fn wanted() -> bool {
    Context::map_current(|context| {
        if context.has_active_span() {
            context.span().span_context().is_sampled()
        } else {
            dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Sampled>().is_none())
        }
    })
}

/// The filter of the layer that exports: spans of this crate's making, and none
/// of the events, whose fields are other people's. It carries the ratio.
pub(crate) struct Sampled {
    /// A root is sampled when a random `u64` is below this.
    threshold: u64,
    always: bool,
}

impl Sampled {
    pub(crate) fn by_ratio(ratio: f64) -> Self {
        Self {
            // `as` saturates, and `always` covers what rounding cannot say.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a ratio from 0 to 1 of the range of u64"
            )]
            threshold: (ratio * u64::MAX as f64) as u64,
            always: ratio >= 1.0,
        }
    }

    fn flip(&self) -> bool {
        self.always || {
            let draw = RandomIdGenerator::default().new_span_id();
            u64::from_be_bytes(draw.to_bytes()) < self.threshold
        }
    }
}

impl<S: Subscriber> Filter<S> for Sampled {
    fn enabled(&self, meta: &Metadata<'_>, _: &LayerContext<'_, S>) -> bool {
        wants(meta)
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        if wants(meta) {
            tracing::subscriber::Interest::always()
        } else {
            tracing::subscriber::Interest::never()
        }
    }
}

/// Spans that this crate makes.
pub(crate) fn wants(meta: &Metadata<'_>) -> bool {
    meta.is_span() && meta.target().starts_with(env!("CARGO_CRATE_NAME"))
}

/// A trace that nobody records still has a number: it stands in the logs, and
/// its cleared flag tells the next service not to draw again.
fn unsampled() -> Context {
    let ids = RandomIdGenerator::default();
    Context::new().with_remote_span_context(SpanContext::new(
        ids.new_trace_id(),
        ids.new_span_id(),
        TraceFlags::NOT_SAMPLED,
        false,
        TraceState::NONE,
    ))
}
