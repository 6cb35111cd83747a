//! The store in a directory, on sled. This file is the only one that names the driver; why sled,
//! and why like this, is in `docs/adr/0002-sled-behind-laws.md`.
//!
//! - One thread commits, in groups: it checks and applies what has come, flushes once, syncs once,
//!   and then answers all of it. So commits are serial, and a commit costs a share of a sync.
//! - Reads run where they are called: one record is about 10 µs when it is not in the cache, less
//!   than handing it to another thread would be. Long scans are handed to one.
//! - A panic inside the driver is an error, and the end of the store.

mod apply;
mod backup;
mod committer;
mod contents;
mod copies;
mod directory;
mod disk;
mod examine;
mod inspection;
mod layout;
mod mark;
mod open;
mod open_error;
mod quiet;
pub mod recover;
mod restore;
mod seal;
mod shared;
mod stats;
mod store;
mod upgrade;
mod verify;
mod watchdog;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub use self::backup::fuzz;
pub use self::backup::{Backup, BackupError};
pub use self::copies::LookError;
pub use self::disk::{Disk, Fdatasync};
pub use self::examine::{Finding, LogReport, Report, Verified};
pub use self::open::Options;
pub use self::open_error::OpenError;
pub use self::restore::{RestoreError, Restored, restore, verify_backup};
pub use self::stats::{Counts, Stats};
pub use self::store::EmbeddedStore;
pub use self::verify::{verify, verify_copy};

use self::layout::Item;

/// How the driver's own threads are named.
const WORKER_THREADS: &str = "sled-";

/// The driver puts a page of more than a quarter of a segment into a file of its own, which no sync
/// of the database reaches. A page splits above 16 records, and a record has at most 72 KiB: with
/// this size a page stays inside, also while it waits to be split.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;

/// A closed database's threads can hold its file a little longer. Nobody else can have it: the
/// directory is locked by then.
const RELEASE_SECS_MAX: Duration = Duration::from_secs(5);

/// The ordered map under the store.
struct Database {
    tree: sled::Db,
    /// Our own handle to the driver's file: it flushes with `sync_file_range`, which leaves the
    /// data in the disk's cache, so we sync ourselves.
    file: File,
}

/// The database cannot be relied on any more. The text is for the operator, and holds nothing of a
/// record.
#[derive(Clone, Debug)]
struct Broken(String);

/// Why there is no [`Database`].
enum Unopened {
    Locked,
    System(io::Error),
    Broken(Broken),
}

/// What to leave under some keys; nothing removes one.
type Edits = Vec<(Vec<u8>, Option<Vec<u8>>)>;

impl Database {
    fn open(path: &Path, cache_bytes: u64) -> Result<Self, Unopened> {
        await_release(&path.join("db"))?;
        remove_unfinished(path).map_err(Unopened::System)?;
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes)
            .segment_size(SEGMENT_BYTES)
            // The committer alone flushes.
            .flush_every_ms(None);
        let mut system = None;
        let tree = quiet::catch(|| {
            config.open().map_err(|error| match error {
                sled::Error::Io(error) if error.raw_os_error().is_some() => {
                    system = Some(error);
                    Broken::new("the operating system refused")
                }
                error => broken(&error),
            })
        });
        let tree =
            tree.map_err(|broken| system.map_or(Unopened::Broken(broken), Unopened::System))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path.join("db"));
        Ok(Self {
            tree,
            file: file.map_err(Unopened::System)?,
        })
    }

    /// The value under a key, as `decode` reads it.
    fn read<T>(
        &self,
        key: &[u8],
        decode: impl FnOnce(&[u8], &[u8]) -> Result<T, Broken>,
    ) -> Result<Option<T>, Broken> {
        let value = quiet::catch(|| self.tree.get(key).map_err(|error| broken(&error)))?;
        value.map(|value| decode(key, &value)).transpose()
    }

    /// Up to `limit` items, at least one, from `from` on, before `until`, in the order of their keys.
    fn range(
        &self,
        from: Bound<Vec<u8>>,
        until: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<Item>, Broken> {
        let mut items = Vec::new();
        self.items(from, until, |_, item| {
            items.push(item);
            Ok(items.len() < limit)
        })?;
        Ok(items)
    }

    /// Shows the items from `from` on, before `until`, with their keys, at least one, as long as
    /// `visit` wants more.
    fn items(
        &self,
        from: Bound<Vec<u8>>,
        until: Vec<u8>,
        mut visit: impl FnMut(&[u8], Item) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        quiet::catch(|| {
            for pair in self.tree.range((from, Bound::Excluded(until))) {
                let (key, value) = pair.map_err(|error| broken(&error))?;
                if !visit(&key, Item::decode(&key, &value)?)? {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The last item from `from` on, before `until`.
    fn last(&self, from: Vec<u8>, until: Vec<u8>) -> Result<Option<Item>, Broken> {
        quiet::catch(|| {
            self.tree
                .range(from..until)
                .next_back()
                .map(item)
                .transpose()
        })
    }

    /// Shows up to `limit` keys and values from `from` on, whatever they are, until `visit` fails.
    /// Returns the last key, if there may be more.
    fn visit(
        &self,
        from: Bound<Vec<u8>>,
        limit: usize,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Broken>,
    ) -> Result<Option<Vec<u8>>, Broken> {
        quiet::catch(|| {
            let mut last = None;
            let mut read = 0;
            for pair in self.tree.range((from, Bound::Unbounded)).take(limit) {
                let (key, value) = pair.map_err(|error| broken(&error))?;
                visit(&key, &value)?;
                last = Some(key);
                read += 1;
            }
            Ok(last.filter(|_| read == limit).map(|key| key.to_vec()))
        })
    }

    /// How much there is on the disk, at least.
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Every item there is.
    fn walk(&self, mut visit: impl FnMut(Item)) -> Result<(), Broken> {
        quiet::catch(|| {
            self.tree
                .iter()
                .try_for_each(|pair| item(pair).map(&mut visit))
        })
    }

    /// Makes edits that are recovered together or not at all.
    fn apply(&self, edits: Edits) -> Result<(), Broken> {
        let mut batch = sled::Batch::default();
        for (key, value) in edits {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        quiet::catch(|| self.tree.apply_batch(batch).map_err(|error| broken(&error)))
    }

    /// Edits one key.
    fn set(&self, key: &[u8], value: Vec<u8>) -> Result<(), Broken> {
        quiet::catch(|| {
            self.tree
                .insert(key, value)
                .map(drop)
                .map_err(|error| broken(&error))
        })
    }

    /// Makes all edits durable.
    fn settle(&self, disk: &dyn Disk) -> Result<(), Broken> {
        let mut flush = || match quiet::catch(|| self.tree.flush().map_err(|error| broken(&error)))
        {
            Ok(_) => Ok(()),
            Err(Broken(why)) => Err(io::Error::other(why)),
        };
        disk.flush(&mut flush)
            .map_err(|error| Broken(format!("flushing failed: {error}")))?;
        disk.sync(&self.file)
            .map_err(|error| Broken(format!("syncing failed: {error}")))
    }

    /// Lets go of the file.
    fn release(self) {
        // A damaged database may panic once more on its way out; it was reported before.
        let _ = quiet::catch(|| {
            drop(self);
            Ok(())
        });
    }
}

impl Broken {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// The files of the driver that it writes once and never syncs.
fn settings(database: &Path) -> PathBuf {
    database.join("conf")
}

fn item(pair: sled::Result<(sled::IVec, sled::IVec)>) -> Result<Item, Broken> {
    let (key, value) = pair.map_err(|error| broken(&error))?;
    Item::decode(&key, &value)
}

/// The driver's error, without what it may quote of the data.
fn broken(error: &sled::Error) -> Broken {
    match error {
        sled::Error::Io(error) => Broken(format!("reading or writing failed: {error}")),
        sled::Error::Corruption { .. } => Broken::new("a checksum does not match"),
        sled::Error::Unsupported(_) => Broken::new("its settings are not ours"),
        sled::Error::CollectionNotFound(_) | sled::Error::ReportableBug(_) => {
            Broken::new("the driver met a state that it does not know")
        }
    }
}

/// Removes what the driver was writing in a process that was killed, and would take for damage now.
/// Nothing is lost: its settings come before its first record, and of its snapshots, one of which
/// it makes at each opening, an older one is removed only after the newer has its name.
fn remove_unfinished(database: &Path) -> io::Result<()> {
    let names = match fs::read_dir(database) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names?,
    };
    let is_new = !database.join("db").try_exists()?;
    for entry in names {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_snapshot = name.starts_with("snap.") && name.ends_with(".generating");
        if is_snapshot || is_new && entry.path() == settings(database) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn await_release(file: &Path) -> Result<(), Unopened> {
    let file = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(Unopened::System)?,
    };
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(Unopened::System(error)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < RELEASE_SECS_MAX => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(Unopened::Locked),
        }
    }
}
