//! A copy of the store while it serves, of exactly the state after one commit.
//!
//! A thread walks all keys a few at a time, while commits go on: what it reads is from different
//! moments. So the committer tells it every edit from before the walk begins until after it has
//! ended, once the edit is durable, and the backup holds them too, each at the moment when it came.
//! What is read from the database after an edit came is not older than the edit, and so in the end,
//! taken in their order, the frames leave what the last of these commits left.

mod format;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod tap;

use std::ops::Bound;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc::{self, WeakSender};
use tokio::sync::{OwnedSemaphorePermit, mpsc::Sender};

pub(super) use self::format::{BODY_BYTES_MAX, Frame, Totals, Unpacker, Unreadable};
pub(super) use self::tap::{Tap, Taps};

use self::format::Packer;
use self::tap::{Passed, Tapped, WAITING_BYTES_MAX};
use super::EmbeddedStore;
use super::committer::Job;
use super::directory::FORMAT;
use super::shared::Shared;
use crate::StoreError;

/// The most backups at once: one that somebody makes by hand beside one that comes every night.
pub(super) const BACKUPS_MAX: usize = 2;

/// Items read in one go, as the inspection does. A step is followed by a rest of as long, so that a
/// backup takes half a processor, and half the disk, at the most.
const STEP: usize = 64;

/// Chunks that wait for the reader: a quarter of a megabyte.
const CHUNKS_MAX: usize = 8;

/// A backup under way: its bytes, in chunks of at most 32 KiB. Made by [`EmbeddedStore::backup`].
///
/// It is whole if the stream ended without an error; what [`restore`](super::restore) reads says so
/// itself, too, by its last bytes. Dropping it ends it.
pub struct Backup {
    chunks: mpsc::Receiver<Result<Bytes, BackupError>>,
}

impl Stream for Backup {
    type Item = Result<Bytes, BackupError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_recv(cx)
    }
}

/// Why there is no backup, or not all of it. The store is as it was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BackupError {
    /// As many are under way as there may be.
    #[error(
        "{BACKUPS_MAX} backups are under way, and no more may be: try again when one has ended"
    )]
    Busy,
    /// The reader took so long that more commits waited for it than may. They went on without it.
    #[error(
        "the backup was read too slowly: over {} MiB of commits were waiting for it; write it to a \
         faster place, or make it when there are fewer commits",
        WAITING_BYTES_MAX / 1024 / 1024
    )]
    TooSlow,
    /// The store failed, or was closed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    /// A stable name for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::TooSlow => "too_slow",
            Self::Store(error) => error.label(),
        }
    }
}

impl EmbeddedStore {
    /// Begins a backup: a copy of all there is, as it was after one commit that was durable, which
    /// is one between now and its end. Commits and reads go on meanwhile, and never wait for it.
    /// Damage that it meets ends the store, as it does when a call meets it.
    ///
    /// # Errors
    /// [`BackupError::Busy`], [`BackupError::Store`]. What goes wrong later is the stream's last
    /// item.
    pub async fn backup(&self) -> Result<Backup, BackupError> {
        let permit = Arc::clone(&self.shared.backups).try_acquire_owned();
        let permit = permit.map_err(|_| BackupError::Busy)?;
        let number = self.shared.next_backup();
        let (tap, tapped) = tap::tap(number);
        self.ask(|answer| Job::Backup { tap, answer }).await?;
        let Some(jobs) = &self.jobs else {
            return Err(StoreError::Closed.into());
        };
        let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
        let copier = Copier {
            shared: Arc::clone(&self.shared),
            // A store that is dropped ends, though a backup is under way.
            jobs: jobs.downgrade(),
            tapped,
            chunks: sender,
            _permit: permit,
        };
        let started = thread::Builder::new()
            .name("store-backup".to_owned())
            .spawn(move || copier.run());
        started.map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))?;
        Ok(Backup { chunks })
    }
}

struct Copier {
    shared: Arc<Shared>,
    jobs: WeakSender<Job>,
    tapped: Tapped,
    chunks: Sender<Result<Bytes, BackupError>>,
    _permit: OwnedSemaphorePermit,
}

/// Why it stops before its end.
enum Stopped {
    /// Nobody reads it.
    Dropped,
    Failed(BackupError),
}

impl Copier {
    fn run(self) {
        if let Err(Stopped::Failed(error)) = self.copy() {
            let _ = self.chunks.blocking_send(Err(error));
        }
    }

    fn copy(&self) -> Result<(), Stopped> {
        let mut packer = Packer::new(FORMAT);
        let mut from = Some(Bound::Unbounded);
        while let Some(bound) = from.take() {
            while let Some(passed) = self.tapped.next().map_err(|_| self.ended())? {
                self.pack(&mut packer, &passed)?;
            }
            let begun = Instant::now();
            let step = self.shared.copy(bound, STEP, |key, value| {
                packer.item(key, Some(value));
            });
            let last = step.map_err(|error| Stopped::Failed(error.into()))?;
            from = last.map(Bound::Excluded);
            let rest = begun.elapsed();
            self.send_full(&mut packer)?;
            if from.is_some() {
                thread::sleep(rest);
            }
        }
        let jobs = self.jobs.upgrade().ok_or_else(|| self.ended())?;
        let end = Job::EndBackup(self.tapped.number);
        jobs.blocking_send(end).map_err(|_| self.ended())?;
        drop(jobs);
        let commit = loop {
            match self.tapped.wait().map_err(|_| self.ended())? {
                Passed::End(commit) => break commit,
                passed @ Passed::Edits(_) => self.pack(&mut packer, &passed)?,
            }
        };
        packer.finish(commit).try_for_each(|chunk| self.send(chunk))
    }

    fn pack(&self, packer: &mut Packer, passed: &Passed) -> Result<(), Stopped> {
        let Passed::Edits(edits) = passed else {
            return Ok(());
        };
        for (key, value) in edits.iter() {
            packer.item(key, value.as_deref());
            self.send_full(packer)?;
        }
        Ok(())
    }

    fn send_full(&self, packer: &mut Packer) -> Result<(), Stopped> {
        while let Some(chunk) = packer.chunk() {
            self.send(chunk)?;
        }
        Ok(())
    }

    fn send(&self, chunk: Bytes) -> Result<(), Stopped> {
        let sent = self.chunks.blocking_send(Ok(chunk));
        sent.map_err(|_| Stopped::Dropped)
    }

    /// The committer tells no more.
    fn ended(&self) -> Stopped {
        Stopped::Failed(if self.tapped.overflowed() {
            BackupError::TooSlow
        } else {
            self.shared.refusal().unwrap_or(StoreError::Closed).into()
        })
    }
}
