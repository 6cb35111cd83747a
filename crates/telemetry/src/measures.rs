//! How long requests, calls and a guard's decisions take, as histograms: how many there are, which of them fail, and
//! how long they take are three readings of one.
//!
//! Whoever measures finds the histograms in the subscriber, as whoever makes spans does. Where
//! metrics go nowhere, not even the time is asked for. Every attribute is one of a fixed set of
//! words: what a stranger sends becomes part of none. They are borrowed for good, so that no
//! measurement allocates, but for the first of its kind.

use std::time::Instant;

use http::StatusCode;
use opentelemetry::metrics::{Histogram, MeterProvider as _};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use tracing::dispatcher;

use crate::decision::Decided;
use crate::names;
use crate::setup::Kept;

/// In seconds. From 5 ms on as the semantic conventions advise; below, since most answers of a
/// token service are there, and a quantile is no finer than its buckets.
const BOUNDARIES: [f64; 18] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0,
    2.5, 5.0, 7.5, 10.0,
];

/// The histograms.
pub(crate) struct Measures {
    http: Histogram<f64>,
    rpc: Histogram<f64>,
    guard: Histogram<f64>,
}

impl Measures {
    pub(crate) fn of(provider: &SdkMeterProvider) -> Self {
        let meter = provider.meter(env!("CARGO_PKG_NAME"));
        let histogram = |name, description| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(BOUNDARIES.to_vec())
                .build()
        };
        Self {
            http: histogram(
                names::HTTP_SERVER_DURATION,
                "Duration of HTTP server requests.",
            ),
            rpc: histogram(
                names::RPC_SERVER_DURATION,
                "Measures the duration of an incoming Remote Procedure Call (RPC).",
            ),
            guard: histogram(
                names::GUARD_DURATION,
                "How long a guard took to decide about a call or a request.",
            ),
        }
    }

    fn current<T>(work: impl Fn(&Self) -> T) -> Option<T> {
        dispatcher::get_default(|dispatch| {
            dispatch
                .downcast_ref::<Kept>()
                .and_then(Kept::measures)
                .map(&work)
        })
    }
}

/// When something began that is measured. `None`: nothing is.
#[derive(Clone, Copy)]
pub(crate) struct Begun(Option<Instant>);

impl Begun {
    pub(crate) fn now() -> Self {
        Self(Measures::current(|_| Instant::now()))
    }

    pub(crate) fn is_measured(self) -> bool {
        self.0.is_some()
    }

    /// A call has ended: its method, its status, and whether its server is to blame.
    pub(crate) fn call(self, method: Option<&'static str>, status: &'static str, failed: bool) {
        let Some(begun) = self.0 else { return };
        let took = begun.elapsed().as_secs_f64();
        let said = [
            KeyValue::new(names::RPC_SYSTEM_NAME, names::GRPC),
            KeyValue::new(names::RPC_METHOD, method.unwrap_or(names::OTHER)),
            KeyValue::new(names::RPC_STATUS_CODE, status),
            KeyValue::new(names::ERROR_TYPE, status),
        ];
        let said = if failed { &said[..] } else { &said[..3] };
        Measures::current(|measures| measures.rpc.record(took, said));
    }

    /// A request has been answered, or was given up.
    pub(crate) fn request(self, asked: &Asked, ended: Ended) {
        let Some(begun) = self.0 else { return };
        let took = begun.elapsed().as_secs_f64();
        let mut said = Said::nothing();
        said.add(names::HTTP_METHOD, asked.method);
        said.add(names::URL_SCHEME, asked.scheme);
        if let Some(version) = asked.version {
            said.add(names::PROTOCOL_VERSION, version);
        }
        if let Some(route) = asked.route {
            said.add(names::HTTP_ROUTE, route);
        }
        match ended {
            Ended::Answered(status) => {
                said.add(names::HTTP_STATUS, i64::from(status.as_u16()));
                // To a server, what the client got wrong is no error.
                if status.is_server_error() {
                    said.add(names::ERROR_TYPE, word(status));
                }
            }
            Ended::Failed => said.add(names::ERROR_TYPE, names::ERROR_TRANSPORT),
            Ended::GivenUp => said.add(names::ERROR_TYPE, names::ERROR_CANCELLED),
        }
        Measures::current(|measures| measures.http.record(took, said.all()));
    }

    /// A guard has decided.
    pub(crate) fn decision(self, protocol: &'static str, decided: Decided) {
        let Some(begun) = self.0 else { return };
        let took = begun.elapsed().as_secs_f64();
        let mut said = Said::nothing();
        said.add(names::GUARD_PROTOCOL, protocol);
        match decided {
            Decided::Permitted => said.add(names::GUARD_DECISION, names::PERMITTED),
            Decided::PermittedBearer => {
                said.add(names::GUARD_DECISION, names::PERMITTED);
                said.add(names::BEARER_ACCEPTED, true);
            }
            Decided::Public => said.add(names::GUARD_DECISION, names::PUBLIC),
            Decided::Refused { reason, cause } => {
                said.add(names::GUARD_DECISION, names::REFUSED);
                said.add(names::REFUSAL_REASON, reason);
                said.add(names::REFUSAL_CAUSE, cause);
            }
            Decided::WouldRefuse { reason, cause } => {
                said.add(names::GUARD_DECISION, names::WOULD_REFUSE);
                said.add(names::OBSERVED_REASON, reason);
                said.add(names::OBSERVED_CAUSE, cause);
            }
        }
        Measures::current(|measures| measures.guard.record(took, said.all()));
    }
}

/// What is said of a request.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) route: Option<&'static str>,
    pub(crate) scheme: &'static str,
    pub(crate) version: Option<&'static str>,
}

/// How a request ended.
#[derive(Clone, Copy)]
pub(crate) enum Ended {
    /// With the head of an answer.
    Answered(StatusCode),
    /// Without an answer.
    Failed,
    /// Whoever asked went away before.
    GivenUp,
}

/// Attributes on the stack: as many as a request can have, which are the most.
struct Said {
    room: [KeyValue; 6],
    taken: usize,
}

impl Said {
    fn nothing() -> Self {
        Self {
            // Words of nobody, and no allocation either.
            room: std::array::from_fn(|_| KeyValue::new(names::HTTP_METHOD, false)),
            taken: 0,
        }
    }

    fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.room[self.taken] = KeyValue::new(name, value);
        self.taken += 1;
    }

    fn all(&self) -> &[KeyValue] {
        &self.room[..self.taken]
    }
}

/// A status of the server's fault in words. Those that RFC 9110 does not have are one.
fn word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        500 => "500",
        501 => "501",
        502 => "502",
        503 => "503",
        504 => "504",
        505 => "505",
        _ => names::OTHER,
    }
}
