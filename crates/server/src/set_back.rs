//! What follows when a store was set back, to a backup or to what was left of it: a new epoch.
//!
//! Whoever sets a store back leaves a note in its directory, before the store can be opened. The
//! next start finds it and begins the epoch, before it takes a call; whoever is killed in between
//! leaves it for the start after. So no service runs on a store that was set back and has its old
//! epoch.

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use countersign_issuer::model::Epoch;
pub use countersign_issuer::set_back::SetBack;
use countersign_issuer::set_back::begin_epoch;
use countersign_issuer::{Actor, Known};
use countersign_jose::UnixTime;
use countersign_store::StoreError;
use countersign_store::embedded::recover::{self, Diagnosis, RecoverError, Recovered};
use countersign_store::embedded::{self, RestoreError, Restored};
use tracing::warn;

use crate::record::StoreMark;
use crate::records::{Outcome, Records};
use crate::start::{StartError, unreadable};

const NAME: &str = "set-back";
const MAGIC: &str = "countersign store set back, ";

/// Why a store was not restored.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    /// The backup, or the place for it.
    #[error(transparent)]
    Backup(#[from] RestoreError),
    /// What was restored could not be put into its place. It was left where it is.
    #[error("{}: cannot become {}: {error}", from.display(), to.display())]
    NotPlaced {
        /// Where it is.
        from: PathBuf,
        /// Where it should be.
        to: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Why a loss was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotRecovered {
    /// The store.
    #[error(transparent)]
    Store(#[from] RecoverError),
    /// The note for the next start could not be written; nothing was done.
    #[error("{}: {error}", path.display())]
    Note {
        /// The note.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Makes a store in `directory` from a backup. The next start begins a new epoch. `uid` is the
/// account of whoever restores it, for the audit log.
///
/// It is put together beside the directory, in `<directory>.restoring`, and takes its place when it
/// is whole.
///
/// # Errors
/// Why not; then `directory` is as it was.
pub fn restore(backup: impl io::Read, directory: &Path, uid: u32) -> Result<Restored, NotRestored> {
    let occupied = fs::read_dir(directory).is_ok_and(|mut files| files.next().is_some());
    if occupied || directory.is_file() {
        let directory = directory.to_owned();
        return Err(RestoreError::Occupied { directory }.into());
    }
    let mut made = directory.as_os_str().to_owned();
    made.push(".restoring");
    let made = PathBuf::from(made);
    let restored = embedded::restore(backup, &made)?;
    let placed = leave_note(&made, SetBack::Restored, uid)
        .and_then(|()| fs::rename(&made, directory))
        .and_then(|()| sync_parent(directory));
    placed.map_err(|error| NotRestored::NotPlaced {
        from: made,
        to: directory.to_owned(),
        error,
    })?;
    Ok(restored)
}

/// Accepts what a store has lost. The next start begins a new epoch. `uid` is the account of
/// whoever accepts it.
///
/// # Errors
/// Why not; what was copied aside by then is left.
pub fn accept(diagnosis: Diagnosis, uid: u32, now: UnixTime) -> Result<Recovered, NotRecovered> {
    // Before it opens: nobody serves from it without the new epoch.
    leave_note(diagnosis.directory(), SetBack::Recovered, uid).map_err(|error| {
        NotRecovered::Note {
            path: diagnosis.directory().join(NAME),
            error,
        }
    })?;
    Ok(recover::accept(diagnosis, now.as_secs())?)
}

/// Begins a new epoch, if the store was set back since the last start.
pub(crate) async fn carry_out(
    records: &Records,
    directory: &Path,
    now: UnixTime,
) -> Result<(), StartError> {
    let path = directory.join(NAME);
    let refuse = |problem: String| StartError::SetBackNote {
        path: path.clone(),
        problem,
    };
    let note = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        note => note.map_err(|error| refuse(error.to_string()))?,
    };
    let (how, uid) =
        parse(&note).ok_or_else(|| refuse("says nothing that can be understood".to_owned()))?;
    let mark = records.mark().await;
    let mark = mark.map_err(|refused| unreadable(directory, refused))?;
    let Some(Known { value, version }) = mark else {
        return Err(StartError::DamagedRecords {
            directory: directory.to_owned(),
            problem: "the store was set back, and has no mark",
        });
    };
    let next = StoreMark {
        epoch: Epoch::new(value.epoch.number() + 1),
        set_back_at: Some(now),
        ..value
    };
    let epoch = next.epoch;
    let change = begin_epoch(how, epoch, Actor::Operator { uid }, now);
    match records
        .begin_epoch(&Known::new(next, version), &change)
        .await?
    {
        Outcome::Done(_) => {}
        // The store is locked by this process alone.
        Outcome::Raced | Outcome::AssertionReplayed => {
            let reason = "the mark changed while the service started".to_owned();
            return Err(StoreError::Unavailable(reason).into());
        }
    }
    warn!(
        epoch = epoch.number(),
        how = how.label(),
        "the store was set back: what was issued before is dead"
    );
    let removed = fs::remove_file(&path).and_then(|()| File::open(directory)?.sync_all());
    removed.map_err(|error| refuse(format!("cannot be removed: {error}")))
}

fn leave_note(directory: &Path, how: SetBack, uid: u32) -> io::Result<()> {
    let path = directory.join(NAME);
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(format!("{MAGIC}{} by uid:{uid}\n", how.label()).as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(directory)?.sync_all()
}

pub(crate) fn parse(note: &str) -> Option<(SetBack, u32)> {
    let (how, uid) = note
        .strip_prefix(MAGIC)?
        .strip_suffix('\n')?
        .split_once(" by uid:")?;
    Some((SetBack::of_label(how)?, uid.parse().ok()?))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
