//! What is said about a run: JSON, and columns for people.

use serde_json::{Value, json};

use crate::call::Failures;
use crate::load::Measurement;
use crate::plan::Shape;
use crate::rows::Row;
use crate::run::Round;
use crate::stats::{Latencies, Spread};

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What was called.
    pub row: Row,
    /// How.
    pub shape: Shape,
    /// Processor time for a call of the floor, in µs: the median of the repeats.
    pub floor_us: f64,
    /// Processor time for a call of ours, in µs: the median of the repeats.
    pub ours_us: f64,
    /// Floor ÷ ours, repeat by repeat.
    pub ratio: Spread,
    /// Calls a second, ours: the median of the repeats.
    pub calls_per_sec: f64,
    /// How long calls took, ours, all repeats together.
    pub latencies: Latencies,
    /// How long our messages are.
    pub sizes: Sizes,
    /// How long the floor's are; the same, or the floor would be another's.
    pub floor_sizes: Sizes,
    /// The most memory that the measured process ever had, in MiB.
    pub rss_mib: f64,
    /// The part of the processor time that the kernel spent, 0 to 1.
    pub system_share: f64,
    /// The part of the time that the load was busy, 0 to 1: near 1, calls a
    /// second are the load's limit and not the server's.
    pub load_share: f64,
    /// Calls that failed, of both sides.
    pub failures: Failures,
    /// With which part of the traces recorded, where the floor is the same server
    /// with no tracing at all.
    pub trace_ratio: Option<f64>,
}

/// How long the messages of a call are, in bytes: the mean.
#[derive(Copy, Clone, PartialEq, Debug, Default)]
pub struct Sizes {
    /// The request's.
    pub request: f64,
    /// The answer's.
    pub answer: f64,
}

impl Sizes {
    pub(crate) fn of<'m>(rounds: impl IntoIterator<Item = &'m Measurement>) -> Self {
        let (mut calls, mut request, mut answer) = (0, 0, 0);
        for round in rounds {
            calls += round.calls();
            request += round.request_bytes;
            answer += round.answer_bytes;
        }
        let mean = |bytes: u64| bytes as f64 / calls.max(1) as f64;
        Self {
            request: mean(request),
            answer: mean(answer),
        }
    }
}

/// What an open loop came to.
#[derive(Clone, Debug)]
pub struct OpenFigure {
    /// What was called.
    pub row: Row,
    /// Over how many connections; the number of streams is nobody's choice.
    pub connections: usize,
    /// Calls a second that were due.
    pub rate: f64,
    /// Calls a second that were answered rightly.
    pub achieved_per_sec: f64,
    /// Processor time for a call, in µs.
    pub ours_us: f64,
    /// How long calls took, from the instant at which they were due.
    pub latencies: Latencies,
    /// The most memory that the server ever had, in MiB.
    pub rss_mib: f64,
    /// Calls that failed.
    pub failures: Failures,
}

impl Figure {
    /// The row's name, and whether tracing is what was measured.
    pub fn name(&self) -> String {
        match self.trace_ratio {
            Some(_) => format!("{}_traced", self.row),
            None => self.row.to_string(),
        }
    }

    /// As one flat object.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name(),
            "streams": self.shape.streams,
            "connections": self.shape.connections,
            "floor_us": rounded(self.floor_us),
            "ours_us": rounded(self.ours_us),
            "ratio": rounded(self.ratio.median),
            "ratio_min": rounded(self.ratio.min),
            "ratio_max": rounded(self.ratio.max),
            "calls_per_sec": self.calls_per_sec.round(),
            "p50_us": rounded(self.latencies.micros_at(0.5)),
            "p99_us": rounded(self.latencies.micros_at(0.99)),
            "p999_us": rounded(self.latencies.micros_at(0.999)),
            "rss_mib": rounded(self.rss_mib),
            "request_bytes": self.sizes.request.round(),
            "answer_bytes": self.sizes.answer.round(),
            "floor_request_bytes": self.floor_sizes.request.round(),
            "floor_answer_bytes": self.floor_sizes.answer.round(),
            "system_share": rounded(self.system_share),
            "load_share": rounded(self.load_share),
            "failures": count(&self.failures),
        })
    }

    /// What stands above [`columns`](Self::columns).
    pub const HEADER: [&'static str; 13] = [
        "row",
        "streams",
        "conns",
        "floor µs",
        "ours µs",
        "ratio",
        "min–max",
        "calls/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "MiB",
        "load",
    ];

    /// For people.
    pub fn columns(&self) -> [String; 13] {
        let millis = |quantile| format!("{:.2}", self.latencies.micros_at(quantile) / 1e3);
        [
            self.name(),
            self.shape.streams.to_string(),
            self.shape.connections.to_string(),
            format!("{:.1}", self.floor_us),
            format!("{:.1}", self.ours_us),
            format!("{:.3}", self.ratio.median),
            format!("{:.3}–{:.3}", self.ratio.min, self.ratio.max),
            format!("{:.0}", self.calls_per_sec),
            millis(0.5),
            millis(0.99),
            millis(0.999),
            format!("{:.0}", self.rss_mib),
            format!("{:.0} %", self.load_share * 100.0),
        ]
    }
}

impl OpenFigure {
    pub(crate) fn of(row: Row, shape: Shape, rate: f64, round: &Round) -> Self {
        Self {
            row,
            connections: shape.connections,
            rate,
            achieved_per_sec: round.measurement.per_sec(),
            ours_us: round.micros(),
            latencies: round.measurement.answered.clone(),
            rss_mib: round.memory_mib,
            failures: round.measurement.failures.clone(),
        }
    }

    /// As one flat object.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.row.name(),
            "connections": self.connections,
            "rate_per_sec": rounded(self.rate),
            "achieved_per_sec": rounded(self.achieved_per_sec),
            "ours_us": rounded(self.ours_us),
            "p50_us": rounded(self.latencies.micros_at(0.5)),
            "p99_us": rounded(self.latencies.micros_at(0.99)),
            "p999_us": rounded(self.latencies.micros_at(0.999)),
            "max_us": rounded(self.latencies.micros_max()),
            "rss_mib": rounded(self.rss_mib),
            "failures": count(&self.failures),
        })
    }

    /// What stands above [`columns`](Self::columns).
    pub const HEADER: [&'static str; 10] = [
        "row",
        "conns",
        "due/s",
        "answered/s",
        "ours µs",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "MiB",
    ];

    /// For people.
    pub fn columns(&self) -> [String; 10] {
        let millis = |micros: f64| format!("{:.2}", micros / 1e3);
        [
            self.row.to_string(),
            self.connections.to_string(),
            format!("{:.0}", self.rate),
            format!("{:.0}", self.achieved_per_sec),
            format!("{:.1}", self.ours_us),
            millis(self.latencies.micros_at(0.5)),
            millis(self.latencies.micros_at(0.99)),
            millis(self.latencies.micros_at(0.999)),
            millis(self.latencies.micros_max()),
            format!("{:.0}", self.rss_mib),
        ]
    }
}

/// How many calls failed in all.
pub fn count(failures: &Failures) -> u64 {
    failures.values().sum()
}

/// To three places: the rest is noise.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
