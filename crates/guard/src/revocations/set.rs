//! The revocations that could still hit a token.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use countersign_jose::{Thumbprint, UnixTime};
use parking_lot::{Mutex, RwLock};
use tracing::warn;

use super::marks::{Mark, Marks};
use super::{Revocation, RevokedTarget};

/// Many, so that forgetting, shard by shard, holds up nobody for longer than it takes to look at
/// some thousand entries.
const SHARDS: usize = 256;

/// Seconds between two looks for what can be forgotten.
const FORGET_EVERY_SECS: u64 = 10;

/// Four times what a token service that revokes a thousand tokens a second leaves to be remembered;
/// 230 MB. A watch that tells of more is wrong, or an attack on the guard's memory.
const ENTRIES_MAX: usize = 4_000_000;

/// Signing keys are few, and what was signed with one that was revoked must be known by it alone:
/// they are kept whatever else is too much. More than these are wrong.
const SIGNERS_MAX: usize = 1_024;

/// The token service revokes what is issued up to so much later (tokens tell whole seconds).
const MARGIN: Duration = Duration::from_secs(2);

/// Revocations by their marks. 24 bytes an entry, at most 58 with the room that a table keeps free.
pub(crate) struct RevokedSet {
    shards: Box<[RwLock<Entries>]>,
    /// Signing keys.
    signers: RwLock<Entries>,
    /// Everything that was issued until then, in seconds.
    everything: AtomicU32,
    /// Grows with every change, after it: who has looked at one version need not look again.
    version: AtomicU64,
    count: AtomicUsize,
    /// When it was last looked for what can be forgotten, in seconds.
    looked_secs: Mutex<u64>,
    entries_max: usize,
}

type Entries = HashMap<Mark, Until>;

/// What a revocation says of its tokens. Seconds fit for another 80 years.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Until {
    /// Those are hit that were issued until then.
    issued_secs: u32,
    /// Then all of them are dead anyway.
    forget_secs: u32,
}

/// Some revocations that came together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    entries: Entries,
    signers: Entries,
    everything_secs: u32,
    /// The latest time until when one of them hits, by the token service's clock.
    latest_secs: u32,
}

impl Default for RevokedSet {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            signers: RwLock::default(),
            everything: AtomicU32::new(0),
            version: AtomicU64::new(1),
            count: AtomicUsize::new(0),
            looked_secs: Mutex::new(0),
            entries_max: ENTRIES_MAX,
        }
    }
}

impl RevokedSet {
    /// Changes with every revocation that is added. Never 0.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether a token with these marks, issued then, was revoked.
    pub(crate) fn hits(&self, marks: &Marks, issued_at: UnixTime) -> bool {
        let issued_secs = secs(issued_at);
        let one_hits = marks.each().any(|mark| {
            let shard = self.shards[mark.shard(SHARDS)].read();
            shard
                .get(&mark)
                .is_some_and(|until| until.hits(issued_secs))
        });
        let signer_hits = || {
            let signers = self.signers.read();
            !signers.is_empty() && marks.each().any(|mark| signers.contains_key(&mark))
        };
        // Last: whoever no longer finds one of many finds what they have become.
        one_hits || signer_hits() || issued_secs <= self.everything.load(Ordering::Relaxed)
    }

    /// Whether all was revoked that this key has signed.
    pub(crate) fn hits_signer(&self, signer: &Thumbprint) -> bool {
        self.signers.read().contains_key(&Mark::of_signer(signer))
    }

    /// Adds revocations. Whoever asks after it finds them.
    fn add(&self, batch: &Batch) {
        for (mark, until) in &batch.entries {
            let mut shard = self.shards[mark.shard(SHARDS)].write();
            self.put(&mut shard, *mark, *until);
        }
        if !batch.signers.is_empty() {
            let mut signers = self.signers.write();
            for (mark, until) in &batch.signers {
                self.put(&mut signers, *mark, *until);
            }
        }
        self.everything
            .fetch_max(batch.everything_secs, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Release);
    }

    fn put(&self, among: &mut Entries, mark: Mark, until: Until) {
        if let Some(known) = among.get_mut(&mark) {
            *known = known.and(until);
        } else {
            among.insert(mark, until);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether there is room for what is not known yet.
    fn has_room_for(&self, batch: &Batch) -> bool {
        let room = self.entries_max.saturating_sub(self.len());
        let is_new = |mark: &&Mark| !self.shards[mark.shard(SHARDS)].read().contains_key(mark);
        batch.entries.len() <= room || batch.entries.keys().filter(is_new).count() <= room
    }

    /// Adds revocations, if there is room for them. If there is not, they and all others become
    /// one, of everything that was issued until now: rather too much is refused than too little.
    /// Signing keys remain by themselves: who has one says what they like of when a token was
    /// issued. Returns what was added.
    pub(crate) fn admit(&self, batch: Batch, now: UnixTime) -> Batch {
        if self.signers.read().len() + batch.signers.len() > SIGNERS_MAX {
            warn!(
                most = SIGNERS_MAX,
                "more signing keys were revoked than there can be: all tokens are refused"
            );
            let everything = Batch {
                everything_secs: u32::MAX,
                ..Batch::default()
            };
            self.add(&everything);
            return everything;
        }
        if self.has_room_for(&batch) {
            self.add(&batch);
            return batch;
        }
        let everything = Batch {
            // By whichever clock is ahead.
            everything_secs: batch.latest_secs.max(secs(now.plus(MARGIN))),
            latest_secs: batch.latest_secs,
            signers: batch.signers,
            entries: Entries::new(),
        };
        // Before the others go: whoever asks meanwhile finds one or the other.
        self.add(&everything);
        for shard in &self.shards {
            let entries = std::mem::take(&mut *shard.write());
            // After what they have become.
            self.count.fetch_sub(entries.len(), Ordering::Release);
        }
        warn!(
            most = self.entries_max,
            "more was revoked than can be remembered: all tokens that were issued until now are refused"
        );
        everything
    }

    /// Forgets what can hit nothing any more, every ten seconds at most. `now` must never go back
    /// behind the time that tokens' ends are judged by.
    pub(crate) fn forget(&self, now: UnixTime) {
        let mut looked = self.looked_secs.lock();
        if now.as_secs() < *looked + FORGET_EVERY_SECS {
            return;
        }
        *looked = now.as_secs();
        let mut signers = self.signers.write();
        let before = signers.len();
        signers.retain(|_, until| !until.is_over(now));
        self.count
            .fetch_sub(before - signers.len(), Ordering::Relaxed);
        drop(signers);
        for shard in &self.shards {
            let mut shard = shard.write();
            let before = shard.len();
            shard.retain(|_, until| !until.is_over(now));
            // A table that had many entries once need not keep room for them.
            if shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit();
            }
            self.count
                .fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
    }

    /// Whether nothing can be hit.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0 && self.everything.load(Ordering::Relaxed) == 0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

impl Batch {
    /// Of these, the ones that could hit a token at `now`, by which tokens' ends are judged: a token
    /// service remembers them for longer, and tells whoever begins to watch of all that it does.
    pub(crate) fn of<'r>(
        revocations: impl IntoIterator<Item = &'r Revocation>,
        now: UnixTime,
    ) -> Self {
        let mut batch = Self::default();
        for revocation in revocations {
            batch.latest_secs = batch.latest_secs.max(secs(revocation.revoked_at));
            let Some(mark) = Mark::of_target(&revocation.target) else {
                batch.everything_secs = batch.everything_secs.max(secs(revocation.revoked_at));
                continue;
            };
            let until = Until::of(revocation);
            if until.is_over(now) {
                continue;
            }
            let among = match revocation.target {
                RevokedTarget::Signer(_) => &mut batch.signers,
                _ => &mut batch.entries,
            };
            let known = among.entry(mark).or_insert(until);
            *known = known.and(until);
        }
        batch
    }

    /// Whether one of them hits such a token.
    pub(crate) fn hits(&self, marks: &Marks, issued_at: UnixTime) -> bool {
        let issued_secs = secs(issued_at);
        issued_secs <= self.everything_secs
            || marks.each().any(|mark| {
                let until = self.entries.get(&mark);
                until.is_some_and(|until| until.hits(issued_secs))
                    || self.signers.contains_key(&mark)
            })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.signers.is_empty() && !self.is_of_everything()
    }

    /// Whether it hits whatever was issued until some time.
    pub(crate) fn is_of_everything(&self) -> bool {
        self.everything_secs > 0
    }

    /// By what the others find their tokens.
    pub(crate) fn marks(&self) -> impl Iterator<Item = Mark> {
        self.entries.keys().chain(self.signers.keys()).copied()
    }
}

impl Until {
    fn of(revocation: &Revocation) -> Self {
        let issued_secs = match revocation.target {
            // Whoever has a signing key says what they like of when a token was issued.
            RevokedTarget::Token(_) | RevokedTarget::Family(_) | RevokedTarget::Signer(_) => {
                u32::MAX
            }
            RevokedTarget::Client(_)
            | RevokedTarget::Subject(_)
            | RevokedTarget::Key(_)
            | RevokedTarget::References
            | RevokedTarget::Everything => secs(revocation.revoked_at),
        };
        Self {
            issued_secs,
            // Forgotten in the second after.
            forget_secs: secs(revocation.forget_at).saturating_add(1),
        }
    }

    /// Whether all of its tokens are dead anyway.
    fn is_over(self, now: UnixTime) -> bool {
        self.forget_secs <= secs(now)
    }

    const fn hits(self, issued_secs: u32) -> bool {
        issued_secs <= self.issued_secs
    }

    /// What either of two says.
    fn and(self, other: Self) -> Self {
        Self {
            issued_secs: self.issued_secs.max(other.issued_secs),
            forget_secs: self.forget_secs.max(other.forget_secs),
        }
    }
}

/// A token says when it was issued in whole seconds.
fn secs(time: UnixTime) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
