//! The memory of a server over time.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::{BenchError, Process};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(250);

/// The memory of a process, in MiB, over a span.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// After so many seconds so much.
    pub samples: Vec<(f64, f64)>,
}

impl Memory {
    /// At the beginning.
    pub fn first(&self) -> f64 {
        self.samples.first().map_or(f64::NAN, |(_, mib)| *mib)
    }

    /// At the end.
    pub fn last(&self) -> f64 {
        self.samples.last().map_or(f64::NAN, |(_, mib)| *mib)
    }

    /// The most.
    pub fn most(&self) -> f64 {
        most(&self.samples)
    }

    /// By how many MiB it grew over its second half: the most of the last quarter less the most of
    /// the one before. What grows on and on shows, and what is taken once, when work begins, does
    /// not. Not a number where it was looked at too seldom to say.
    pub fn growth(&self) -> f64 {
        let quarter = self.samples.len() / 4;
        let (before, last) = self.samples.split_at(self.samples.len() - quarter);
        let before = &before[before.len() - quarter..];
        most(last) - most(before)
    }
}

fn most(samples: &[(f64, f64)]) -> f64 {
    let all = samples.iter().map(|(_, mib)| *mib);
    all.fold(f64::NAN, f64::max)
}

/// Watches the memory of `process` while `work` is done.
pub(super) async fn during<T>(
    process: &mut Process,
    work: impl Future<Output = T>,
) -> Result<(T, Memory), BenchError> {
    let mut memory = Memory::default();
    let begun = Instant::now();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sample = |process: &mut Process| -> Result<(), BenchError> {
        let mib = process.memory_mib()?;
        memory.samples.push((begun.elapsed().as_secs_f64(), mib));
        Ok(())
    };
    sample(process)?;
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = ticks.tick() => sample(process)?,
        }
    };
    sample(process)?;
    Ok((done, memory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_the_last_and_the_most() {
        let memory = Memory {
            samples: vec![(0.0, 40.0), (1.0, 90.0), (2.0, 60.0)],
        };
        assert_eq!(
            (memory.first(), memory.last(), memory.most()),
            (40.0, 60.0, 90.0)
        );
        assert!(Memory::default().most().is_nan());
    }

    #[test]
    fn what_is_taken_once_is_no_growth() {
        let of = |mib: [f64; 4]| Memory {
            samples: mib.map(|mib| (0.0, mib)).to_vec(),
        };
        assert!(of([40.0, 80.0, 80.0, 80.0]).growth() <= 0.0);
        assert!(of([40.0, 60.0, 80.0, 100.0]).growth() > 19.0);
        // What was freed in the first half hides nothing of the second.
        assert!(of([200.0, 60.0, 80.0, 100.0]).growth() > 19.0);
        assert!(Memory::default().growth().is_nan());
    }
}
