//! What a backup learns from the committer while it copies: every edit, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

use super::super::Edits;

/// The most edits that wait for one backup, in bytes: about a second of commits at their fastest. A
/// reader that leaves more than that behind gets no backup; commits never wait for one.
pub(super) const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What an edit takes besides its bytes.
const EDIT_BYTES: usize = 64;

/// Something that the committer tells.
pub(super) enum Passed {
    /// Edits that are durable now, all that were made since the last ones.
    Edits(Arc<Edits>),
    /// That was all, up to this commit.
    End(u64),
}

/// The committer's end.
pub(in super::super) struct Tap {
    number: u64,
    sender: Sender<Passed>,
    waiting: Arc<Waiting>,
}

/// The backup's end.
pub(super) struct Tapped {
    pub(super) number: u64,
    receiver: Receiver<Passed>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    overflowed: AtomicBool,
}

pub(super) fn tap(number: u64) -> (Tap, Tapped) {
    let (sender, receiver) = mpsc::channel();
    let waiting = Arc::new(Waiting::default());
    let tap = Tap {
        number,
        sender,
        waiting: Arc::clone(&waiting),
    };
    let tapped = Tapped {
        number,
        receiver,
        waiting,
    };
    (tap, tapped)
}

/// The taps that there are, as the committer has them.
#[derive(Default)]
pub(in super::super) struct Taps {
    taps: Vec<Tap>,
    /// Those that wait for their end.
    ending: Vec<u64>,
}

impl Taps {
    pub(in super::super) fn add(&mut self, tap: Tap) {
        self.taps.push(tap);
    }

    /// This one is to end with the group that is under way.
    pub(in super::super) fn end(&mut self, number: u64) {
        self.ending.push(number);
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.taps.is_empty()
    }

    /// Passes on what became durable, up to a commit. It never waits.
    pub(in super::super) fn pass(&mut self, edits: Edits, commit: u64) {
        if !edits.is_empty() {
            let edits = Arc::new(edits);
            self.taps.retain(|tap| tap.pass(&edits));
        }
        for number in self.ending.drain(..) {
            if let Some(at) = self.taps.iter().position(|tap| tap.number == number) {
                // Whoever went away does not need it.
                let _ = self.taps.swap_remove(at).sender.send(Passed::End(commit));
            }
        }
    }
}

impl Tap {
    /// Whether it goes on.
    fn pass(&self, edits: &Arc<Edits>) -> bool {
        let bytes = bytes(edits);
        if self.waiting.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes > WAITING_BYTES_MAX {
            self.waiting.overflowed.store(true, Ordering::SeqCst);
            return false;
        }
        self.sender.send(Passed::Edits(Arc::clone(edits))).is_ok()
    }
}

impl Tapped {
    /// What there is by now. An error when the committer tells no more.
    pub(super) fn next(&self) -> Result<Option<Passed>, mpsc::TryRecvError> {
        match self.receiver.try_recv() {
            Ok(passed) => Ok(Some(self.taken(passed))),
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            Err(gone) => Err(gone),
        }
    }

    /// Waits for what comes.
    pub(super) fn wait(&self) -> Result<Passed, mpsc::RecvError> {
        self.receiver.recv().map(|passed| self.taken(passed))
    }

    /// Whether too much waited, so that the committer tells no more.
    pub(super) fn overflowed(&self) -> bool {
        self.waiting.overflowed.load(Ordering::SeqCst)
    }

    fn taken(&self, passed: Passed) -> Passed {
        if let Passed::Edits(edits) = &passed {
            self.waiting.bytes.fetch_sub(bytes(edits), Ordering::SeqCst);
        }
        passed
    }
}

fn bytes(edits: &Edits) -> usize {
    let sizes = edits
        .iter()
        .map(|(key, value)| EDIT_BYTES + key.len() + value.as_ref().map_or(0, Vec::len));
    sizes.sum()
}
