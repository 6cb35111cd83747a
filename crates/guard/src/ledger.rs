//! Which proofs were used: each may be used once (RFC 9449 §11.1).
//!
//! Proofs are sorted into buckets by the time until which they must be
//! remembered. Buckets are dropped whole when their time is over, so nothing is
//! ever searched for what to forget, and a live entry is never evicted: when
//! the ledger is full, it refuses.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use countersign_dpop::VerifiedProof;
use countersign_jose::{Thumbprint, UnixTime};
use parking_lot::Mutex;

#[cfg(test)]
mod tests;

/// Proofs that were used, each until it could not be accepted any more.
///
/// Holds 16-byte hashes and never a `jti`. Cheap enough to be called inline:
/// one short lock, shared only by holders whose keys fall into the same shard.
pub struct Ledger {
    shards: Box<[Mutex<Shard>]>,
    entries: AtomicUsize,
    /// The latest bucket of time in which all shards were swept.
    swept: AtomicU64,
    limits: LedgerLimits,
}

/// How much a [`Ledger`] may remember.
#[derive(Copy, Clone, Debug)]
pub struct LedgerLimits {
    /// Entries in total. Each takes about 28 bytes, and as much again while a
    /// set grows.
    pub entries_max: usize,
    /// Entries of one key: its fair share.
    pub entries_per_key_max: usize,
}

impl Default for LedgerLimits {
    /// A proof is remembered for about 80 s by default, so this is room for
    /// 50,000 calls a second in all (some 112 MB, only while they are made)
    /// and 12,500 a second from one key: more than one core can verify.
    fn default() -> Self {
        Self {
            entries_max: 4_000_000,
            entries_per_key_max: 1_000_000,
        }
    }
}

/// Why the ledger refused a proof.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum LedgerRefusal {
    /// The proof was used before.
    Replayed,
    /// The time until which it would have to be remembered lies before a time
    /// this ledger has seen: it may have been used and forgotten. Happens when
    /// the clock is set back.
    Forgotten,
    /// The key's share is used up; it comes back as its proofs expire.
    KeyFull,
    /// The ledger is full; it empties as proofs expire.
    Full,
}

impl LedgerRefusal {
    /// A name that stays the same.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Replayed => "proof_replayed",
            Self::Forgotten => "proof_forgotten",
            Self::KeyFull => "ledger_key_full",
            Self::Full => "ledger_full",
        }
    }
}

impl Ledger {
    /// An empty ledger.
    pub fn new(limits: LedgerLimits) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            entries: AtomicUsize::new(0),
            swept: AtomicU64::new(0),
            limits,
        }
    }

    /// Marks a verified proof as used, in one indivisible step: of any number
    /// of concurrent copies exactly one gets `Ok`. Call it after every other
    /// check and before the handler.
    ///
    /// # Errors
    /// When the proof was used before, or room for it is lacking.
    pub fn spend(&self, proof: &VerifiedProof, now: UnixTime) -> Result<(), LedgerRefusal> {
        self.spend_hash(proof.spent.short(), proof.jkt, proof.remember_until, now)
    }

    /// As [`spend`](Self::spend), for a caller that holds the parts: the hash
    /// of the proof, the key that signed it, and until when it could be
    /// accepted again.
    ///
    /// # Errors
    /// As [`spend`](Self::spend).
    pub fn spend_hash(
        &self,
        spent: [u8; 16],
        holder: Thumbprint,
        remember_until: UnixTime,
        now: UnixTime,
    ) -> Result<(), LedgerRefusal> {
        self.sweep(now);
        let holder = Holder::of(holder);
        // By holder, so that a key's share is counted under the same lock. A
        // thumbprint is a hash: its first byte spreads evenly.
        let mut shard = self.shards[usize::from(holder.0[0]) % SHARDS].lock();
        let over = self.advance(&mut shard, now);
        let outcome = self.enter(&mut shard, spent, holder, remember_until);
        drop(shard);
        // Freed without the lock: a full bucket takes milliseconds.
        drop(over);
        outcome
    }

    /// How many proofs are remembered now, counting those whose bucket is not
    /// over yet.
    pub fn entries(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Frees what is over in all shards, once for each bucket of time. A shard
    /// whose holders have gone quiet would keep its entries otherwise, and with
    /// them the room that the others need.
    fn sweep(&self, now: UnixTime) {
        let current = bucket_of(now);
        if self.swept.load(Ordering::Relaxed) >= current
            || self.swept.fetch_max(current, Ordering::Relaxed) >= current
        {
            return;
        }
        for shard in &self.shards {
            let over = self.advance(&mut shard.lock(), now);
            drop(over);
        }
    }

    /// Takes out of a shard what is over.
    fn advance(&self, shard: &mut Shard, now: UnixTime) -> Vec<Bucket> {
        let over = shard.advance(now);
        let entries = over.iter().map(Bucket::len).sum();
        self.entries.fetch_sub(entries, Ordering::Relaxed);
        over
    }

    fn enter(
        &self,
        shard: &mut Shard,
        spent: [u8; 16],
        holder: Holder,
        remember_until: UnixTime,
    ) -> Result<(), LedgerRefusal> {
        // `<=`: what must be remembered until the horizon may be gone already.
        if remember_until <= shard.horizon {
            return Err(LedgerRefusal::Forgotten);
        }
        if shard.contains(&spent) {
            return Err(LedgerRefusal::Replayed);
        }
        if shard.held_by(&holder) >= self.limits.entries_per_key_max {
            return Err(LedgerRefusal::KeyFull);
        }
        if self.entries.fetch_add(1, Ordering::Relaxed) >= self.limits.entries_max {
            self.entries.fetch_sub(1, Ordering::Relaxed);
            return Err(LedgerRefusal::Full);
        }
        shard.insert(spent, holder, remember_until);
        Ok(())
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(LedgerLimits::default())
    }
}

/// Enough that two cores seldom wait for each other.
const SHARDS: usize = 16;

/// A quarter of the 80 s that a proof is remembered by default, so that about
/// five buckets are live and an entry overstays by at most this.
const BUCKET: Duration = Duration::from_secs(20);

/// The first half of a thumbprint: enough to count by.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
struct Holder([u8; 16]);

impl Holder {
    fn of(thumbprint: Thumbprint) -> Self {
        let (first, _) = thumbprint
            .as_bytes()
            .split_first_chunk::<16>()
            .expect("a thumbprint has 32 bytes");
        Self(*first)
    }
}

/// The proofs of the holders that fall into this shard.
#[derive(Default)]
struct Shard {
    /// The latest time seen. Never goes back, whatever the clock does.
    horizon: UnixTime,
    /// Live buckets by number, in no order; a handful.
    buckets: Vec<(u64, Bucket)>,
    /// Entries of each holder over all buckets.
    held: HashMap<Holder, usize>,
}

/// The proofs whose time ends within the same [`BUCKET`].
#[derive(Default)]
struct Bucket {
    spent: HashSet<[u8; 16]>,
    held: HashMap<Holder, usize>,
}

impl Bucket {
    fn len(&self) -> usize {
        self.spent.len()
    }
}

impl Shard {
    /// Moves the horizon to `now` and takes out the buckets that are over.
    fn advance(&mut self, now: UnixTime) -> Vec<Bucket> {
        let before = bucket_of(self.horizon);
        self.horizon = self.horizon.max(now);
        let current = bucket_of(self.horizon);
        if current == before {
            return Vec::new();
        }
        let over: Vec<Bucket> = self
            .buckets
            .extract_if(.., |(number, _)| *number < current)
            .map(|(_, bucket)| bucket)
            .collect();
        for (holder, count) in over.iter().flat_map(|bucket| &bucket.held) {
            self.release(*holder, *count);
        }
        over
    }

    fn release(&mut self, holder: Holder, count: usize) {
        if let Some(held) = self.held.get_mut(&holder) {
            *held = held.saturating_sub(count);
            if *held == 0 {
                self.held.remove(&holder);
            }
        }
    }

    /// Looks in every bucket: what a proof must be remembered until can differ
    /// between two looks at it (its `iat` was waived once and is judged now),
    /// and the second must not miss the first.
    fn contains(&self, spent: &[u8; 16]) -> bool {
        self.buckets
            .iter()
            .any(|(_, bucket)| bucket.spent.contains(spent))
    }

    fn held_by(&self, holder: &Holder) -> usize {
        self.held.get(holder).copied().unwrap_or(0)
    }

    fn insert(&mut self, spent: [u8; 16], holder: Holder, remember_until: UnixTime) {
        let number = bucket_of(remember_until);
        let at = match self.buckets.iter().position(|(n, _)| *n == number) {
            Some(at) => at,
            None => {
                self.buckets.push((number, Bucket::default()));
                self.buckets.len() - 1
            }
        };
        let bucket = &mut self.buckets[at].1;
        bucket.spent.insert(spent);
        *bucket.held.entry(holder).or_default() += 1;
        *self.held.entry(holder).or_default() += 1;
    }
}

fn bucket_of(time: UnixTime) -> u64 {
    let width = u64::try_from(BUCKET.as_millis()).unwrap_or(u64::MAX);
    time.as_millis() / width
}
