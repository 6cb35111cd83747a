//! What a start takes, with all of the families in the store.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use countersign::token::v1::RotateTokenResponse;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::dimensions::shares;
use super::streams::STREAMS;
use super::{Plan, Run};
use crate::call::{Batch, Connection, Failed, count_in};
use crate::stand::{Ending, Stand};
use crate::stats::Spread;
use crate::world::Setting;
use crate::{BenchError, load};

/// Rotations before a crash.
const WRITES: usize = 1_000;

/// Starts, from the start of the process to its being ready for calls, in seconds.
#[derive(Clone, Debug)]
pub struct Starts {
    /// Families in the store.
    pub families: u64,
    /// After a clean stop, with the store in the machine's memory.
    pub warm: Spread,
    /// After a clean stop, with the store on the disk: the machine was told to forget it. It may have kept some.
    pub cold: Spread,
    /// What the process read from the disk in a cold start, in MiB, the least and the most: none
    /// means that the machine forgot nothing.
    pub cold_read_mib: Spread,
    /// After the process was killed in the middle of its work: nothing was written down for the
    /// next start.
    pub killed: Spread,
}

/// Times starts: cold, warm and after a crash in turn.
pub(super) async fn time(
    setting: &Setting,
    plan: &Plan,
    mut stand: Stand,
    families: u64,
    run: &mut Run<'_>,
) -> Result<Starts, BenchError> {
    run.begins("starts with the most families");
    let (mut warm, mut cold, mut read, mut killed) = (vec![], vec![], vec![], vec![]);
    for round in 0..plan.starts {
        let took: Duration;
        (stand, took) = stand.restart(setting, Ending::Stopped, forget)?;
        cold.push(took.as_secs_f64());
        read.push(stand.process().read_mib()?);
        let took: Duration;
        (stand, took) = stand.restart(setting, Ending::Stopped, |_| Ok(()))?;
        warm.push(took.as_secs_f64());
        rotated(&stand, round, run).await?;
        let took: Duration;
        (stand, took) = stand.restart(setting, Ending::Killed, |_| Ok(()))?;
        killed.push(took.as_secs_f64());
    }
    let spread = |values| {
        Spread::of(values).ok_or_else(|| BenchError::Asked("no start was asked for".to_owned()))
    };
    Ok(Starts {
        families,
        warm: spread(warm)?,
        cold: spread(cold)?,
        cold_read_mib: spread(read)?,
        killed: spread(killed)?,
    })
}

/// Rotates families that nobody rotated yet, so that a crash has something to leave unfinished.
async fn rotated(stand: &Stand, round: usize, run: &mut Run<'_>) -> Result<(), BenchError> {
    let callers = stand.callers();
    let (_, fresh) = shares(callers.refresh_tokens());
    let tokens = fresh.iter().skip(round * WRITES).take(WRITES);
    let calls = tokens
        .map(|token| callers.rotate(token.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let batch = Batch::of(calls, |answer: RotateTokenResponse| {
        match answer.refresh_token.is_empty() {
            false => Ok(()),
            true => Err(Failed::Wrong("no successor")),
        }
    });
    let connections = Connection::open_many(stand.url(), 1).await?;
    let made = load::closed(&connections, batch, STREAMS).await;
    count_in(&mut run.failures, &made.failures);
    Ok(())
}

/// Has the machine forget the files in a folder, as far as it does so for one who is not root:
/// pages that are on the disk already and that nobody else uses.
fn forget(folder: &Path) -> Result<(), BenchError> {
    let doing = || format!("forgetting {}", folder.display());
    for entry in fs::read_dir(folder).map_err(BenchError::system(doing()))? {
        let path = entry.map_err(BenchError::system(doing()))?.path();
        if path.is_dir() {
            forget(&path)?;
        } else if path.is_file() {
            let file = File::open(&path).map_err(BenchError::system(doing()))?;
            file.sync_all().map_err(BenchError::system(doing()))?;
            let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
            posix_fadvise(&file, 0, 0, advice).map_err(BenchError::errno(doing()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_forgotten_are_still_there() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("data")).expect("made");
        let file = folder.path().join("data/db");
        fs::write(&file, "kept").expect("written");
        forget(folder.path()).expect("forgotten");
        assert_eq!(fs::read(file).expect("read"), b"kept");
    }
}
