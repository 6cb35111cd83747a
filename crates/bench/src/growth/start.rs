//! What a start takes, with all of the families in the store.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::{Plan, Run};
use crate::BenchError;
use crate::stand::Stand;
use crate::stats::Spread;
use crate::world::Setting;

/// Starts, from the start of the process to its being ready for calls, in seconds.
#[derive(Clone, Debug)]
pub struct Starts {
    /// Families in the store.
    pub families: u64,
    /// With the store in the machine's memory.
    pub warm: Spread,
    /// With the store on the disk: the machine was told to forget it. It may have kept some.
    pub cold: Spread,
    /// What the process read from the disk in a cold start, in MiB, the least and the most: none
    /// means that the machine forgot nothing.
    pub cold_read_mib: Spread,
}

/// Times starts, cold and warm in turn.
pub(super) fn time(
    setting: &Setting,
    plan: &Plan,
    mut stand: Stand,
    families: u64,
    run: &mut Run<'_>,
) -> Result<Starts, BenchError> {
    run.begins("starts with the most families");
    let (mut warm, mut cold, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.starts {
        let took: Duration;
        (stand, took) = stand.restart(setting, forget)?;
        cold.push(took.as_secs_f64());
        read.push(stand.process().read_mib()?);
        let took: Duration;
        (stand, took) = stand.restart(setting, |_| Ok(()))?;
        warm.push(took.as_secs_f64());
    }
    let spread = |values| {
        Spread::of(values).ok_or_else(|| BenchError::Asked("no start was asked for".to_owned()))
    };
    Ok(Starts {
        families,
        warm: spread(warm)?,
        cold: spread(cold)?,
        cold_read_mib: spread(read)?,
    })
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
