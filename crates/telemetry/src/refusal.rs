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

/// What a call is named in a log.
#[derive(Copy, Clone, Debug)]
pub enum Called<'a> {
    /// The path of a gRPC call, as it came.
    Path(&'a str),
    /// The rule that an HTTP request has, as its server wrote it: the request's own path may name a
    /// person.
    Rule(&'a str),
}

/// Says why the current call would be refused, by a guard that only looks: on
/// the current span, and in one warning.
pub fn would_refuse(called: Called<'_>, reason: &'static str, cause: &'static str) {
    let span = Span::current();
    span.record(names::OBSERVED_REASON, reason);
    span.record(names::OBSERVED_CAUSE, cause);
    let method = match called {
        Called::Path(path) => spans::method_of(path),
        Called::Rule(name) => name,
    };
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
