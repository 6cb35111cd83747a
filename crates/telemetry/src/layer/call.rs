//! One call, from its first byte to its status.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use opentelemetry::Context;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::measures::Begun;
use crate::refusal::{self, Slot};
use crate::sampling::{Decision, decide};
use crate::scope::Scope;
use crate::{names, propagate, spans};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

// Numbers of the gRPC protocol; only what this crate itself has to say.
const OK: usize = 0;
const CANCELLED: usize = 1;
const UNKNOWN: usize = 2;
const UNAVAILABLE: usize = 14;

/// What a server's operator has to look into, as OpenTelemetry's conventions for
/// gRPC list it: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
/// UNAVAILABLE, DATA_LOSS. To a client every status but OK is an error.
const SERVER_ERRORS: [usize; 6] = [2, 4, 12, 13, 14, 15];

pub(super) struct Call {
    scope: Scope,
    side: Side,
    /// Set when the status is told, which happens once.
    told: bool,
}

enum Side {
    Server {
        /// Where the call is recorded.
        slot: Option<Slot>,
        begun: Begun,
        /// Its name in metrics, if it is one that there is.
        method: Option<&'static str>,
    },
    Client,
}

/// Measures a call that was answered at once, with this head.
pub(super) fn answered(path: &str, method: super::Methods, headers: &HeaderMap) {
    let begun = Begun::now();
    if begun.is_measured() {
        let status = headers.get(GRPC_STATUS).map_or(UNKNOWN, number);
        let failed = SERVER_ERRORS.contains(&status);
        begun.call(method(path), names::status_name(status), failed);
    }
}

fn number(status: &HeaderValue) -> usize {
    let number = status.to_str().ok().and_then(|text| text.parse().ok());
    number.unwrap_or(UNKNOWN)
}

impl Call {
    pub(super) fn served(uri: &Uri, headers: &HeaderMap, method: super::Methods) -> Self {
        let begun = Begun::now();
        let method = begun.is_measured().then(|| method(uri.path())).flatten();
        let parent = propagate::extract(headers).unwrap_or_default();
        let mut slot = None;
        let scope = match decide(&parent) {
            Decision::Skip(context) => Scope::Unrecorded(context),
            Decision::Record => {
                let span = spans::served_call(uri);
                if !span.is_disabled() {
                    let slot = slot.insert(Slot::default());
                    // Fails where a subscriber is not ours and exports nothing.
                    let _ = span.set_parent(parent.with_value(slot.clone()));
                }
                Scope::of(span, &parent)
            }
        };
        Self {
            scope,
            side: Side::Server {
                slot,
                begun,
                method,
            },
            told: false,
        }
    }

    pub(super) fn made(uri: &Uri, server: Option<&str>, port: Option<u16>) -> Self {
        let scope = Context::map_current(|current| match decide(current) {
            Decision::Skip(context) => Scope::Unrecorded(context),
            Decision::Record => Scope::of(spans::made_call(uri, server, port), current),
        });
        Self {
            scope,
            side: Side::Client,
            told: false,
        }
    }

    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.scope.within(work)
    }

    /// Reads the status from a response's head (`http` is its own status) or from
    /// its trailers, and says whether it is known now.
    pub(super) fn heard(&mut self, http: Option<StatusCode>, headers: &HeaderMap) -> bool {
        match (headers.get(GRPC_STATUS), http) {
            (Some(status), _) => self.tell(number(status)),
            // The trailers will tell.
            (None, Some(StatusCode::OK)) => {}
            // An answer that is not gRPC's, or trailers that tell nothing.
            (None, _) => self.tell(UNKNOWN),
        }
        self.told
    }

    /// The body ended, and no status came.
    pub(super) fn ended(&mut self) {
        self.tell(UNKNOWN);
    }

    /// The call got no answer at all.
    pub(super) fn failed(&mut self) {
        if let Scope::Span(span) = &self.scope {
            span.record(names::ERROR_TYPE, names::ERROR_TRANSPORT);
        }
        self.tell(UNAVAILABLE);
    }

    fn tell(&mut self, status: usize) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let name = names::status_name(status);
        let failed = self.side.counts_as_error(status);
        if let Side::Server { begun, method, .. } = self.side {
            begun.call(method, name, failed);
        }
        let Scope::Span(span) = &self.scope else {
            return;
        };
        span.record(names::RPC_STATUS_CODE, name);
        if failed {
            span.record(names::OTEL_STATUS, names::STATUS_ERROR);
            span.record(names::ERROR_TYPE, name);
        }
        if let Side::Server {
            slot: Some(slot), ..
        } = &self.side
            && let Some(refused) = slot.said()
        {
            refusal::note(span, refused);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Whoever waited for the rest has gone.
        self.tell(CANCELLED);
    }
}

impl Side {
    fn counts_as_error(&self, status: usize) -> bool {
        match self {
            Self::Server { .. } => SERVER_ERRORS.contains(&status),
            Self::Client => status != OK,
        }
    }
}
