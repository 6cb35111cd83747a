//! What an overload came to: figures, goals, and what must never be.

use std::fmt;

use serde_json::{Value, json};

use super::{Bystanders, Flood, Memory};
use crate::Measurement;
use crate::call::{Failures, count_in};
use crate::cores::Cores;
use crate::goal::Goal;
use crate::load::Tally;
use crate::report::{count, rounded};
use crate::stats::Latencies;

/// The p99 of what is accepted under too much load, in that of an unloaded service.
const SLOWER_MAX: f64 = 5.0;
/// Within so many ms a call is shed.
const SHED_MS_MAX: f64 = 50.0;
/// So much of the capacity is still served.
const GOODPUT_PERCENT_MIN: f64 = 80.0;
/// By so many MiB a phase's second half may grow, or by so much of what there was: what an allocator
/// takes and gives back by the way.
const MEMORY_GROWTH_MIB_MAX: f64 = 4.0;
const MEMORY_GROWTH_PERCENT_MAX: f64 = 5.0;
/// What a ledger keeps of an accepted call for a minute; a phase with too much load is shorter.
const SPENT_BYTES: f64 = 56.0;
/// So many of those who mean well are served in the middle of a flood.
const SERVED_PERCENT_MIN: f64 = 99.0;

/// What the service can do.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// Calls a second.
    pub per_sec: f64,
    /// The closed loop that it was found in.
    pub measured: Measurement,
}

impl Capacity {
    /// What a closed loop found after a first look. A call that failed then has failed, too.
    pub(super) fn of(pilot: &Measurement, mut measured: Measurement) -> Self {
        count_in(&mut measured.failures, &pilot.failures);
        Self {
            per_sec: measured.per_sec(),
            measured,
        }
    }
}

/// What became of too much load.
#[derive(Clone, Debug)]
pub struct Overloaded {
    /// Calls a second that were due.
    pub rate: f64,
    /// The same in the capacity.
    pub factor: f64,
    /// What became of them.
    pub tally: Tally,
    /// The memory of the service meanwhile.
    pub memory: Memory,
    /// Those with lanes of their own.
    pub bystanders: Bystanders,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Who ran where.
    pub cores: Cores,
    /// What the service can do.
    pub capacity: Capacity,
    /// What became of a fifth of that.
    pub unloaded: Tally,
    /// What became of a multiple of it.
    pub overloaded: Overloaded,
    /// What became of bad proofs.
    pub flood: Flood,
    /// The memory of the service meanwhile.
    pub flood_memory: Memory,
}

impl Report {
    /// What should be. A goal that is missed may be the machine's fault, and fails no run.
    pub fn goals(&self) -> Vec<Goal> {
        let tally = &self.overloaded.tally;
        let goodput = 100.0 * tally.served_per_sec() / self.capacity.per_sec;
        let mut goals = vec![
            Goal::at_most(
                "p99 of the accepted ÷ unloaded",
                tally.served.micros_at(0.99) / self.unloaded.served.micros_at(0.99),
                SLOWER_MAX,
                "×",
            ),
            Goal::at_least("goodput ÷ capacity", goodput, GOODPUT_PERCENT_MIN, "%"),
            // Twice what it can do, and nothing was shed: then nothing says how long it takes.
            shed_goal("p99 of a shed", &tally.shed_from_due, 0.99),
            shed_goal("the slowest shed", &tally.shed_from_due, 1.0),
            memory_goal(
                "memory under load",
                &self.overloaded.memory,
                // Growth is that of a quarter of the phase.
                tally.served.count() as f64 / 4.0,
            ),
            memory_goal("memory in the flood", &self.flood_memory, 0.0),
            Goal::at_least(
                "served in the flood",
                self.flood.served_percent(),
                SERVED_PERCENT_MIN,
                "%",
            ),
        ];
        for (name, calls) in self.overloaded.bystanders.each() {
            let name = format!("p99 of {name} meanwhile");
            let p99 = calls.served.micros_at_of(0.99, calls.made) / 1e3;
            goals.push(Goal::at_most(name, p99, SHED_MS_MAX, "ms"));
        }
        goals
    }

    /// What must never be: such a run has failed.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut failed = |phase: &str, failures: &Failures| {
            for (failed, count) in failures {
                wrong.push(format!("{phase}: {count} times {failed}"));
            }
        };
        failed("capacity", &self.capacity.measured.failures);
        failed("unloaded", &self.unloaded.failures);
        failed("unloaded", &self.unloaded.shed_reasons);
        failed("overload", &self.overloaded.tally.failures);
        failed("meanwhile", &self.overloaded.bystanders.failures());
        failed("flood", &self.flood.wrong);
        for (phase, tally) in [
            ("unloaded", &self.unloaded),
            ("overload", &self.overloaded.tally),
        ] {
            if tally.unanswered() > 0 {
                wrong.push(format!(
                    "{phase}: {} calls without an answer",
                    tally.unanswered()
                ));
            }
        }
        wrong.extend(self.kept_up().err());
        wrong
    }

    /// Whether the load was what it was meant to be; else the figures say nothing.
    fn kept_up(&self) -> Result<(), String> {
        let Overloaded { rate, tally, .. } = &self.overloaded;
        if self.cores == Cores::Shared {
            return Err("load and server share one core".to_owned());
        }
        tally.kept_up(*rate)
    }

    /// Flat objects, one for each phase and goal.
    pub fn to_json(&self) -> Vec<Value> {
        let Overloaded {
            rate,
            tally,
            bystanders,
            memory,
            ..
        } = &self.overloaded;
        let mut rows = vec![
            json!({
                "name": "capacity",
                "per_sec": rounded(self.capacity.per_sec),
                "p99_us": rounded(self.capacity.measured.answered.micros_at(0.99)),
                "failures": count(&self.capacity.measured.failures),
            }),
            tally_json("unloaded", &self.unloaded),
            tally_json("overload", tally),
            json!({
                "name": "load",
                "due_per_sec": rounded(*rate),
                "made_per_sec": rounded(tally.made_per_sec()),
                "late_p99_us": rounded(tally.late.micros_at(0.99)),
                "late_max_us": rounded(tally.late.micros_max()),
            }),
            memory_json("memory_overload", memory),
            memory_json("memory_flood", &self.flood_memory),
            json!({
                "name": "flood",
                "per_sec": rounded(self.flood.per_sec()),
                "refused": self.flood.refused.count(),
                "shed": self.flood.shed.count(),
                "failures": count(&self.flood.wrong),
                "well_meant": self.flood.served.calls(),
                "well_meant_served": self.flood.served.answered.count(),
                "well_meant_attempts_shed": self.flood.attempts_shed,
                "well_meant_p99_us": rounded(self.flood.served.answered.micros_at(0.99)),
            }),
        ];
        rows.extend(bystanders.each().map(|(name, calls)| {
            json!({
                "name": name,
                "made": calls.made,
                "answered": calls.served.count(),
                "failures": count(&calls.all_failures()),
                "p50_us": rounded(calls.served.micros_at(0.5)),
                "p99_us": rounded(calls.served.micros_at(0.99)),
                "max_us": rounded(calls.served.micros_max()),
            })
        }));
        // A goal is a flat structure, which has a JSON form.
        rows.extend(self.goals().iter().map(|goal| json!(goal)));
        rows
    }
}

fn shed_goal(name: &str, shed: &Latencies, quantile: f64) -> Goal {
    Goal::at_most(name, shed.micros_at(quantile) / 1e3, SHED_MS_MAX, "ms")
}

/// `kept`: accepted calls that the ledger had to keep while memory grew.
fn memory_goal(name: &str, memory: &Memory, kept: f64) -> Goal {
    let ledger = kept * SPENT_BYTES / 1024.0 / 1024.0;
    let most = (memory.most() * MEMORY_GROWTH_PERCENT_MAX / 100.0).max(MEMORY_GROWTH_MIB_MAX);
    Goal::at_most(
        format!("{name}, growth in its second half besides spent proofs"),
        memory.growth() - ledger,
        rounded(most),
        "MiB",
    )
}

fn tally_json(name: &str, tally: &Tally) -> Value {
    json!({
        "name": name,
        "made": tally.made,
        "served": tally.served.count(),
        "shed": tally.shed.count(),
        "failures": count(&tally.failures),
        "unanswered": tally.unanswered(),
        "served_per_sec": rounded(tally.served_per_sec()),
        "p50_us": rounded(tally.served.micros_at(0.5)),
        "p99_us": rounded(tally.served.micros_at(0.99)),
        "p999_us": rounded(tally.served.micros_at(0.999)),
        "shed_p50_us": rounded(tally.shed.micros_at(0.5)),
        "shed_p99_us": rounded(tally.shed.micros_at(0.99)),
        "shed_max_us": rounded(tally.shed.micros_max()),
        "shed_from_due_p99_us": rounded(tally.shed_from_due.micros_at(0.99)),
        "shed_from_due_max_us": rounded(tally.shed_from_due.micros_max()),
        "under_way_most": tally.under_way_most,
    })
}

fn memory_json(name: &str, memory: &Memory) -> Value {
    let samples: Vec<f64> = memory
        .samples
        .iter()
        .map(|(_, mib)| rounded(*mib))
        .collect();
    json!({
        "name": name,
        "first_mib": rounded(memory.first()),
        "most_mib": rounded(memory.most()),
        "last_mib": rounded(memory.last()),
        "mib": samples,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overloaded {
            rate,
            factor,
            tally,
            memory,
            bystanders,
        } = &self.overloaded;
        let capacity = &self.capacity;
        writeln!(
            f,
            "capacity        {:.0} calls/s ({})",
            capacity.per_sec,
            millis(&capacity.measured.answered)
        )?;
        writeln!(f, "unloaded        {}", millis(&self.unloaded.served))?;
        writeln!(
            f,
            "asked for       {rate:.0} calls/s, {factor} times the capacity; made {:.0}, 99 % of \
             them within {:.2} ms of when they were due, the last {:.2} ms late",
            tally.made_per_sec(),
            tally.late.micros_at(0.99) / 1e3,
            tally.late.micros_max() / 1e3
        )?;
        writeln!(
            f,
            "accepted        {} of {}: {:.0} calls/s, {}",
            tally.served.count(),
            tally.made,
            tally.served_per_sec(),
            millis(&tally.served)
        )?;
        writeln!(
            f,
            "shed            {}: {}",
            tally.shed.count(),
            millis(&tally.shed_from_due)
        )?;
        for (reason, count) in &tally.shed_reasons {
            writeln!(f, "                {count} times {reason}")?;
        }
        writeln!(
            f,
            "failed          {}, and {} without an answer; {} under way at most",
            count(&tally.failures),
            tally.unanswered(),
            tally.under_way_most
        )?;
        writeln!(f, "memory          {memory}")?;
        for (name, calls) in bystanders.each() {
            writeln!(
                f,
                "{name:<15} {} of {} answered: {}",
                calls.served.count(),
                calls.made,
                millis(&calls.served)
            )?;
        }
        let flood = &self.flood;
        writeln!(
            f,
            "bad proofs      {:.0} calls/s: {} refused, {} shed; memory {}",
            flood.per_sec(),
            flood.refused.count(),
            flood.shed.count(),
            self.flood_memory
        )?;
        writeln!(
            f,
            "good ones       {} of {} served in the middle of them, {} attempts shed: {}",
            flood.served.answered.count(),
            flood.served.calls(),
            flood.attempts_shed,
            millis(&flood.served.answered)
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

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, most, last) = (self.first(), self.most(), self.last());
        write!(
            f,
            "{first:.0} MiB before, {most:.0} at most, {last:.0} after"
        )
    }
}

fn millis(latencies: &Latencies) -> String {
    if latencies.count() == 0 {
        return "none".to_owned();
    }
    let at = |quantile| latencies.micros_at(quantile) / 1e3;
    format!(
        "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        at(0.5),
        at(0.99),
        latencies.micros_max() / 1e3
    )
}

#[cfg(test)]
mod tests;
