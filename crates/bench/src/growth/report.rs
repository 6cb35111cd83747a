//! What growth came to: curves, goals, and what must never be.

use std::fmt;

use serde_json::{Value, json};

use super::curve::{Curve, counted};
use super::sweep::SLOWER_MAX;
use super::{Starts, Swept};
use crate::call::Failures;
use crate::goal::Goal;
use crate::report::rounded;

/// A start with all of the families, in seconds.
const START_SECS_MAX: f64 = 2.0;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each thing that there is more and more of.
    pub curves: Vec<Curve>,
    /// Starts with the most families.
    pub starts: Option<Starts>,
    /// Rotations while the janitor sweeps.
    pub swept: Swept,
    /// Calls that were not answered as they must be.
    pub failures: Failures,
}

impl Report {
    /// What should be. A goal that is missed may be the machine's fault, and fails no run.
    pub fn goals(&self) -> Vec<Goal> {
        let mut goals: Vec<Goal> = self.curves.iter().map(Curve::goal).collect();
        if let Some(starts) = &self.starts {
            let with = format!("with {} families", counted(starts.families));
            let goal = |name, secs| Goal::at_most(name, secs, START_SECS_MAX, "s");
            let clean = "after a clean stop";
            goals.push(goal(
                format!("start {with} {clean}, cold"),
                starts.cold.median,
            ));
            goals.push(goal(
                format!("start {with} {clean}, warm"),
                starts.warm.median,
            ));
            goals.push(goal(
                format!("start {with} after a crash"),
                starts.killed.median,
            ));
        }
        let Swept {
            quiet, sweeping, ..
        } = &self.swept;
        goals.push(Goal::at_most(
            "p99 of rotations while the janitor sweeps ÷ quiet",
            sweeping.micros_at(0.99) / quiet.micros_at(0.99),
            SLOWER_MAX,
            "×",
        ));
        goals
    }

    /// What must never be: such a run has failed.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self
            .failures
            .iter()
            .map(|(failed, count)| format!("{count} times {failed}"))
            .collect();
        if self.swept.expired > 0 && self.swept.swept == 0 {
            wrong.push("nothing was swept while calls were timed".to_owned());
        }
        wrong
    }

    /// Flat objects: one for each point of a curve, one for starts, one for the sweep, one for each
    /// goal.
    pub fn to_json(&self) -> Vec<Value> {
        let mut rows: Vec<Value> = self
            .curves
            .iter()
            .flat_map(|curve| {
                curve.points.iter().map(|point| {
                    json!({
                        "name": curve.axis.name,
                        "note": curve.axis.note,
                        "size": point.size,
                        "judged": point.judged,
                        "cost_us": rounded(point.cost_us),
                        "growth": rounded(point.growth),
                        "growth_min": rounded(point.growth_least),
                        "growth_max": rounded(point.growth_most),
                    })
                })
            })
            .collect();
        if let Some(starts) = &self.starts {
            rows.push(json!({
                "name": "start",
                "families": starts.families,
                "cold_secs": rounded(starts.cold.median),
                "cold_secs_max": rounded(starts.cold.max),
                "cold_read_mib": rounded(starts.cold_read_mib.median),
                "warm_secs": rounded(starts.warm.median),
                "warm_secs_max": rounded(starts.warm.max),
                "killed_secs": rounded(starts.killed.median),
                "killed_secs_max": rounded(starts.killed.max),
            }));
        }
        let Swept {
            quiet,
            sweeping,
            expired,
            swept,
        } = &self.swept;
        rows.push(json!({
            "name": "sweep",
            "expired": expired,
            "swept": swept,
            "quiet_p50_us": rounded(quiet.micros_at(0.5)),
            "quiet_p99_us": rounded(quiet.micros_at(0.99)),
            "quiet_max_us": rounded(quiet.micros_max()),
            "sweeping_p50_us": rounded(sweeping.micros_at(0.5)),
            "sweeping_p99_us": rounded(sweeping.micros_at(0.99)),
            "sweeping_max_us": rounded(sweeping.micros_max()),
        }));
        // A goal is a flat structure, which has a JSON form.
        rows.extend(self.goals().iter().map(|goal| json!(goal)));
        rows
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for curve in &self.curves {
            writeln!(f, "{curve}")?;
        }
        if let Some(starts) = &self.starts {
            writeln!(
                f,
                "start with {} families after a clean stop: {:.2} s cold (at most {:.2}; {:.0} MiB \
                 read from the disk), {:.2} s warm (at most {:.2}); after a crash: {:.2} s (at \
                 most {:.2})",
                counted(starts.families),
                starts.cold.median,
                starts.cold.max,
                starts.cold_read_mib.median,
                starts.warm.median,
                starts.warm.max,
                starts.killed.median,
                starts.killed.max,
            )?;
        }
        let Swept {
            quiet,
            sweeping,
            expired,
            swept,
        } = &self.swept;
        for (name, latencies) in [("quiet", quiet), ("sweeping", sweeping)] {
            writeln!(
                f,
                "rotations, {name:<9} p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
                latencies.micros_at(0.5) / 1e3,
                latencies.micros_at(0.99) / 1e3,
                latencies.micros_max() / 1e3
            )?;
        }
        writeln!(
            f,
            "{} of {} expired families were swept meanwhile",
            counted(*swept),
            counted(*expired)
        )?;
        writeln!(f)?;
        for goal in self.goals() {
            writeln!(f, "{goal}")?;
        }
        for wrong in self.wrong() {
            writeln!(f, "WRONG   {wrong}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::Failed;
    use crate::stats::{Latencies, Spread};

    fn latencies(millis: u64) -> Latencies {
        let mut latencies = Latencies::default();
        (0..100).for_each(|_| latencies.record(Duration::from_millis(millis)));
        latencies
    }

    fn report() -> Report {
        let spread = |value| Spread::of([value]).expect("one");
        Report {
            curves: vec![Curve::of(
                "rotate, by families",
                &[100, 1_000],
                &[vec![80.0, 88.0]],
            )],
            starts: Some(Starts {
                families: 1_000,
                warm: spread(0.5),
                cold: spread(1.5),
                cold_read_mib: spread(300.0),
                killed: spread(1.8),
            }),
            swept: Swept {
                quiet: latencies(2),
                sweeping: latencies(5),
                expired: 1_000,
                swept: 800,
            },
            failures: Failures::new(),
        }
    }

    fn missed(report: &Report) -> usize {
        report.goals().iter().filter(|goal| !goal.met()).count()
    }

    #[test]
    fn every_goal_can_be_missed() {
        assert_eq!(missed(&report()), 0);
        let check = |change: fn(&mut Report)| {
            let mut report = report();
            change(&mut report);
            assert_eq!(missed(&report), 1, "{report}");
        };
        check(|report| report.curves[0].points[1].growth = 1.3);
        check(|report| report.swept.sweeping = latencies(7));
        check(|report| {
            if let Some(starts) = &mut report.starts {
                starts.cold.median = 2.5;
            }
        });
        check(|report| {
            if let Some(starts) = &mut report.starts {
                starts.warm.median = 2.5;
            }
        });
        check(|report| {
            if let Some(starts) = &mut report.starts {
                starts.killed.median = 20.0;
            }
        });
        // Nothing was answered: that is no answer in no time.
        check(|report| report.swept.sweeping = Latencies::default());
        check(|report| report.swept.quiet = Latencies::default());
    }

    #[test]
    fn a_wrong_answer_or_a_sweep_that_was_none_fails_the_run() {
        assert!(report().wrong().is_empty());
        let mut failed = report();
        failed.failures.insert(Failed::Wrong("not active"), 1);
        assert_eq!(failed.wrong().len(), 1);
        let mut idle = report();
        idle.swept.swept = 0;
        assert_eq!(idle.wrong().len(), 1);
    }

    #[test]
    fn json_is_flat() {
        for row in report().to_json() {
            let fields = row.as_object().expect("an object");
            assert!(fields.contains_key("name"), "{row}");
            assert!(
                fields
                    .values()
                    .all(|field| !field.is_object() && !field.is_array())
            );
        }
    }
}
