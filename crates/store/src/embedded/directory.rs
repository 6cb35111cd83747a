//! The directory of a store: whose it is, which format, and that nobody else uses it.
//!
//! ```text
//! store      says that the directory is ours, and its format; locked while the store is open
//! mark       a commit that was acknowledged (mark.rs)
//! database/  the database driver's own files
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::OpenError;

/// The format that this release writes. It covers the files here and `layout.rs`.
pub(super) const FORMAT: u64 = 3;
/// The oldest, the first release's. All from it on are read, and changed to ours: `upgrade.rs`.
const OLDEST_FORMAT: u64 = 1;
/// How long a lock may outlive its holder: a process that the holder was starting just then has it
/// too, until it runs its own program.
const UNLOCK_SECS_MAX: Duration = Duration::from_secs(1);

const MARKER: &str = "store";
const MAGIC: &str = "countersign store, format ";

/// A directory that is ours alone, until this is dropped.
pub(super) struct Directory {
    path: PathBuf,
    /// Holds the lock.
    marker: File,
    format: u64,
}

impl Directory {
    /// Makes the directory where there is none, and claims it.
    pub(super) fn claim(path: &Path) -> Result<Self, OpenError> {
        let refuse = Refuse(path);
        if !path
            .try_exists()
            .map_err(|error| refuse.unreadable(error))?
        {
            create_private(path).map_err(|error| refuse.unreadable(error))?;
        }
        let others = other_files(path).map_err(|error| refuse.unreadable(error))?;
        if others && !path.join(MARKER).is_file() {
            return Err(refuse.not_ours("it holds other files"));
        }
        let marker = open_private(&path.join(MARKER)).map_err(|error| refuse.unreadable(error))?;
        lock(&marker, &refuse)?;
        let format = check_marker(&marker, others, &refuse)?;
        sync_directory(path).map_err(|error| refuse.unreadable(error))?;
        Ok(Self {
            path: path.to_owned(),
            marker,
            format,
        })
    }

    /// Declares the directory to be of this release's format, before anything of it is written:
    /// an earlier release refuses it from then on. Returns whether it was of an earlier one.
    pub(super) fn upgrade(&mut self) -> io::Result<bool> {
        if self.format == FORMAT {
            return Ok(false);
        }
        // One byte in place: the old text or the new one, whatever happens; and the lock is on
        // this file.
        let digit = FORMAT.to_string();
        self.marker
            .write_all_at(digit.as_bytes(), MAGIC.len() as u64)?;
        self.marker.sync_all()?;
        self.format = FORMAT;
        Ok(true)
    }

    /// Claims one that is a store, and makes nothing.
    pub(super) fn claim_existing(path: &Path) -> Result<Self, OpenError> {
        let refuse = Refuse(path);
        match fs::metadata(path.join(MARKER)) {
            Ok(marker) if marker.is_file() && marker.len() > 0 => Self::claim(path),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refuse.unreadable(error)),
            _ => Err(refuse.not_ours("there is no store in it")),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the mark stands.
    pub(super) fn mark(&self) -> PathBuf {
        self.path.join("mark")
    }

    /// Where the driver keeps its files.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join("database")
    }

    /// Makes the driver's directory; it does nothing where there is one.
    pub(super) fn create_database(&self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(self.database()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => sync_directory(&self.path),
        }
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Says that a directory is a store, once all else that makes one is there. It must not say so yet.
pub(super) fn declare(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut marker = options.open(path.join(MARKER))?;
    marker.write_all(format!("{MAGIC}{FORMAT}\n").as_bytes())?;
    marker.sync_all()?;
    sync_directory(path)?;
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or_else(|| sync_directory(Path::new(".")), sync_directory)
}

struct Refuse<'a>(&'a Path);

impl Refuse<'_> {
    fn directory(&self) -> PathBuf {
        self.0.to_owned()
    }

    fn locked(&self) -> OpenError {
        OpenError::Locked {
            directory: self.directory(),
        }
    }

    fn not_ours(&self, why: &'static str) -> OpenError {
        OpenError::NotOurs {
            directory: self.directory(),
            why,
        }
    }

    fn unreadable(&self, error: io::Error) -> OpenError {
        OpenError::Unreadable {
            directory: self.directory(),
            error,
        }
    }
}

fn lock(marker: &File, refuse: &Refuse<'_>) -> Result<(), OpenError> {
    let begun = Instant::now();
    loop {
        match marker.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(refuse.unreadable(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < UNLOCK_SECS_MAX => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(refuse.locked()),
        }
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    // Nobody else has a reason to look in, and what lies in it must not depend on the umask.
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn other_files(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        // A file system's own directory does not make it somebody's.
        if name != MARKER && name != "lost+found" {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_marker(mut marker: &File, others: bool, refuse: &Refuse<'_>) -> Result<u64, OpenError> {
    let mut text = Vec::new();
    let read = marker.take(256).read_to_end(&mut text);
    read.map_err(|error| refuse.unreadable(error))?;
    if text.is_empty() && !others {
        let written = marker.write_all(format!("{MAGIC}{FORMAT}\n").as_bytes());
        return written
            .and_then(|()| marker.sync_all())
            .map(|()| FORMAT)
            .map_err(|error| refuse.unreadable(error));
    }
    let found = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.strip_prefix(MAGIC)?.trim_end().parse::<u64>().ok())
        .ok_or_else(|| refuse.not_ours("the file `store` in it is not one of ours"))?;
    match found {
        OLDEST_FORMAT..=FORMAT => Ok(found),
        found if found > FORMAT => Err(OpenError::Newer {
            directory: refuse.directory(),
            found,
            known: FORMAT,
        }),
        _ => Err(refuse.not_ours("the file `store` names a format that never was")),
    }
}
