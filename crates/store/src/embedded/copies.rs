//! A store's files, copied: to be kept, or to be looked at.
//!
//! The driver cannot open a database without writing to it. Where a process was killed, or an end is
//! torn, it cuts off what it cannot read, and removes what was unfinished. So whoever must leave the
//! files as they are looks at a copy. A second name for a file is no copy, as the driver writes in
//! place.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::directory::{Directory, sync_directory};
use super::open::refuse;
use super::{OpenError, await_release};

/// What the driver's directory is called in a copy.
const DATABASE: &str = "database";

/// Why nobody could look at a copy of a store. None of the store's files was changed.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// There is no store that could be looked at.
    #[error(transparent)]
    Unopened(#[from] OpenError),
    /// The copy could not be made.
    #[error(
        "{}: the database could not be copied to {}, to be looked at there: {error}",
        directory.display(),
        copy.display()
    )]
    NotCopied {
        /// The directory.
        directory: PathBuf,
        /// Where the copy should have gone.
        copy: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl LookError {
    /// A stable name for logs and scripts.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unopened(cause) => cause.label(),
            Self::NotCopied { .. } => "not_copied",
        }
    }
}

/// A copy of a database, to be opened in its place. It is removed when this is dropped.
///
/// It has no file `store`, and so nothing takes it for a store.
pub(super) struct Glance {
    folder: PathBuf,
}

impl Glance {
    /// Copies the database of a directory into a new folder. What a killed process left under that
    /// name is removed, if it can be nothing else.
    pub(super) fn of(directory: &Directory, folder: &Path) -> Result<Self, LookError> {
        // A driver that was just closed, or killed, may have its file a little longer.
        await_release(&directory.database().join("db"))
            .map_err(|unopened| refuse(directory, unopened))?;
        Self::make(&directory.database(), folder).map_err(|error| LookError::NotCopied {
            directory: directory.path().to_owned(),
            copy: folder.to_owned(),
            error,
        })
    }

    fn make(database: &Path, folder: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(found) if found.is_dir() && holds_only_a_database(folder)? => {
                fs::remove_dir_all(folder)?;
            }
            Ok(_) => {
                let what = "something else is there, which is left alone: move it away";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
            }
        }
        DirBuilder::new().mode(0o700).create(folder)?;
        let glance = Self {
            folder: folder.to_owned(),
        };
        copy(database, &glance.database(), &|_| Ok(()))?;
        Ok(glance)
    }

    /// Where the copy is.
    pub(super) fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }
}

impl Drop for Glance {
    fn drop(&mut self) {
        // The driver's threads may be about to write; it was closed before.
        let _ = await_release(&self.database().join("db"));
        // What remains is no store, and the next one removes it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Copies all files of a directory to a new one, durably. Until it is whole it has another name, so
/// that nobody takes a part for the whole.
pub(super) fn keep(from: &Path, to: &Path) -> io::Result<()> {
    let partial = partial(to);
    copy(from, &partial, &sync)?;
    fs::rename(&partial, to)?;
    to.parent().map_or(Ok(()), sync_directory)
}

/// What a copy is called until it is whole.
pub(super) fn partial(whole: &Path) -> PathBuf {
    let mut name = whole.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn copy(from: &Path, to: &Path, settle: &impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        // Also what lies elsewhere, behind a link. A socket has nothing that could be copied.
        let kind = fs::metadata(entry.path())?.file_type();
        if kind.is_dir() {
            copy(&entry.path(), &target, settle)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
            settle(&target)?;
        }
    }
    settle(to)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn holds_only_a_database(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_name() != DATABASE {
            return Ok(false);
        }
    }
    Ok(true)
}
