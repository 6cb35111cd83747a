//! What to do with a store whose end is lost.
//!
//! A store that is behind its mark, or has none, is not opened: commits that were acknowledged are
//! missing, and nobody should go on without knowing. [`diagnose`] says what is missing, and changes
//! no byte of any file: it looks at a copy, since the database's driver rewrites what it opens.
//! [`accept`] lets the store open with what is there, after all its files were copied aside as they
//! were found.
//!
//! What was lost may be a revocation. Whoever accepts a loss has to revoke what was live since: that
//! is the service's to do, this is only the store.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::copies::{self, Glance, LookError};
use super::directory::Directory;
use super::open::refuse;
use super::verify::{CACHE_BYTES, open_database, read_mark};
use super::{Broken, Database, Fdatasync, OpenError, Unopened, layout, mark};

/// Commits that are passed over where some were lost: their numbers were versions that somebody may
/// hold, and none may come twice. The mark is half a second behind, and a disk that hangs can make it
/// some more; this is ten seconds of the most commits that were ever measured.
const PASSED_OVER: u64 = 1_000_000;

/// Copies that are named after one second: more often nobody gives the command.
const COPIES_PER_SECOND_MAX: u32 = 100;

/// What was found in a directory, which stays locked until this is accepted or dropped.
pub struct Diagnosis {
    directory: Directory,
    loss: Loss,
}

/// What is wrong with a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Loss {
    /// Nothing: it opens.
    None,
    /// Acknowledged commits are missing from its end.
    Tail {
        /// The last commit in the database.
        found: u64,
        /// A commit that was acknowledged; up to half a second of others may have been after it.
        mark: u64,
    },
    /// The mark is missing or cannot be understood, so that nobody knows whether commits are.
    Mark {
        /// The last commit in the database.
        found: u64,
    },
    /// The database is damaged in its middle. No recovery mends that: restore a backup.
    Damaged {
        /// Where it showed.
        why: String,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "nothing is lost"),
            Self::Tail { found, mark } => write!(
                f,
                "commit {mark} was acknowledged, the last one here is {found}: at least {} are lost",
                mark - found
            ),
            Self::Mark { found } => write!(
                f,
                "the file `mark` is missing or cannot be understood: whether commits after {found} \
                 are lost, nobody knows"
            ),
            Self::Damaged { why } => write!(
                f,
                "the database is damaged, which cannot be mended: {why}; restore a backup"
            ),
        }
    }
}

impl Diagnosis {
    /// What is wrong.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl fmt::Debug for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagnosis")
            .field("directory", &self.directory())
            .field("loss", &self.loss)
            .finish()
    }
}

/// A store that opens again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// Where all its files lie, each byte for byte as [`diagnose`] found it.
    pub aside: PathBuf,
    /// The last commit that is there.
    pub last_commit: u64,
    /// The next commit has a higher number than this.
    pub next_above: u64,
}

/// Why a loss was not accepted. The store is as refused as it was found.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Nothing is lost, so there is nothing to accept.
    #[error("{}: nothing is lost, and the store opens", directory.display())]
    Sound {
        /// The directory.
        directory: PathBuf,
    },
    /// It is more than a loss.
    #[error("{}: the database is damaged, which cannot be mended: {why}; restore a backup", directory.display())]
    Damaged {
        /// The directory.
        directory: PathBuf,
        /// Where it showed.
        why: String,
    },
    /// The copy could not be made. What there is of it was left; no file of the store was changed.
    #[error("{}: the files could not be copied to {}: {error}", directory.display(), aside.display())]
    NotCopied {
        /// The directory.
        directory: PathBuf,
        /// Where the copy should have gone.
        aside: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The copy was made, and then the store could not be written. The database's driver may have
    /// rewritten its files by then.
    #[error("{}: cannot be used: {error}", directory.display())]
    Unwritable {
        /// The directory.
        directory: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// Finds out what is lost, and changes no byte of any file of the store: reads everything, in a copy
/// of the database that lies beside the directory, in `<directory>.diagnosing`, and is removed
/// again. That takes as much room as the database, and the time to copy it. Killed, it leaves the
/// copy there, and the next one removes it.
///
/// # Errors
/// Where there is no store that could be looked at, or no copy; one that the driver does not open is
/// a diagnosis.
pub fn diagnose(directory: impl AsRef<Path>) -> Result<Diagnosis, LookError> {
    let directory = Directory::claim_existing(directory.as_ref())?;
    let mark = read_mark(&directory)?;
    let loss = loss(&directory, mark)?;
    Ok(Diagnosis { directory, loss })
}

fn loss(directory: &Directory, mark: Option<u64>) -> Result<Loss, LookError> {
    let db = directory.database().join("db");
    let is_there = db.try_exists();
    if !is_there.map_err(|error| refuse(directory, Unopened::System(error)))? {
        let why = "its file `database/db` is missing".to_owned();
        return Ok(Loss::Damaged { why });
    }
    let copy = with_end(directory.path(), ".diagnosing");
    let glance = Glance::of(directory, &copy)?;
    let database = match Database::open(&glance.database(), CACHE_BYTES) {
        Ok(database) => database,
        Err(Unopened::Broken(Broken(why))) => return Ok(Loss::Damaged { why }),
        Err(unopened) => return Err(refuse(directory, unopened).into()),
    };
    let contents = Contents::whole(&database);
    database.release();
    Ok(match (contents, mark) {
        (Err(Broken(why)), _) => Loss::Damaged { why },
        (Ok(contents), None) => Loss::Mark {
            found: contents.commits,
        },
        (Ok(contents), Some(mark)) if contents.commits < mark => Loss::Tail {
            found: contents.commits,
            mark,
        },
        (Ok(_), Some(_)) => Loss::None,
    })
}

/// Accepts a loss: copies all files to a folder beside the directory, named
/// `<directory>.lost-<seconds>`, with a number behind it where that is taken, and lets the store go
/// on from what is there. Version numbers go on well above those that were lost. Nothing of the
/// store is opened for writing before the copy is whole and on the disk; until then it is called
/// `….partial`.
///
/// `before` is run after the copy was made, and before the store opens again: what it writes into
/// the directory is there whenever the store opens.
///
/// # Errors
/// [`RecoverError`].
pub fn accept(
    diagnosis: Diagnosis,
    now_unix_secs: u64,
    before: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<Recovered, RecoverError> {
    let Diagnosis { directory, loss } = diagnosis;
    let path = directory.path().to_owned();
    let (found, known) = match loss {
        Loss::Tail { found, mark } => (found, mark),
        Loss::Mark { found } => (found, found),
        Loss::None => return Err(RecoverError::Sound { directory: path }),
        Loss::Damaged { why } => {
            return Err(RecoverError::Damaged {
                directory: path,
                why,
            });
        }
    };
    let aside = beside(&path, now_unix_secs);
    copies::keep(&path, &aside).map_err(|error| RecoverError::NotCopied {
        directory: path.clone(),
        aside: aside.clone(),
        error,
    })?;
    let next_above = known.saturating_add(PASSED_OVER);
    let set = before(&path).and_then(|()| set_back(directory, next_above));
    set.map_err(|error| RecoverError::Unwritable {
        directory: path,
        error,
    })?;
    Ok(Recovered {
        aside,
        last_commit: found,
        next_above,
    })
}

/// The counter first: with the mark alone, the store would be behind it. Cut off in between, a store
/// whose mark is there opens; that it was set back has been noted by then, outside of the database.
fn set_back(mut directory: Directory, commit: u64) -> io::Result<()> {
    let refused = |error: OpenError| io::Error::other(error.to_string());
    let broken = |Broken(why): Broken| io::Error::other(why);
    let database = open_database(&directory).map_err(refused)?;
    directory.upgrade()?;
    database
        .set(layout::COUNTER, layout::encode_counter(commit))
        .and_then(|()| database.settle(&Fdatasync))
        .map_err(broken)?;
    database.release();
    mark::write(&directory.mark(), commit)
}

fn beside(path: &Path, now_unix_secs: u64) -> PathBuf {
    let named = |end: &str| with_end(path, &format!(".lost-{now_unix_secs}{end}"));
    // One that was killed in the same second has left its copy, whole or not.
    let numbered = (2..=COPIES_PER_SECOND_MAX).map(|number| named(&format!("-{number}")));
    let is_there = |path: &Path| path.try_exists().unwrap_or(false);
    std::iter::once(named(""))
        .chain(numbered)
        .find(|path| !is_there(path) && !is_there(&copies::partial(path)))
        .unwrap_or_else(|| named(""))
}

/// What lies beside the directory, under its name with something behind it.
fn with_end(path: &Path, end: &str) -> PathBuf {
    // `.` and `..` have no name to build on; where they lead has.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}
