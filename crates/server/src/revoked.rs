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
use countersign_store::{Store, StoreError};
use futures_util::Stream;
use parking_lot::RwLock;
use tokio::sync::watch;

pub(crate) use self::follow::follow;
pub(crate) use self::source::InProcess;
use crate::record::{Damaged, REVOCATIONS};

/// How often a watcher hears something. Three times of that without a word, and it knows that the
/// connection is dead; 10,000 watchers cost one or two hundredths of a core.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);

/// Those that could matter for longer than that after they came, of keys whose key set may be kept
/// for a day, are put aside when all before them are over: nothing that came after them is kept for
/// their sake.
const LASTING: Duration = Duration::from_secs(3600);

/// How many of those: an operator asked for each.
const LASTING_MAX: usize = 1_000;

/// What was revoked and could still matter.
pub(crate) struct Revoked {
    epoch: Epoch,
    /// Where they are written.
    store: Arc<dyn Store>,
    kept: RwLock<Kept>,
    /// The number of the last revocation.
    last: watch::Sender<u64>,
    /// Nobody follows the log any more: nothing more can be told.
    ended: AtomicBool,
}

#[derive(Default)]
struct Kept {
    /// Of those up to `forgotten`, the ones that could still matter, with their numbers.
    lasting: Vec<(u64, Revocation)>,
    /// The number of the last one before `revocations`.
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
    /// Nothing yet of what `store` has.
    pub(crate) fn new(epoch: Epoch, store: Arc<dyn Store>) -> Self {
        Self {
            epoch,
            store,
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
            return Ok(self.cursor(0));
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
        let lasting = kept.lasting.iter();
        let lasting = lasting.filter(|(number, _)| *number > cursor.told).cloned();
        let told = cursor.told.clamp(kept.forgotten, kept.last());
        let passed = usize::try_from(told - kept.forgotten).unwrap_or(usize::MAX);
        let later = (told + 1..).zip(kept.revocations.iter().skip(passed).cloned());
        let revocations: Vec<_> = lasting.chain(later).take(max).collect();
        let told = match revocations.last() {
            Some((number, _)) if revocations.len() == max => *number,
            _ => kept.last(),
        };
        Page {
            revocations,
            cursor: self.cursor(told),
            complete: told == kept.last(),
        }
    }

    /// The number of the last one that is written. The log is read a moment later: until then
    /// nobody is told that all was told.
    async fn written(&self) -> Result<u64, StoreError> {
        self.store.last_number(REVOCATIONS).await
    }

    /// Is told the number of the last revocation, whenever there is a new one.
    fn news(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Those whose tokens are all dead by then go, as far as no other is before them that does not
    /// [last](LASTING).
    pub(crate) fn forget(&self, until: UnixTime) {
        let mut kept = self.kept.write();
        kept.lasting.retain(|(_, one)| one.forget_at > until);
        while let Some(first) = kept.revocations.front() {
            if first.forget_at > until {
                let lasts = first.forget_at > first.at.plus(LASTING);
                // At the end it holds up nothing.
                let holds_up = lasts && kept.revocations.len() > 1;
                if !holds_up || kept.lasting.len() >= LASTING_MAX {
                    break;
                }
            }
            kept.pass(until);
        }
    }

    /// How many are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        let kept = self.kept.read();
        kept.lasting.len() + kept.revocations.len()
    }

    /// The next one, by its number; of the first, the number may be any.
    ///
    /// # Errors
    /// [`Damaged`] where one is missing before it: cursors count them.
    fn add(&self, number: u64, revocation: Revocation) -> Result<(), Damaged> {
        let mut kept = self.kept.write();
        if kept.revocations.is_empty() {
            kept.forgotten = number.saturating_sub(1);
        }
        if number != kept.last() + 1 {
            return Err(Damaged);
        }
        kept.revocations.push_back(revocation);
        drop(kept);
        self.last.send_replace(number);
        Ok(())
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

    /// The first one goes, or is put aside.
    fn pass(&mut self, until: UnixTime) {
        let Some(first) = self.revocations.pop_front() else {
            return;
        };
        self.forgotten += 1;
        if first.forget_at > until {
            self.lasting.push((self.forgotten, first));
        }
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
