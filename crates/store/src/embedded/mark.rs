//! The high-water mark: a commit that was acknowledged, written down beside the database.
//!
//! A file whose end is cut off loses commits without a word: the database opens at an earlier
//! state. A database behind its mark is noticed. The mark is written from time to time, so a loss
//! within the last moments before a crash can go unnoticed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::directory::sync_directory;

const MAGIC: &str = "countersign mark, commit ";

/// How often the mark is written while there are commits: at least every second is promised.
const EVERY: Duration = Duration::from_millis(500);

/// Reads a mark; none where there is no file.
pub(super) fn read(path: &Path) -> io::Result<Option<u64>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    match parse(&text) {
        Some(commit) => Ok(Some(commit)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "not a mark")),
    }
}

/// The commit that a mark names; none where it is not a mark.
pub(super) fn parse(text: &str) -> Option<u64> {
    text.strip_prefix(MAGIC)?.strip_suffix('\n')?.parse().ok()
}

/// Replaces the mark: whatever happens, there is the old one or the new one.
pub(super) fn write(path: &Path, commit: u64) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(format!("{MAGIC}{commit}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// The thread that moves the mark along.
pub(super) struct Keeper {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Keeper {
    /// Starts to write down what `durable` says, from `marked` on. A mark that cannot be written
    /// is told to `failed`: commits without a mark would be a promise that is not kept.
    pub(super) fn start(
        path: PathBuf,
        marked: u64,
        durable: watch::Receiver<u64>,
        failed: impl FnOnce(&io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-mark".to_owned())
            .spawn(move || keep(&path, marked, &durable, &stopped).inspect_err(failed))?;
        Ok(Self { stop, thread })
    }

    /// Writes the last mark, and ends.
    pub(super) fn finish(self) -> io::Result<()> {
        drop(self.stop);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the mark's thread ended")))
    }
}

fn keep(
    path: &Path,
    mut marked: u64,
    durable: &watch::Receiver<u64>,
    stopped: &mpsc::Receiver<()>,
) -> io::Result<()> {
    loop {
        let last = stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
        let commit = *durable.borrow();
        if commit != marked {
            write(path, commit)?;
            marked = commit;
        }
        if last {
            return Ok(());
        }
    }
}
