//! Instructions of each operation that `crates/*/benches/instructions.rs` makes, against what they
//! were when `tests/instructions.toml` was written. Times differ from run to run and from machine
//! to machine; these counts do not, so a loss of a few percent shows in the change that brings it.
//!
//! - `cargo test --test instructions`: the rule alone; counts nothing.
//! - `cargo test --test instructions -- --compare`: counts, a test for each operation.
//! - `cargo test --test instructions -- --write`: counts, and writes the new baseline.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test binary of its own: what it prints is its report"
)]

mod baseline;
mod conditions;
mod counting;
mod rule;

use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use baseline::Baseline;
use conditions::Conditions;

fn main() -> ExitCode {
    // The harness knows no options of ours.
    let (ours, theirs): (Vec<String>, Vec<String>) =
        env::args().partition(|arg| arg == "--compare" || arg == "--write");
    let trials = match ours.first().map(String::as_str) {
        Some("--write") => return write(),
        Some(_) => comparison(),
        None => rule::trials(),
    };
    libtest_mimic::run(&Arguments::from_iter(theirs), trials).exit_code()
}

fn write() -> ExitCode {
    let written = Conditions::here().and_then(|conditions| {
        let counts = counting::count()?;
        Baseline { conditions, counts }.write()
    });
    match written {
        Ok(()) => {
            println!("{} is written", baseline::FILE);
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("nothing is written: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn comparison() -> Vec<Trial> {
    let baseline = match Baseline::read() {
        Ok(baseline) => baseline,
        Err(problem) => return vec![failing("baseline", problem)],
    };
    let here = match Conditions::here() {
        Ok(here) => here,
        Err(problem) if tools_are_required() => return vec![failing("tools", problem)],
        Err(problem) => return not_compared(&baseline, &problem),
    };
    if let Some(difference) = here.difference(&baseline.conditions) {
        return not_compared(&baseline, &difference);
    }
    let counts = match counting::count() {
        Ok(counts) => counts,
        Err(problem) => return vec![failing("counting", problem)],
    };
    let operations: BTreeSet<&String> = baseline.counts.keys().chain(counts.keys()).collect();
    operations
        .into_iter()
        .map(|operation| {
            let was = baseline.counts.get(operation).copied();
            let now = counts.get(operation).copied();
            let verdict = rule::judge(was, now);
            Trial::test(operation.as_str(), move || verdict.map_err(Into::into))
        })
        .collect()
}

fn failing(name: &str, problem: String) -> Trial {
    Trial::test(name, move || Err(problem.into()))
}

/// Each is reported as ignored: what was not compared did not pass.
fn not_compared(baseline: &Baseline, reason: &str) -> Vec<Trial> {
    eprintln!("NOTHING WAS COMPARED: {reason}");
    let ignored = |name: &String| Trial::test(name.as_str(), || Ok(())).with_ignored_flag(true);
    baseline.counts.keys().map(ignored).collect()
}

/// As for the tests of `tests/platform`.
fn tools_are_required() -> bool {
    env::var_os("COUNTERSIGN_REQUIRE_PARTS").is_some_and(|set| !set.is_empty() && set != "0")
}
