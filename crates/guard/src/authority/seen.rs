//! Tokens whose signature was verified before: a busy caller's token costs one
//! check, not one a call. Refusals are never kept.

use std::collections::HashMap;
use std::mem;

use parking_lot::Mutex;

/// What is known of tokens, by their SHA-256. Bounded: the ones that were not
/// used for longest go first, and cost one check when they come again.
pub(super) struct SeenTokens<V> {
    shards: [Mutex<Shard<V>>; SHARDS],
}

/// Enough that two cores seldom wait for each other.
const SHARDS: usize = 16;

/// Of each half of a shard: 32,768 tokens in all, some 16 MB of claims. As many
/// callers are busy within a token's life of five minutes.
const HALF_MAX: usize = 1024;

/// Two halves: tokens used since the last turn, and those used before. When the
/// young half is full it becomes the old, and the old is forgotten.
struct Shard<V> {
    young: HashMap<[u8; 32], V>,
    old: HashMap<[u8; 32], V>,
}

// Derived, it would ask the same of `V`.
impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<V> Default for SeenTokens<V> {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl<V: Clone> SeenTokens<V> {
    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<V> {
        let mut shard = self.shard(hash).lock();
        if let Some(seen) = shard.young.get(hash) {
            return Some(seen.clone());
        }
        let seen = shard.old.remove(hash)?;
        let forgotten = shard.put(*hash, seen.clone());
        drop(shard);
        // Freed without the lock.
        drop(forgotten);
        Some(seen)
    }

    pub(super) fn remember(&self, hash: [u8; 32], seen: V) {
        let forgotten = self.shard(&hash).lock().put(hash, seen);
        // Freed without the lock.
        drop(forgotten);
    }

    /// Keeps those that are to be kept.
    pub(super) fn keep(&self, kept: impl Fn(&V) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.young.retain(|_, seen| kept(seen));
            shard.old.retain(|_, seen| kept(seen));
        }
    }

    fn shard(&self, hash: &[u8; 32]) -> &Mutex<Shard<V>> {
        &self.shards[usize::from(hash[0]) % SHARDS]
    }
}

impl<V> Shard<V> {
    fn put(&mut self, hash: [u8; 32], seen: V) -> HashMap<[u8; 32], V> {
        let mut forgotten = HashMap::new();
        if self.young.len() >= HALF_MAX {
            forgotten = mem::replace(&mut self.old, mem::take(&mut self.young));
        }
        self.young.insert(hash, seen);
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use countersign_jose::{Thumbprint, json};

    use super::super::Claims;
    use super::*;

    fn seen(signer: u8) -> Arc<Claims> {
        let payload =
            br#"{"iss":"i","sub":"s","client_id":"c","jti":"j","aud":"a","iat":1,"exp":2}"#;
        let signer = Thumbprint::from_bytes([signer; 32]);
        Arc::new(Claims::read(&json::object(payload).unwrap(), "i", signer).unwrap())
    }

    fn hash(n: u32) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&n.to_be_bytes());
        // All in one shard.
        hash[0] = 0;
        hash[4] = n.to_be_bytes()[0];
        hash
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let tokens = SeenTokens::default();
        tokens.remember(hash(0), seen(1));
        for n in 1..=10 * HALF_MAX as u32 {
            tokens.remember(hash(n), seen(1));
            assert!(tokens.find(&hash(0)).is_some());
        }
        let shard = tokens.shards[0].lock();
        assert!(shard.young.len() + shard.old.len() <= 2 * HALF_MAX);
    }

    #[test]
    fn a_signer_takes_its_tokens_along() {
        let tokens = SeenTokens::default();
        tokens.remember(hash(1), seen(1));
        tokens.remember(hash(2), seen(2));
        tokens.keep(|seen| seen.signer == Some(Thumbprint::from_bytes([2; 32])));
        assert!(tokens.find(&hash(1)).is_none());
        assert!(tokens.find(&hash(2)).is_some());
    }
}
