//! From a directory to a store that can be relied on, or to the reason why not.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::committer::{Committer, Job, QUEUE_MAX};
use super::directory::{Directory, sync_directory};
use super::layout::Item;
use super::mark::{self, Keeper};
use super::shared::Shared;
use super::{Broken, Database, Disk, EmbeddedStore, Fdatasync, OpenError, Unopened, settings};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// How much memory the database may use for records that were read or written, in bytes. It
    /// takes about as much again for itself.
    pub cache_bytes: u64,
    /// How written data becomes durable.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    /// 128 MiB: some hundred thousand records, on the smallest machine one would use.
    fn default() -> Self {
        Self {
            cache_bytes: 128 * 1024 * 1024,
            disk: Arc::new(Fdatasync),
        }
    }
}

impl EmbeddedStore {
    /// Opens the store in `directory`; makes one where there is no such directory, or an empty one.
    ///
    /// It reads every record once, and so finds damage now and not in the middle of a call. It
    /// blocks for as long: about a second for a few hundred thousand records.
    ///
    /// # Errors
    /// Why the directory was refused; nothing was changed then that would matter to another try.
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let directory = Directory::claim(directory.as_ref())?;
        let marked = marked(&directory)?;
        directory
            .create_database()
            .map_err(|error| unreadable(&directory, error))?;
        let database = Database::open(&directory.database(), options.cache_bytes);
        let database = database.map_err(|unopened| refuse(&directory, unopened))?;
        let contents = Contents::of(&database).map_err(|broken| damaged(&directory, broken))?;
        if contents.commits < marked {
            return Err(OpenError::LostTail {
                directory: directory.path().to_owned(),
                found: contents.commits,
                mark: marked,
            });
        }
        // What a killed process left in the operating system's hands is about to be read and
        // relied on.
        let settled = sync_files(&directory).map(|()| database.settle(&*options.disk));
        settled
            .map_err(|error| unreadable(&directory, error))?
            .map_err(|Broken(why)| unreadable(&directory, io::Error::other(why)))?;
        start(directory, database, contents, marked, options.disk)
    }
}

/// What the first look through a database found.
struct Contents {
    commits: u64,
    heads: HashMap<Box<str>, u64>,
}

impl Contents {
    fn of(database: &Database) -> Result<Self, Broken> {
        let mut found = Self {
            commits: 0,
            heads: HashMap::new(),
        };
        database.walk(|item| match item {
            Item::Counter(commits) => found.commits = found.commits.max(commits),
            Item::Record { record, .. } => {
                // A group that was killed may lie here without its counter.
                found.commits = found.commits.max(record.version.as_u64());
            }
            Item::Entry {
                log,
                version,
                entry,
            } => {
                found.commits = found.commits.max(version.as_u64());
                found.heads.insert(log.into(), entry.number);
            }
            Item::Expiry { .. } => {}
        })?;
        Ok(found)
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
        Ok(None) => Err(damaged(
            directory,
            Broken::new("the file `mark` is missing"),
        )),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(damaged(
            directory,
            Broken::new("the file `mark` cannot be understood"),
        )),
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
    contents: Contents,
    marked: u64,
    disk: Arc<dyn Disk>,
) -> Result<EmbeddedStore, OpenError> {
    let path = directory.path().to_owned();
    let Contents { commits, heads } = contents;
    let database = Arc::new(database);
    let shared = Arc::new(Shared::new(Arc::clone(&database), commits, &heads));
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
        let shared = Arc::clone(&shared);
        let committer = Committer {
            jobs,
            database,
            disk,
            shared,
            commits,
            heads,
            keeper,
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

fn refuse(directory: &Directory, unopened: Unopened) -> OpenError {
    match unopened {
        Unopened::Locked => OpenError::Locked {
            directory: directory.path().to_owned(),
        },
        Unopened::System(error) => unreadable(directory, error),
        Unopened::Broken(broken) => damaged(directory, broken),
    }
}

fn unreadable(directory: &Directory, error: io::Error) -> OpenError {
    OpenError::Unreadable {
        directory: directory.path().to_owned(),
        error,
    }
}

fn damaged(directory: &Directory, Broken(why): Broken) -> OpenError {
    OpenError::Damaged {
        directory: directory.path().to_owned(),
        why,
    }
}
