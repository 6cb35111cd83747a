//! From a directory to a store that can be relied on, or to the reason why not.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::committer::{Committer, Job, QUEUE_MAX};
use super::contents::Contents;
use super::directory::{Directory, sync_directory};
use super::inspection::Inspection;
use super::layout;
use super::mark::{self, Keeper};
use super::shared::Shared;
use super::upgrade::{self, Tails};
use super::watchdog::Watchdog;
use super::{Broken, Database, Disk, EmbeddedStore, Fdatasync, OpenError, Unopened, settings};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// How much memory the database may use for records that were read or written, in bytes. It
    /// takes about as much again for itself.
    pub cache_bytes: u64,
    /// The largest database, in bytes on the disk, that is read whole before it is opened. A larger
    /// one is read whole in the background, once it is open.
    pub whole_bytes_max: u64,
    /// How written data becomes durable.
    pub disk: Arc<dyn Disk>,
    /// How long a group of commits may take. One that takes longer ends the store: its disk, or its
    /// driver, does not come back.
    pub stuck_max: Duration,
}

impl Default for Options {
    /// A cache of 128 MiB: some hundred thousand records, on the smallest machine one would use.
    /// Databases of up to 64 MiB are read whole: that takes a fraction of a second, and most stay
    /// below it. A group may take 30 s: a working disk's slowest write takes a few, and the system
    /// gives a broken one that long before it reports an error.
    fn default() -> Self {
        Self {
            cache_bytes: 128 * 1024 * 1024,
            whole_bytes_max: 64 * 1024 * 1024,
            disk: Arc::new(Fdatasync),
            stuck_max: Duration::from_secs(30),
        }
    }
}

impl EmbeddedStore {
    /// Opens the store in `directory`; makes one where there is no such directory, or an empty one.
    ///
    /// Everything in it is read once: at once if it is small, so that damage is an error here, and
    /// else by a thread of its own after the start, a little at a time: damage then ends the store
    /// ([`Health::Failed`](crate::Health::Failed)), as it does when a call meets it.
    ///
    /// It blocks while the driver recovers, which takes as long as reading what was written since
    /// the last start: about a second for a million records.
    ///
    /// # Errors
    /// Why the directory was refused. Another try meets the same; but where the database was opened,
    /// its driver has rewritten its files by then: it cuts off an end that it cannot read, and
    /// removes what a killed process had not finished. Whoever must keep the files as they were
    /// copies the directory first; [`recover::diagnose`](super::recover::diagnose) and
    /// [`verify_copy`](super::verify_copy) change nothing.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let mut directory = Directory::claim(directory.as_ref())?;
        let marked = marked(&directory)?;
        directory
            .create_database()
            .map_err(|error| unreadable(&directory, error))?;
        let database = Database::open(&directory.database(), options.cache_bytes);
        let database = database.map_err(|unopened| refuse(&directory, unopened))?;
        let bytes = database
            .bytes()
            .map_err(|error| unreadable(&directory, error))?;
        let contents = if bytes <= options.whole_bytes_max {
            Contents::whole(&database)
        } else {
            Contents::by_ends(&database, marked)
        };
        let contents = contents.map_err(|broken| damaged(&directory, broken))?;
        if contents.commits < marked {
            return Err(OpenError::LostTail {
                directory: directory.path().to_owned(),
                found: contents.commits,
                mark: marked,
            });
        }
        let upgraded = directory
            .upgrade()
            .map_err(|error| unreadable(&directory, error))?;
        if upgraded {
            tracing::info!("the store was written by an earlier release, which cannot open it now");
        }
        let tails = upgrade::tails(&database, &contents.heads, &*options.disk)
            .map_err(|broken| damaged(&directory, broken))?;
        // Before anything is built on it: the mark follows this number, and the next start is to
        // find it.
        database
            .set(layout::COUNTER, layout::encode_counter(contents.commits))
            .map_err(|broken| damaged(&directory, broken))?;
        // What a killed process left in the operating system's hands is about to be read and
        // relied on.
        let settled = sync_files(&directory).map(|()| database.settle(&*options.disk));
        settled
            .map_err(|error| unreadable(&directory, error))?
            .map_err(|Broken(why)| unreadable(&directory, io::Error::other(why)))?;
        start(directory, database, &contents, tails, marked, options)
    }
}

fn marked(directory: &Directory) -> Result<u64, OpenError> {
    let mark = directory.mark();
    match mark::read(&mark) {
        Ok(Some(marked)) => Ok(marked),
        // The mark is made before the database: there is none yet.
        Ok(None) if !directory.database().exists() => mark::write(&mark, 0)
            .map(|()| 0)
            .map_err(|error| unreadable(directory, error)),
        Ok(None) => Err(no_mark(directory, "is missing")),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(no_mark(directory, "cannot be understood"))
        }
        Err(error) => Err(unreadable(directory, error)),
    }
}

fn sync_files(directory: &Directory) -> io::Result<()> {
    let database = directory.database();
    File::open(settings(&database))?.sync_all()?;
    sync_directory(&database)
}

fn start(
    directory: Directory,
    database: Database,
    contents: &Contents,
    tails: Tails,
    marked: u64,
    Options {
        disk, stuck_max, ..
    }: Options,
) -> Result<EmbeddedStore, OpenError> {
    let path = directory.path().to_owned();
    let database = Arc::new(database);
    let shared = Arc::new(Shared::new(Arc::clone(&database), contents));
    let commits = contents.commits;
    let (sender, jobs) = mpsc::channel::<Job>(QUEUE_MAX);
    let failing = Arc::clone(&shared);
    let keeper = Keeper::start(
        directory.mark(),
        marked,
        shared.follow_durable(),
        move |error| {
            failing.fail(&format!("the mark could not be written: {error}"));
        },
    );
    let started = keeper.and_then(|keeper| {
        let inspection = if contents.whole {
            None
        } else {
            Some(Inspection::start(Arc::clone(&shared))?)
        };
        let watchdog = Watchdog::start(Arc::clone(&shared), stuck_max)?;
        let shared = Arc::clone(&shared);
        let committer = Committer {
            jobs,
            database,
            disk,
            shared,
            commits,
            tails,
            keeper,
            inspection,
            watchdog,
            opened_at: commits,
            directory,
        };
        thread::Builder::new()
            .name("store-commit".to_owned())
            .spawn(move || committer.run())
    });
    match started {
        Ok(thread) => Ok(EmbeddedStore {
            shared,
            jobs: Some(sender),
            thread: Mutex::new(Some(thread)),
        }),
        Err(error) => Err(OpenError::Unreadable {
            directory: path,
            error,
        }),
    }
}

pub(super) fn refuse(directory: &Directory, unopened: Unopened) -> OpenError {
    match unopened {
        Unopened::Locked => OpenError::Locked {
            directory: directory.path().to_owned(),
        },
        Unopened::System(error) => unreadable(directory, error),
        Unopened::Broken(broken) => damaged(directory, broken),
    }
}

pub(super) fn unreadable(directory: &Directory, error: io::Error) -> OpenError {
    OpenError::Unreadable {
        directory: directory.path().to_owned(),
        error,
    }
}

fn no_mark(directory: &Directory, what: &'static str) -> OpenError {
    OpenError::NoMark {
        directory: directory.path().to_owned(),
        what,
    }
}

fn damaged(directory: &Directory, Broken(why): Broken) -> OpenError {
    OpenError::Damaged {
        directory: directory.path().to_owned(),
        why,
    }
}
