//! The one thread that writes: takes what has come, applies it, makes it durable, answers.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::apply::Writer;
use super::backup::{Tap, Taps};
use super::directory::Directory;
use super::inspection::Inspection;
use super::mark::Keeper;
use super::shared::Shared;
use super::upgrade::Tails;
use super::watchdog::Watchdog;
use super::{Broken, Database, Disk};
use crate::{Change, Commit, Health, Log, StoreError, Swept, Trimmed};

/// The most jobs that share a sync. More would save nothing, and make the first of them wait.
pub(super) const GROUP_MAX: usize = 1024;

/// The most jobs that wait. Who comes later waits to be let in, holding no memory here.
pub(super) const QUEUE_MAX: usize = 4096;

/// A store that took fewer commits opens fast anyhow: it is some ten MiB to read.
const INDEX_COMMITS_MIN: u64 = 10_000;

/// No record is read then.
const INDEX_CACHE_BYTES: u64 = 1024 * 1024;

/// How long a read that is under way at the end may take: they are milliseconds.
const READERS_LEAVE_SECS_MAX: Duration = Duration::from_secs(5);

pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something for the committer to do.
pub(super) enum Job {
    Commit {
        change: Change,
        answer: Answer<Commit>,
    },
    Sweep {
        now_millis: u64,
        max: usize,
        answer: Answer<Swept>,
    },
    Trim {
        log: Log,
        below: u64,
        max: usize,
        answer: Answer<Trimmed>,
    },
    /// Every edit from here on is told to a backup.
    Backup {
        tap: Tap,
        answer: Answer<()>,
    },
    /// To this backup none, from here on.
    EndBackup(u64),
    Close,
}

pub(super) struct Committer {
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) database: Arc<Database>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) shared: Arc<Shared>,
    pub(super) commits: u64,
    pub(super) tails: Tails,
    pub(super) keeper: Keeper,
    /// While there may be something left to read.
    pub(super) inspection: Option<Inspection>,
    pub(super) watchdog: Watchdog,
    /// The number of the last commit when it was opened.
    pub(super) opened_at: u64,
    /// Held, and so locked, until the database is let go.
    pub(super) directory: Directory,
}

impl Committer {
    /// Works until the store is closed, dropped, or failed, and then lets go of everything.
    pub(super) fn run(mut self) {
        let mut group = Group::default();
        // A panic here would be a mistake of ours; callers must not wait for ever because of it.
        let served = catch_unwind(AssertUnwindSafe(|| self.serve(&mut group)));
        match served.unwrap_or_else(|_| Err(Broken::new("the committer panicked"))) {
            Ok(()) => {}
            Err(Broken(reason)) => self.shared.fail(&reason),
        }
        // An answer that goes down unsent tells its caller that the outcome is unknown; by now the
        // caller also finds the reason.
        drop(group);
        self.refuse_the_rest();
        self.release();
    }

    fn serve(&mut self, group: &mut Group) -> Result<(), Broken> {
        let tails = std::mem::take(&mut self.tails);
        let mut writer = Writer::new(&self.database, self.commits, tails);
        while let Some(job) = self.jobs.blocking_recv() {
            // The store may have failed elsewhere: a damaged page, or the mark. This job was then
            // not begun.
            if self.shared.refusal().is_some() {
                refuse(job, &self.shared);
                return Ok(());
            }
            self.shared.busy();
            let before = writer.commits();
            if !group.taps.is_empty() {
                writer.tell();
            }
            let mut next = Some(job);
            while let Some(job) = next {
                if group.take(job, &mut writer, &self.shared)? {
                    self.jobs.close();
                }
                next = if group.len() < GROUP_MAX {
                    self.jobs.try_recv().ok()
                } else {
                    None
                };
            }
            if writer.commits() > before {
                writer.apply()?;
                self.database.settle(&*self.disk)?;
                self.shared.durable(writer.commits(), &group.logs);
            }
            group.taps.pass(writer.told(), writer.commits());
            group.answer();
            self.shared.idle();
        }
        Ok(())
    }

    fn refuse_the_rest(&mut self) {
        self.jobs.close();
        while let Some(job) = self.jobs.blocking_recv() {
            refuse(job, &self.shared);
        }
    }

    fn release(self) {
        let clean = self.shared.refusal().is_none();
        if clean {
            // Putting a large database in order takes as long as it takes.
            self.shared.idle();
        } else {
            self.shared.busy();
        }
        if let Err(error) = self.keeper.finish() {
            self.shared
                .fail(&format!("the mark could not be written: {error}"));
        }
        self.shared.end(Health::Closed);
        if let Some(inspection) = self.inspection {
            inspection.finish();
        }
        drop(self.shared.retire());
        let begun = Instant::now();
        let mut database = self.database;
        loop {
            match Arc::try_unwrap(database) {
                Ok(database) => {
                    database.release();
                    if clean
                        && *self.shared.follow_durable().borrow()
                            >= self.opened_at + INDEX_COMMITS_MIN
                    {
                        index(&self.directory);
                    }
                    break;
                }
                Err(_) if begun.elapsed() > READERS_LEAVE_SECS_MAX => break,
                Err(shared) => database = shared,
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.watchdog.finish();
        drop(self.directory);
        self.shared.released.send_replace(true);
    }
}

/// Jobs that are applied, and wait for the disk. A conflict waits with them: what it lost to may
/// be one of them, and a reader of the conflict must find it.
#[derive(Default)]
struct Group {
    commits: Vec<(Answer<Commit>, Commit)>,
    sweeps: Vec<(Answer<Swept>, Swept)>,
    trims: Vec<(Answer<Trimmed>, Trimmed)>,
    backups: Vec<Answer<()>>,
    /// They outlast the group.
    taps: Taps,
    /// The logs that were appended to, with their last number.
    logs: HashMap<Box<str>, u64>,
}

impl Group {
    fn len(&self) -> usize {
        self.commits.len() + self.sweeps.len() + self.trims.len()
    }

    /// Applies a job. Returns whether it was the wish to end.
    fn take(&mut self, job: Job, writer: &mut Writer<'_>, shared: &Shared) -> Result<bool, Broken> {
        // Before the answer goes down unsent: its caller looks for the reason.
        let fail = |broken: &Broken| shared.fail(&broken.0);
        match job {
            Job::Commit { change, answer } => {
                let commit = writer.commit(&change, |commit| shared.removing(commit));
                let commit = commit.inspect_err(fail)?;
                if let Commit::Done(done) = &commit {
                    for (append, &number) in change.appends.iter().zip(&done.numbers) {
                        self.logs.insert(append.log.name().into(), number);
                    }
                }
                self.commits.push((answer, commit));
            }
            Job::Sweep {
                now_millis,
                max,
                answer,
            } => {
                let swept = writer.sweep(now_millis, max, |commit| shared.removing(commit));
                let swept = swept.inspect_err(fail)?;
                self.sweeps.push((answer, swept));
            }
            Job::Trim {
                log,
                below,
                max,
                answer,
            } => {
                let trimmed = writer.trim(log, below, max, |commit| shared.removing(commit));
                let trimmed = trimmed.inspect_err(fail)?;
                self.trims.push((answer, trimmed));
            }
            Job::Backup { tap, answer } => {
                self.taps.add(tap);
                self.backups.push(answer);
                // What was gathered before is told too, which does no harm.
                writer.tell();
            }
            Job::EndBackup(number) => self.taps.end(number),
            Job::Close => return Ok(true),
        }
        Ok(false)
    }

    fn answer(&mut self) {
        // A caller that went away does not read its answer.
        for (answer, commit) in self.commits.drain(..) {
            let _ = answer.send(Ok(commit));
        }
        for (answer, swept) in self.sweeps.drain(..) {
            let _ = answer.send(Ok(swept));
        }
        for (answer, trimmed) in self.trims.drain(..) {
            let _ = answer.send(Ok(trimmed));
        }
        for answer in self.backups.drain(..) {
            let _ = answer.send(Ok(()));
        }
        self.logs.clear();
    }
}

/// Opens the database once more. The driver writes down where everything lies only when it opens,
/// and for that reads what was written since it last did: better now than when somebody waits for
/// the start.
fn index(directory: &Directory) {
    match Database::open(&directory.database(), INDEX_CACHE_BYTES) {
        Ok(database) => database.release(),
        // All is on the disk, and the next start tells what is wrong with it.
        Err(_) => tracing::warn!("the closed store could not be prepared for its next start"),
    }
}

fn refuse(job: Job, shared: &Shared) {
    let refusal = shared.refusal().unwrap_or(StoreError::Closed);
    match job {
        Job::Commit { answer, .. } => drop(answer.send(Err(refusal))),
        Job::Sweep { answer, .. } => drop(answer.send(Err(refusal))),
        Job::Trim { answer, .. } => drop(answer.send(Err(refusal))),
        Job::Backup { answer, .. } => drop(answer.send(Err(refusal))),
        Job::EndBackup(_) | Job::Close => {}
    }
}
