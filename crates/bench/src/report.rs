//! What is said about a run: JSON, and columns for people.

use serde_json::{Value, json};

use crate::call::Failures;
use crate::goal::Goal;
use crate::load::{Measurement, Tally};
use crate::plan::Shape;
use crate::rows::Row;
use crate::stats::{Latencies, Spread};

/// Goals are for so many streams: with few, system calls hide everything else.
const GOAL_STREAMS: usize = 64;

/// With this part of the traces recorded, or less,
const TRACED_MAX: f64 = 0.01;
/// a call may cost 5 % more.
const TRACED_RATIO_MIN: f64 = 0.952;

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
    /// Ours less the floor, repeat by repeat, in µs.
    pub added_us: Spread,
    /// Calls a second, ours: the median of the repeats.
    pub calls_per_sec: f64,
    /// How long calls took, ours, all repeats together.
    pub latencies: Latencies,
    /// How long our messages are.
    pub sizes: Sizes,
    /// How long the floor's are; the same, or the floor would be another's.
    pub floor_sizes: Sizes,
    /// The most memory that the measured process had after a repeat, in MiB. Rows that share a
    /// server share what earlier ones left in it; `client_layer` measures the caller.
    pub rss_mib: f64,
    /// The part of the processor time that the kernel spent, 0 to 1.
    pub system_share: f64,
    /// The part of the time that the load was busy, 0 to 1: near 1, calls a
    /// second are the load's limit and not the server's. Of `token_http2` and `token_http1`, whose
    /// load never sleeps, it says nothing.
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
    /// Processor time for a call, in µs.
    pub ours_us: f64,
    /// The memory of the server at the end, in MiB.
    pub rss_mib: f64,
    /// What became of the calls.
    pub tally: Tally,
    /// Calls that failed, were shed or had no answer, while caches were warmed as well.
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

    /// Where the ratio should be, if that was ever said: with 64 streams, and for what tracing
    /// costs when it records a hundredth.
    pub fn goal(&self) -> Option<Goal> {
        let Shape {
            streams,
            connections,
        } = self.shape;
        let least = match self.trace_ratio {
            Some(ratio) => (ratio <= TRACED_MAX).then_some(TRACED_RATIO_MIN),
            None => self.row.ratio_min(),
        };
        let least = least.filter(|_| streams == GOAL_STREAMS)?;
        let what = match self.trace_ratio {
            Some(_) => "untraced ÷ traced",
            None => "floor ÷ ours",
        };
        let name = format!("{}, {connections} conns: {what}", self.name());
        Some(Goal::at_least(name, self.ratio.median, least, "×"))
    }

    /// What a call may cost more than the floor's, if that was ever said: with 64 streams.
    pub fn added_goal(&self) -> Option<Goal> {
        let Shape {
            streams,
            connections,
        } = self.shape;
        let most = self.row.added_us_max();
        let most = most.filter(|_| streams == GOAL_STREAMS && self.trace_ratio.is_none())?;
        let name = format!("{}, {connections} conns: ours less floor", self.name());
        Some(Goal::at_most(name, self.added_us.median, most, "µs"))
    }

    /// As one flat object.
    pub fn to_json(&self) -> Value {
        let goal = self.goal();
        let added_goal = self.added_goal();
        json!({
            "name": self.name(),
            "streams": self.shape.streams,
            "connections": self.shape.connections,
            "floor_us": rounded(self.floor_us),
            "ours_us": rounded(self.ours_us),
            "ratio": rounded(self.ratio.median),
            "ratio_min": rounded(self.ratio.min),
            "ratio_max": rounded(self.ratio.max),
            "ratio_lower_quartile": rounded(self.ratio.lower),
            "ratio_upper_quartile": rounded(self.ratio.upper),
            "ratio_goal": goal.as_ref().map(|goal| goal.bound.value()),
            "ratio_met": goal.as_ref().map(Goal::met),
            "added_us": rounded(self.added_us.median),
            "added_us_lower_quartile": rounded(self.added_us.lower),
            "added_us_upper_quartile": rounded(self.added_us.upper),
            "added_us_goal": added_goal.as_ref().map(|goal| goal.bound.value()),
            "added_us_met": added_goal.as_ref().map(Goal::met),
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
    pub const HEADER: [&'static str; 15] = [
        "row",
        "streams",
        "conns",
        "floor µs",
        "ours µs",
        "ratio",
        "middle half",
        "added µs",
        "middle half",
        "calls/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "MiB",
        "load",
    ];

    /// For people.
    pub fn columns(&self) -> [String; 15] {
        let millis = |quantile| format!("{:.2}", self.latencies.micros_at(quantile) / 1e3);
        [
            self.name(),
            self.shape.streams.to_string(),
            self.shape.connections.to_string(),
            format!("{:.1}", self.floor_us),
            format!("{:.1}", self.ours_us),
            format!("{:.3}", self.ratio.median),
            format!("{:.3}–{:.3}", self.ratio.lower, self.ratio.upper),
            format!("{:.1}", self.added_us.median),
            format!("{:.1} to {:.1}", self.added_us.lower, self.added_us.upper),
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
    /// As one flat object.
    pub fn to_json(&self) -> Value {
        let Tally { served, late, .. } = &self.tally;
        json!({
            "name": self.row.name(),
            "connections": self.connections,
            "rate_per_sec": rounded(self.rate),
            "achieved_per_sec": rounded(self.tally.served_per_sec()),
            "ours_us": rounded(self.ours_us),
            "p50_us": rounded(served.micros_at(0.5)),
            "p99_us": rounded(served.micros_at(0.99)),
            "p999_us": rounded(served.micros_at(0.999)),
            "max_us": rounded(served.micros_max()),
            "late_p99_us": rounded(late.micros_at(0.99)),
            "late_max_us": rounded(late.micros_max()),
            "kept_up": self.kept_up().is_ok(),
            "rss_mib": rounded(self.rss_mib),
            "failures": count(&self.failures),
        })
    }

    /// Whether the load made the calls when they were due.
    ///
    /// # Errors
    /// What it did instead: then the times are the load's as well.
    pub fn kept_up(&self) -> Result<(), String> {
        self.tally
            .kept_up(self.rate)
            .map_err(|what| format!("{}: {what}", self.row))
    }

    /// What stands above [`columns`](Self::columns).
    pub const HEADER: [&'static str; 11] = [
        "row",
        "conns",
        "due/s",
        "answered/s",
        "ours µs",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "late p99 ms",
        "MiB",
    ];

    /// For people.
    pub fn columns(&self) -> [String; 11] {
        let millis = |micros: f64| format!("{:.2}", micros / 1e3);
        let Tally { served, late, .. } = &self.tally;
        [
            self.row.to_string(),
            self.connections.to_string(),
            format!("{:.0}", self.rate),
            format!("{:.0}", self.tally.served_per_sec()),
            format!("{:.1}", self.ours_us),
            millis(served.micros_at(0.5)),
            millis(served.micros_at(0.99)),
            millis(served.micros_at(0.999)),
            millis(served.micros_max()),
            millis(late.micros_at(0.99)),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn figure(row: Row, streams: usize, ratio: f64) -> Figure {
        Figure {
            row,
            shape: Shape {
                streams,
                connections: 1,
            },
            floor_us: 1.0,
            ours_us: 1.0,
            ratio: Spread::of([ratio]).expect("one"),
            added_us: Spread::NONE,
            calls_per_sec: 1.0,
            latencies: Latencies::default(),
            sizes: Sizes::default(),
            floor_sizes: Sizes::default(),
            rss_mib: 1.0,
            system_share: 0.5,
            load_share: 0.5,
            failures: Failures::new(),
            trace_ratio: None,
        }
    }

    #[test]
    fn rows_with_a_goal_say_whether_they_meet_it() {
        for (row, least) in [
            (Row::GuardCached, 0.90),
            (Row::GuardUncached, 0.90),
            (Row::IssueSecret, 0.85),
            (Row::IssuePrivateKeyJwt, 0.88),
            (Row::Rotate, 0.75),
            (Row::Introspect, 0.65),
        ] {
            let met = |ratio| figure(row, 64, ratio).goal().map(|goal| goal.met());
            assert_eq!(met(least), Some(true), "{row}");
            assert_eq!(met(least - 0.01), Some(false), "{row}");
            assert_eq!(figure(row, 16, least).goal(), None, "{row}");
        }
        assert_eq!(figure(Row::Echo, 64, 0.1).goal(), None);
        let missed = figure(Row::Rotate, 64, 0.5).to_json();
        assert_eq!(missed["ratio_goal"], 0.75);
        assert_eq!(missed["ratio_met"], false);
    }

    #[test]
    fn the_callers_layer_may_add_sixteen_microseconds() {
        let added = |row, streams, added_us| Figure {
            added_us: Spread::of([added_us]).expect("one"),
            ..figure(row, streams, 0.9)
        };
        let met = |figure: Figure| figure.added_goal().map(|goal| goal.met());
        assert_eq!(met(added(Row::ClientLayer, 64, 16.0)), Some(true));
        assert_eq!(met(added(Row::ClientLayer, 64, 16.1)), Some(false));
        assert_eq!(met(figure(Row::ClientLayer, 64, 1.0)), Some(false));
        assert_eq!(met(added(Row::ClientLayer, 16, 1.0)), None);
        assert_eq!(met(added(Row::GuardCached, 64, 1.0)), None);
        let missed = added(Row::ClientLayer, 64, 20.0);
        assert!(missed.columns().contains(&"20.0".to_owned()));
        let missed = missed.to_json();
        assert_eq!(missed["added_us"], 20.0);
        assert_eq!(missed["added_us_goal"], 16.0);
        assert_eq!(missed["added_us_met"], false);
    }

    #[test]
    fn tracing_a_hundredth_may_cost_a_twentieth() {
        let met = |recorded, ratio| {
            let figure = Figure {
                trace_ratio: Some(recorded),
                ..figure(Row::Redeem, 64, ratio)
            };
            figure.goal().map(|goal| goal.met())
        };
        assert_eq!(met(0.01, 0.96), Some(true));
        assert_eq!(met(0.01, 0.94), Some(false));
        assert_eq!(met(1.0, 0.5), None);
    }

    #[test]
    fn a_load_that_is_late_is_told() {
        let mut open = OpenFigure {
            row: Row::ListKeys,
            connections: 1,
            rate: 100.0,
            ours_us: 20.0,
            rss_mib: 20.0,
            tally: Tally {
                made: 100,
                span: Duration::from_secs(1),
                ..Tally::default()
            },
            failures: Failures::new(),
        };
        open.tally.late.record(Duration::from_millis(1));
        assert_eq!(open.to_json()["kept_up"], true);
        open.tally.late.record(Duration::from_millis(20));
        assert_eq!(open.to_json()["kept_up"], false);
        assert!(open.kept_up().is_err_and(|what| what.contains("list_keys")));
    }
}
