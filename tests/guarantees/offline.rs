//! What is done to a store while no service has it, and first starts that change
//! it: killed at each of its steps, and at any instant. Whatever was reached, what
//! an operator does next ends well.

mod first_start;
mod folder;
mod founding;
mod recovery;
mod restoration;
mod set_back;
mod upgrade;

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use countersign_testkit::Problem;
use countersign_testkit::service::{binary, unconfigured};
use countersign_testkit::work::in_a_runtime;

use crate::dice::Dice;
use crate::shim::Shim;
use crate::{counts, scale};
use first_start::FirstStart;
use founding::Founding;
use recovery::{Looking, Recovery};
use restoration::Restoration;
use upgrade::{FORMATS, Upgrade};

/// The steps at the end that a short form has one of more often than of the
/// others: there a directory becomes a store.
const LAST: u64 = 15;

/// Something that can be killed, over and over.
trait Subject {
    /// What its kills are called in the table.
    const KILLS: &'static str;
    /// Things that an operator may do next.
    const TURNS: usize = 1;

    /// Everything is as it is before.
    fn prepare(&mut self, round: usize) -> Result<(), Problem>;

    /// Runs it, and says how it ended.
    fn run(&mut self, how: &How) -> Result<Ended, Problem>;

    /// Whether all is well after what an operator does next: he starts the service
    /// or gives the command again, by turns, and does what a refusal says.
    async fn ends_well(&mut self, round: usize) -> Result<(), Problem>;
}

/// How it is run.
#[derive(Default)]
struct How {
    /// Variables of its own.
    environment: Vec<(String, String)>,
    /// It is killed then, if it still runs.
    kill_after: Option<Duration>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Ended {
    Killed,
    Whole,
}

/// A restoration that is killed at a step leaves a whole store in a new epoch, or
/// none, and neither the backup nor what was moved aside is touched.
pub(crate) fn a_restoration_killed_at_a_step_is_whole_or_none(cc: &Path) -> Result<(), String> {
    in_a_runtime(async { at_each_step(cc, &mut Restoration::begin().await?).await })
}

/// The same at any instant.
pub(crate) fn a_restoration_killed_at_any_instant_is_whole_or_none() -> Result<(), String> {
    in_a_runtime(async { at_any_instant(&mut Restoration::begin().await?).await })
}

/// A recovery that is killed at a step is done, or is done by the next one; what
/// was issued before is dead in either case, and all files lie aside as they were.
pub(crate) fn a_recovery_killed_at_a_step_is_done_or_goes_on(cc: &Path) -> Result<(), String> {
    in_a_runtime(async { at_each_step(cc, &mut Recovery::begin().await?).await })
}

/// The same at any instant.
pub(crate) fn a_recovery_killed_at_any_instant_is_done_or_goes_on() -> Result<(), String> {
    in_a_runtime(async { at_any_instant(&mut Recovery::begin().await?).await })
}

/// A recovery to which nobody said yes, killed at a step: every file is as it was.
pub(crate) fn a_look_at_a_loss_killed_at_a_step_changes_nothing(cc: &Path) -> Result<(), String> {
    in_a_runtime(async { at_each_step(cc, &mut Looking::begin().await?).await })
}

/// The same at any instant.
pub(crate) fn a_look_at_a_loss_killed_at_any_instant_changes_nothing() -> Result<(), String> {
    in_a_runtime(async { at_any_instant(&mut Looking::begin().await?).await })
}

/// The first start after a restoration, killed at a step: the next one has begun
/// the new epoch.
pub(crate) fn a_first_start_killed_at_a_step_begins_the_epoch(cc: &Path) -> Result<(), String> {
    in_a_runtime(async { at_each_step(cc, &mut FirstStart::begin().await?).await })
}

/// The same at any instant.
pub(crate) fn a_first_start_killed_at_any_instant_begins_the_epoch() -> Result<(), String> {
    in_a_runtime(async { at_any_instant(&mut FirstStart::begin().await?).await })
}

/// The first start of all, killed at a step: the next one makes a store, or goes on
/// with the one that there is.
pub(crate) fn a_founding_killed_at_a_step_goes_on(cc: &Path) -> Result<(), String> {
    in_a_runtime(async { at_each_step(cc, &mut Founding::begin()?).await })
}

/// The same at any instant.
pub(crate) fn a_founding_killed_at_any_instant_goes_on() -> Result<(), String> {
    in_a_runtime(async { at_any_instant(&mut Founding::begin()?).await })
}

/// The first start on a store of an earlier release, killed at a step: the next one
/// has all that was in it, with the same hashes.
pub(crate) fn an_upgrade_killed_at_a_step_goes_on(cc: &Path) -> Result<(), String> {
    in_a_runtime(async {
        for format in FORMATS {
            at_each_step(cc, &mut Upgrade::begin(format)?).await?;
        }
        Ok(())
    })
}

/// The same at any instant.
pub(crate) fn an_upgrade_killed_at_any_instant_goes_on() -> Result<(), String> {
    in_a_runtime(async {
        for format in FORMATS {
            at_any_instant(&mut Upgrade::begin(format)?).await?;
        }
        Ok(())
    })
}

async fn at_each_step<S: Subject>(cc: &Path, subject: &mut S) -> Result<(), Problem> {
    let shim = Shim::compile(cc)?;
    let how = How {
        environment: shim.terms("").environment,
        kill_after: None,
    };
    subject.prepare(0)?;
    shim.order("tell step /data 1\n")?;
    if subject.run(&how)? == Ended::Killed {
        return Err("it is killed, and nobody ordered it".into());
    }
    let steps = shim.done()?.len() as u64;
    subject.ends_well(0).await?;
    let mut dice = Dice::new(S::KILLS);
    let few = [
        dice.between(1, steps),
        dice.between(steps.saturating_sub(LAST).max(1), steps),
        dice.between(steps.saturating_sub(LAST).max(1), steps),
    ];
    let steps: Vec<u64> = match scale::of(0, 1) {
        0 => few.into(),
        _ => (1..=steps).flat_map(|step| vec![step; S::TURNS]).collect(),
    };
    for (round, step) in steps.into_iter().enumerate() {
        let about = |problem: Problem| format!("killed before step {step}: {problem}");
        subject.prepare(round)?;
        shim.order(&format!("kill-before step /data {step}\n"))?;
        let ended = subject.run(&how).map_err(about)?;
        // Threads of the database take a step more or less. A service may have come to it once it
        // served.
        let is_done = !shim.done()?.is_empty();
        if ended == Ended::Killed && !is_done {
            return Err(about("by something else".into()).into());
        }
        subject.ends_well(round).await.map_err(about)?;
        if is_done {
            counts::add(S::KILLS, 1);
        }
    }
    Ok(())
}

async fn at_any_instant<S: Subject>(subject: &mut S) -> Result<(), Problem> {
    subject.prepare(0)?;
    let begun = Instant::now();
    subject.run(&How::default())?;
    let micros = u64::try_from(begun.elapsed().as_micros())?;
    subject.ends_well(0).await?;
    let mut dice = Dice::new(S::KILLS);
    for round in 0..scale::of(3, 60) {
        let kill_after = Duration::from_micros(dice.between(1, micros));
        let about = |problem: Problem| format!("killed after {kill_after:?}: {problem}");
        subject.prepare(round)?;
        let how = How {
            kill_after: Some(kill_after),
            ..How::default()
        };
        let ended = subject.run(&how).map_err(about)?;
        subject.ends_well(round).await.map_err(about)?;
        if ended == Ended::Killed {
            counts::add(S::KILLS, 1);
        }
    }
    Ok(())
}

/// Runs a command of ours.
fn command(arguments: &[&str], how: &How) -> Result<Ended, Problem> {
    let mut command = Command::new(binary()?);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let environment = how.environment.iter().cloned();
    let mut child = unconfigured(&mut command).envs(environment).spawn()?;
    if let Some(after) = how.kill_after {
        thread::sleep(after);
        child.kill()?;
    }
    // It says less than a pipe holds.
    let output = child.wait_with_output()?;
    match output.status.code() {
        None => Ok(Ended::Killed),
        Some(0) => Ok(Ended::Whole),
        Some(_) => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// A refusal says what is the matter, and what to do.
fn says(said: &str, expected: &[&str]) -> Result<(), Problem> {
    match expected.iter().find(|text| !said.contains(**text)) {
        None => Ok(()),
        Some(text) => Err(format!("no {text:?} in a refusal: {said}").into()),
    }
}
