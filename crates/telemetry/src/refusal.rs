//! Saying why a call is refused.

use std::sync::{Arc, OnceLock};

use opentelemetry::Context;
use tracing::Span;

use crate::{names, spans};

/// Says why the current call is refused: on the current span, on the call's
/// server span, and in one log line.
///
/// `reason` is what the peer is told, `cause` is the operator's: which check it
/// was. Both are fixed words of ours, so that neither can carry a secret.
pub fn refused(reason: &'static str, cause: &'static str) {
    note(&Span::current(), Refused { reason, cause });
    Context::map_current(|context| {
        if let Some(slot) = context.get::<Slot>() {
            // The first word is the check that refused; a later one is its echo.
            let _ = slot.0.set(Refused { reason, cause });
        }
    });
    tracing::info!(reason, cause, "refused");
}

/// Says why the current call would be refused, by a guard that only looks: on
/// the current span, and in one warning. `path` is the call's.
pub fn would_refuse(path: &str, reason: &'static str, cause: &'static str) {
    let span = Span::current();
    span.record(names::OBSERVED_REASON, reason);
    span.record(names::OBSERVED_CAUSE, cause);
    let method = spans::method_of(path);
    tracing::warn!(method, reason, cause, "would have refused");
}

/// Says that the current call's bearer token was accepted, under a grace.
pub fn bearer_accepted(client_id: &str) {
    Span::current().record(names::BEARER_ACCEPTED, true);
    tracing::warn!(client_id, "bearer token accepted");
}

pub(crate) fn note(span: &Span, Refused { reason, cause }: Refused) {
    span.record(names::REFUSAL_REASON, reason);
    span.record(names::REFUSAL_CAUSE, cause);
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    reason: &'static str,
    cause: &'static str,
}

/// Travels in the trace's context from the server span to wherever the call is
/// refused. It holds no span: a span that its own context held would never end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot(Arc<OnceLock<Refused>>);

impl Slot {
    pub(crate) fn said(&self) -> Option<Refused> {
        self.0.get().copied()
    }
}
