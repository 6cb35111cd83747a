//! Where a piece of work belongs: in a span, in a trace that is not recorded, or
//! in nothing.

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::Span;

#[derive(Clone)]
pub(crate) enum Scope {
    Nothing,
    Span(Span),
    Unrecorded(Context),
}

impl Scope {
    /// Of a span that was asked for: subscribers may have turned it off.
    pub(crate) fn of(span: Span, otherwise: &Context) -> Self {
        if !span.is_disabled() {
            Self::Span(span)
        } else if otherwise.has_active_span() {
            Self::Unrecorded(otherwise.clone())
        } else {
            Self::Nothing
        }
    }

    pub(crate) fn current() -> Self {
        Context::map_current(|context| Self::of(Span::current(), context))
    }

    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Nothing => work(),
            Self::Span(span) => span.in_scope(work),
            Self::Unrecorded(context) => {
                let _attached = context.clone().attach();
                work()
            }
        }
    }
}
