//! What was measured, and whether anything of it must not be.

use std::fmt::Write as _;

use countersign_bench::call::Failures;
use countersign_bench::report::{Figure, OpenFigure, count};
use countersign_bench::{Row, growth, overload};
use serde_json::Value;

use crate::exit::Failure;
use crate::output::table;

/// What was measured.
pub(super) enum Figures {
    Closed(Vec<Figure>),
    Open(Vec<OpenFigure>),
    Overload(Box<overload::Report>),
    Growth(Box<growth::Report>),
}

impl Figures {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Closed(figures) => figures.iter().map(Figure::to_json).collect(),
            Self::Open(figures) => figures.iter().map(OpenFigure::to_json).collect(),
            Self::Overload(report) => report.to_json().into(),
            Self::Growth(report) => report.to_json().into(),
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Closed(figures) => {
                let mut text = table(Figure::HEADER, figures.iter().map(Figure::columns), "");
                let goals = |figure: &Figure| [figure.goal(), figure.added_goal()];
                for goal in figures.iter().flat_map(goals).flatten() {
                    // Writing to a text does not fail.
                    let _ = write!(text, "\n{goal}");
                }
                text
            }
            Self::Open(figures) => {
                let columns = figures.iter().map(OpenFigure::columns);
                let mut text = table(OpenFigure::HEADER, columns, "");
                for late in figures.iter().filter_map(|figure| figure.kept_up().err()) {
                    let _ = write!(text, "\nWARNING: {late}");
                }
                text
            }
            Self::Overload(report) => report.to_string(),
            Self::Growth(report) => report.to_string(),
        }
    }

    fn failures(&self) -> Vec<(Row, &Failures)> {
        match self {
            Self::Closed(figures) => figures
                .iter()
                .map(|figure| (figure.row, &figure.failures))
                .collect(),
            Self::Open(figures) => figures
                .iter()
                .map(|figure| (figure.row, &figure.failures))
                .collect(),
            // They say themselves what went wrong, and where.
            Self::Overload(_) | Self::Growth(_) => Vec::new(),
        }
    }

    /// What must not be, besides failed calls of rows.
    fn wrong(&self) -> Vec<String> {
        match self {
            Self::Closed(_) | Self::Open(_) => Vec::new(),
            Self::Overload(report) => report.wrong(),
            Self::Growth(report) => report.wrong(),
        }
    }

    /// One wrong answer, and the figures are of something else.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        let what = self.wrong();
        if !what.is_empty() {
            return Err(Failure::surprise(what.join("; ")));
        }
        let mut wrong = String::new();
        let mut calls = 0;
        for (row, failures) in self.failures() {
            for (failed, times) in failures {
                // Writing to a text does not fail.
                let _ = write!(wrong, "; {row}: {times} × {failed}");
            }
            calls += count(failures);
        }
        match calls {
            0 => Ok(()),
            _ => Err(Failure::surprise(format!("{calls} calls failed{wrong}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_bench::Failed;
    use countersign_bench::load::Tally;

    use super::*;
    use crate::exit::Kind;

    fn figures(failures: Failures) -> Figures {
        Figures::Open(vec![OpenFigure {
            row: Row::Rotate,
            connections: 1,
            rate: 10.0,
            ours_us: 80.0,
            rss_mib: 20.0,
            tally: Tally::default(),
            failures,
        }])
    }

    #[test]
    fn one_failed_call_fails_the_run() {
        assert!(figures(Failures::new()).judge().is_ok());
        let failed = Failures::from([(Failed::Wrong("not active"), 1)]);
        let failure = figures(failed).judge().expect_err("a call failed");
        assert_eq!(failure.kind(), Kind::Surprise);
    }
}
