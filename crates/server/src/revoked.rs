//! What was revoked and could still matter, in memory: for those who watch, of whom there may be
//! many, and who may all begin anew at once.
//!
//! It follows the log of revocations, so nobody learns of one that a crash could still undo.

mod follow;
mod pages;
mod source;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use countersign_issuer::Revocation;
use countersign_issuer::model::Epoch;
use countersign_jose::UnixTime;
use futures_util::Stream;
use parking_lot::RwLock;
use tokio::sync::watch;

pub(crate) use self::follow::follow;
pub(crate) use self::source::InProcess;

/// How often a watcher hears something. Three times of that without a word, and it knows that the
/// connection is dead; 10,000 watchers cost one or two hundredths of a core.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);

/// What was revoked and could still matter.
pub(crate) struct Revoked {
    epoch: Epoch,
    kept: RwLock<Kept>,
    /// The number of the last revocation.
    last: watch::Sender<u64>,
    /// Nobody follows the log any more: nothing more can be told.
    ended: AtomicBool,
}

#[derive(Default)]
struct Kept {
    /// The number of the last one that is not kept any more.
    forgotten: u64,
    /// Those after it, without a gap. An entry takes less than 100 bytes.
    revocations: VecDeque<Revocation>,
}

/// How far a watcher has come. Of another epoch it says nothing: a store that was set back numbers
/// other revocations the same.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cursor {
    epoch: Epoch,
    /// The number of the last revocation that was told.
    pub(crate) told: u64,
}

/// The text is no cursor of this service.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotACursor;

/// What came after the cursor is not kept any more, or not known by these numbers.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct TooOld;

/// Some revocations, in order.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) revocations: Vec<(u64, Revocation)>,
    /// How far one has come with it.
    pub(crate) cursor: Cursor,
    /// There are no more by now.
    pub(crate) complete: bool,
}

impl Revoked {
    /// Nothing yet.
    pub(crate) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            kept: RwLock::default(),
            last: watch::Sender::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// Nobody follows the log any more. Watches end, and a new one is told nothing: whoever
    /// watches must not take silence for peace.
    fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.last.send_modify(|_| ());
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Watches: pages of up to `max` from the cursor on, then what comes, and a page without any
    /// whenever a heartbeat is due.
    ///
    /// # Errors
    /// [`TooOld`].
    pub(crate) fn watch(
        self: &Arc<Self>,
        cursor: Option<Cursor>,
        max: usize,
    ) -> Result<impl Stream<Item = Page> + Send + use<>, TooOld> {
        let begun = self.begin(cursor)?;
        Ok(pages::pages(Arc::clone(self), begun, max))
    }

    /// Where a watch begins: behind what `cursor` says was told, or at the beginning.
    fn begin(&self, cursor: Option<Cursor>) -> Result<Cursor, TooOld> {
        let kept = self.kept.read();
        let Some(cursor) = cursor else {
            return Ok(self.cursor(kept.forgotten));
        };
        let known = kept.forgotten..=kept.last();
        if cursor.epoch == self.epoch && known.contains(&cursor.told) {
            Ok(cursor)
        } else {
            Err(TooOld)
        }
    }

    /// Up to `max` revocations after `cursor`. What was forgotten meanwhile could not matter any
    /// more.
    fn after(&self, cursor: Cursor, max: usize) -> Page {
        let kept = self.kept.read();
        let told = cursor.told.clamp(kept.forgotten, kept.last());
        let passed = usize::try_from(told - kept.forgotten).unwrap_or(usize::MAX);
        let revocations: Vec<_> = (told + 1..)
            .zip(kept.revocations.iter().skip(passed).cloned())
            .take(max)
            .collect();
        let told = revocations.last().map_or(told, |(number, _)| *number);
        Page {
            revocations,
            cursor: self.cursor(told),
            complete: told == kept.last(),
        }
    }

    /// Is told the number of the last revocation, whenever there is a new one.
    fn news(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Those whose tokens are all dead by then go, as far as no other is before them.
    pub(crate) fn forget(&self, until: UnixTime) {
        let mut kept = self.kept.write();
        while kept
            .revocations
            .front()
            .is_some_and(|first| first.forget_at <= until)
        {
            kept.revocations.pop_front();
            kept.forgotten += 1;
        }
    }

    /// How many are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.kept.read().revocations.len()
    }

    /// The next one, by its number; of the first, the number may be any.
    fn add(&self, number: u64, revocation: Revocation) {
        let mut kept = self.kept.write();
        if kept.revocations.is_empty() {
            kept.forgotten = number.saturating_sub(1);
        }
        kept.revocations.push_back(revocation);
        drop(kept);
        self.last.send_replace(number);
    }

    /// Nothing was kept of the log up to this number.
    fn begin_after(&self, number: u64) {
        self.kept.write().forgotten = number;
        self.last.send_replace(number);
    }

    fn cursor(&self, told: u64) -> Cursor {
        Cursor {
            epoch: self.epoch,
            told,
        }
    }
}

impl Kept {
    fn last(&self) -> u64 {
        self.forgotten + self.revocations.len() as u64
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch.number(), self.told)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (epoch, told) = text.split_once('.').ok_or(NotACursor)?;
        let cursor = Self {
            epoch: Epoch::new(epoch.parse().map_err(|_| NotACursor)?),
            told: told.parse().map_err(|_| NotACursor)?,
        };
        // One text for each: `+1` and `01` are numbers, too.
        if cursor.to_string() == text {
            Ok(cursor)
        } else {
            Err(NotACursor)
        }
    }
}
