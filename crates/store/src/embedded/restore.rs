//! From a backup to a store, or to the reason why not.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::backup::{Frame, Totals, Unpacker, Unreadable};
use super::directory::{self, FORMAT, sync_directory};
use super::examine::{self, Finding, Report, Verified};
use super::layout::{self, Item};
use super::{Broken, Database, Edits, Fdatasync, Unopened, mark, settings};

/// What the database may keep in memory; it takes as much again for itself.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Edits brought into the database together, in bytes: as in a batch of commits.
const BATCH_BYTES: usize = 1024 * 1024;

/// Batches between two syncs, so that not all of a backup waits in memory for the disk.
const BATCHES_PER_SYNC: u32 = 32;

/// A backup that is a store again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// What is in it.
    pub report: Report,
}

/// Why a backup was not restored. Nothing is left of the attempt.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something already where it should go.
    #[error(
        "{}: a backup is restored into a directory that is empty or not there yet; move away what \
         is in it, or name another one",
        directory.display()
    )]
    Occupied {
        /// The directory.
        directory: PathBuf,
    },
    /// The operating system refuses to write it.
    #[error("{}: cannot be written: {error}", directory.display())]
    Unwritable {
        /// The directory.
        directory: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The operating system refuses to read the backup.
    #[error("the backup cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is no backup, or it is cut off, or was changed.
    #[error("the backup is not whole, and was not restored: {0}")]
    NotWhole(String),
    /// A later release made it.
    #[error("the backup was made by a later release: {0}; restore it with that one")]
    Newer(String),
    /// Its bytes are whole, but what they hold is not a store: it was damaged before.
    #[error(
        "the backup is of a damaged store, and was not restored: {first} ({findings} findings in all)"
    )]
    Unsound {
        /// The first thing that is wrong.
        first: Finding,
        /// How many there are.
        findings: u64,
    },
}

impl RestoreError {
    /// A stable name for logs and scripts.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Occupied { .. } => "occupied",
            Self::Unwritable { .. } => "unwritable",
            Self::Unreadable(_) => "unreadable",
            Self::NotWhole(_) => "not_whole",
            Self::Newer(_) => "newer",
            Self::Unsound { .. } => "unsound",
        }
    }
}

/// Makes a store in `directory` from a backup. The directory must be empty, or not there while the
/// one above it is.
///
/// Everything is verified, as [`verify`](super::verify) does, and on the disk, before the directory
/// says that it is a store. It blocks, for about as long as copying the bytes takes.
///
/// `before` is run when everything is there, and before the directory says that it is a store: what
/// it writes into the directory is there whenever the store is.
///
/// # Errors
/// [`RestoreError`]; what it made is removed again then, and the directory, if it was made.
pub fn restore(
    reader: impl Read,
    directory: impl AsRef<Path>,
    before: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<Restored, RestoreError> {
    let mut place = Place::make(directory.as_ref())?;
    let (verified, totals) = unpack(reader, &place)?;
    let Verified {
        report,
        findings,
        more_findings,
    } = verified;
    let count = findings.len() as u64 + more_findings;
    if let Some(first) = findings.into_iter().next() {
        return Err(RestoreError::Unsound {
            first,
            findings: count,
        });
    }
    let declared = before(&place.path)
        .and_then(|()| mark::write(&place.path.join("mark"), totals.commit))
        .and_then(|()| directory::declare(&place.path));
    declared.map_err(|error| place.unwritable(error))?;
    place.keep();
    Ok(Restored { report })
}

/// Reads all of a backup, and verifies it as [`restore`] would, in a folder of its own below
/// `scratch`, which it removes again. That takes as much space there as the store has.
///
/// # Errors
/// [`RestoreError`], where its bytes are not those of a whole backup. What else is wrong is in the
/// findings.
pub fn verify_backup(
    reader: impl Read,
    scratch: impl AsRef<Path>,
) -> Result<Verified, RestoreError> {
    // Under a name that nobody knows before, and for nobody else: it is a copy of everything.
    let folder = tempfile::Builder::new()
        .prefix("countersign-verify-")
        .tempdir_in(&scratch)
        .map_err(|error| RestoreError::Unwritable {
            directory: scratch.as_ref().to_owned(),
            error,
        })?;
    let place = Place::make(folder.path())?;
    let (verified, _) = unpack(reader, &place)?;
    Ok(verified)
}

/// Brings a backup into a new database, makes it durable, and reads it whole.
fn unpack(reader: impl Read, place: &Place) -> Result<(Verified, Totals), RestoreError> {
    let (mut frames, format) = Unpacker::new(reader).map_err(refuse)?;
    if format > FORMAT {
        let why = format!("the store's format is {format}, this release knows {FORMAT}");
        return Err(RestoreError::Newer(why));
    }
    let path = place.path.join("database");
    let made = DirBuilder::new().mode(0o700).create(&path);
    made.map_err(|error| place.unwritable(error))?;
    let database = match Database::open(&path, CACHE_BYTES) {
        Ok(database) => database,
        Err(unopened) => return Err(place.unwritable(as_io(unopened))),
    };
    let filled = fill(&mut frames, &database, place).and_then(|totals| {
        let synced = File::open(settings(&path))
            .and_then(|settings| settings.sync_all())
            .and_then(|()| sync_directory(&path));
        synced.map_err(|error| place.unwritable(error))?;
        let mut verified = examine::examine(&database, Some(totals.commit));
        if verified.report.last_commit != totals.commit && verified.is_sound() {
            verified.findings.push(Finding {
                place: "the counter".to_owned(),
                what: format!("it is not the backup's last commit, {}", totals.commit),
            });
        }
        Ok((verified, totals))
    });
    database.release();
    filled
}

fn fill(
    frames: &mut Unpacker<impl Read>,
    database: &Database,
    place: &Place,
) -> Result<Totals, RestoreError> {
    let broken = |Broken(why): Broken| place.unwritable(io::Error::other(why));
    let mut edits = Edits::new();
    let mut bytes = 0;
    let mut batches = 0;
    loop {
        let end = match frames.next().map_err(refuse)? {
            Frame::Item(key, value) => {
                if let Some(value) = value {
                    let decoded = Item::decode(key, value);
                    decoded.map_err(|Broken(what)| RestoreError::Unsound {
                        first: Finding {
                            place: layout::name_of(key),
                            what,
                        },
                        findings: 1,
                    })?;
                }
                bytes += key.len() + value.map_or(0, <[u8]>::len);
                edits.push((key.to_vec(), value.map(<[u8]>::to_vec)));
                None
            }
            Frame::End(totals) => Some(totals),
        };
        if bytes >= BATCH_BYTES || end.is_some() {
            database.apply(std::mem::take(&mut edits)).map_err(broken)?;
            bytes = 0;
            batches += 1;
            if batches % BATCHES_PER_SYNC == 0 || end.is_some() {
                database.settle(&Fdatasync).map_err(broken)?;
            }
        }
        if let Some(totals) = end {
            return Ok(totals);
        }
    }
}

fn refuse(unreadable: Unreadable) -> RestoreError {
    match unreadable {
        Unreadable::System(error) => RestoreError::Unreadable(error),
        Unreadable::Wrong(what) => RestoreError::NotWhole(what),
        Unreadable::Newer(what) => RestoreError::Newer(what),
    }
}

fn as_io(unopened: Unopened) -> io::Error {
    match unopened {
        Unopened::System(error) => error,
        Unopened::Broken(Broken(why)) => io::Error::other(why),
        Unopened::Locked => io::Error::other("another process has its database"),
    }
}

/// Where it goes. Unless it is kept, what was made there is removed.
struct Place {
    path: PathBuf,
    /// Whether the directory is ours, too.
    made: bool,
    keep: bool,
}

impl Place {
    fn make(path: &Path) -> Result<Self, RestoreError> {
        let unwritable = |error| RestoreError::Unwritable {
            directory: path.to_owned(),
            error,
        };
        let made = match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(unwritable(error)),
        };
        if !made {
            let occupied = || RestoreError::Occupied {
                directory: path.to_owned(),
            };
            if !path.is_dir() {
                return Err(occupied());
            }
            let mut names = fs::read_dir(path).map_err(unwritable)?;
            if names.any(|name| {
                name.is_err() || name.is_ok_and(|name| name.file_name() != "lost+found")
            }) {
                return Err(occupied());
            }
        }
        Ok(Self {
            path: path.to_owned(),
            made,
            keep: false,
        })
    }

    fn keep(&mut self) {
        self.keep = true;
    }

    fn unwritable(&self, error: io::Error) -> RestoreError {
        RestoreError::Unwritable {
            directory: self.path.clone(),
            error,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // An error on the way out was told already, or is one of removing: what remains is no store.
        let _ = fs::remove_dir_all(self.path.join("database"));
        for name in ["store", "mark", "mark.new"] {
            let _ = fs::remove_file(self.path.join(name));
        }
        if self.made {
            let _ = fs::remove_dir(&self.path);
        }
    }
}
