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
use std::path::Path;

use countersign_issuer::model::Epoch;
pub use countersign_issuer::set_back::SetBack;
use countersign_issuer::set_back::begin_epoch;
use countersign_issuer::{Actor, Known};
use countersign_jose::UnixTime;
use countersign_store::StoreError;
use countersign_store::embedded::recover::{self, Diagnosis, RecoverError, Recovered};
use countersign_store::embedded::{self, RestoreError, Restored};
use tracing::warn;

use crate::record::{self, StoreMark};
use crate::records::{Outcome, Records};
use crate::start::{StartError, unreadable};

const NAME: &str = "set-back";
const MAGIC: &str = "countersign store set back, ";

/// Makes a store in `directory` from a backup, as [`embedded::restore`] does. The next start begins a
/// new epoch. `uid` is the account of whoever restores it, for the audit log.
///
/// # Errors
/// Why not; then nothing is left of it.
pub fn restore(
    backup: impl io::Read,
    directory: &Path,
    uid: u32,
) -> Result<Restored, RestoreError> {
    embedded::restore(backup, directory, |made| {
        leave_note(made, SetBack::Restored, uid)
    })
}

/// Accepts what a store has lost, as [`recover::accept`] does. The next start begins a new epoch.
/// `uid` is the account of whoever accepts it.
///
/// # Errors
/// Why not.
pub fn accept(diagnosis: Diagnosis, uid: u32, now: UnixTime) -> Result<Recovered, RecoverError> {
    recover::accept(diagnosis, now.as_secs(), |directory| {
        leave_note(directory, SetBack::Recovered, uid)
    })
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
    let last = last_entry(records).await?;
    let change = begin_epoch(how, epoch, last, Actor::Operator { uid }, now);
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

/// The last entry of the audit log as it was set back, as `log:number:hash`. (The store is locked,
/// and nothing else runs yet.)
async fn last_entry(records: &Records) -> Result<String, StoreError> {
    let store = records.store();
    let number = store.last_number(record::AUDIT).await?;
    let hash = match store.entries(record::AUDIT, number, 1).await?.first() {
        Some(last) => last.hash,
        None => store.start(record::AUDIT).await?.before,
    };
    Ok(format!("{}:{number}:{hash}", record::AUDIT.name()))
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
