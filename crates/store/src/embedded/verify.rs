//! A store that nobody has open, read whole.

use std::io;
use std::path::Path;

use super::copies::{Glance, LookError};
use super::directory::Directory;
use super::examine::{self, Verified};
use super::open::{refuse, unreadable};
use super::{Database, OpenError, mark};

/// What the database may keep in memory of what it reads; everything is read once.
pub(super) const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads everything in the store in `directory`: that every checksum matches, that each log is a
/// chain from its anchor on and its numbers have no gap, that what expires has a reminder, that no
/// commit is above the counter, and the mark not either.
///
/// The store must be closed. No record, entry or file of ours is changed, also not the format of an
/// earlier release. But the driver cannot open its files without writing to them: where a process
/// was killed or an end is torn, it cuts off what it cannot read, and it writes down where its pages
/// lie. [`verify_copy`] leaves them as they are.
///
/// It takes 16 bytes of memory for each record that expires.
///
/// # Errors
/// Where there is no store that could be read: nothing that is [`Locked`](OpenError::Locked),
/// [`NotOurs`](OpenError::NotOurs), [`Unreadable`](OpenError::Unreadable),
/// [`Newer`](OpenError::Newer), or so [`Damaged`](OpenError::Damaged) that the driver does not open
/// it. All else is in the findings.
pub fn verify(directory: impl AsRef<Path>) -> Result<Verified, OpenError> {
    let directory = Directory::claim_existing(directory.as_ref())?;
    let mark = read_mark(&directory)?;
    let database = open_database(&directory)?;
    let verified = examine::examine(&database, mark);
    database.release();
    Ok(verified)
}

/// The same, in a copy of the database, so that no byte of any file of the store is changed. The copy
/// goes into a folder of its own below `scratch`, which is removed again: it takes as much room there
/// as the database, and the time to copy it.
///
/// # Errors
/// As [`verify`], and where the copy cannot be made.
pub fn verify_copy(
    directory: impl AsRef<Path>,
    scratch: impl AsRef<Path>,
) -> Result<Verified, LookError> {
    let directory = Directory::claim_existing(directory.as_ref())?;
    let mark = read_mark(&directory)?;
    let folder = tempfile::Builder::new()
        .prefix("countersign-verify-")
        .tempdir_in(&scratch);
    let folder = folder.map_err(|error| LookError::NotCopied {
        directory: directory.path().to_owned(),
        copy: scratch.as_ref().to_owned(),
        error,
    })?;
    let glance = Glance::of(&directory, &folder.path().join("copy"))?;
    let database = Database::open(&glance.database(), CACHE_BYTES);
    let database = database.map_err(|unopened| refuse(&directory, unopened))?;
    let verified = examine::examine(&database, mark);
    database.release();
    Ok(verified)
}

/// The mark; none where it is missing or not one.
pub(super) fn read_mark(directory: &Directory) -> Result<Option<u64>, OpenError> {
    match mark::read(&directory.mark()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        read => read.map_err(|error| unreadable(directory, error)),
    }
}

/// The database of a directory that has one.
pub(super) fn open_database(directory: &Directory) -> Result<Database, OpenError> {
    let path = directory.database();
    // The driver would make one.
    std::fs::metadata(path.join("db")).map_err(|error| unreadable(directory, error))?;
    Database::open(&path, CACHE_BYTES).map_err(|unopened| refuse(directory, unopened))
}
