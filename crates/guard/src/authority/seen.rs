//! Tokens whose signature was verified before: a busy caller's token costs one
//! check, not one a call. Refusals are never kept.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use countersign_jose::Thumbprint;
use parking_lot::Mutex;

use super::Claims;

/// Verified tokens by their SHA-256. Bounded: the ones that were not used for
/// longest go first, and cost one check when they come again.
pub(super) struct SeenTokens {
    shards: [Mutex<Shard>; SHARDS],
}

/// Enough that two cores seldom wait for each other.
const SHARDS: usize = 16;

/// Of each half of a shard: 32,768 tokens in all, some 16 MB of claims. As many
/// callers are busy within a token's life of five minutes.
const HALF_MAX: usize = 1024;

/// Two halves: tokens used since the last turn, and those used before. When the
/// young half is full it becomes the old, and the old is forgotten.
#[derive(Default)]
struct Shard {
    young: HashMap<[u8; 32], Arc<Claims>>,
    old: HashMap<[u8; 32], Arc<Claims>>,
}

impl Default for SeenTokens {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl SeenTokens {
    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<Arc<Claims>> {
        let mut shard = self.shard(hash).lock();
        if let Some(seen) = shard.young.get(hash) {
            return Some(Arc::clone(seen));
        }
        let seen = shard.old.remove(hash)?;
        let forgotten = shard.put(*hash, Arc::clone(&seen));
        drop(shard);
        // Freed without the lock.
        drop(forgotten);
        Some(seen)
    }

    pub(super) fn remember(&self, hash: [u8; 32], seen: Arc<Claims>) {
        let forgotten = self.shard(&hash).lock().put(hash, seen);
        // Freed without the lock.
        drop(forgotten);
    }

    /// Keeps the tokens of these signers only.
    pub(super) fn keep(&self, signer: impl Fn(&Thumbprint) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let keeps = |seen: &Claims| seen.signer.as_ref().is_none_or(&signer);
            shard.young.retain(|_, seen| keeps(seen));
            shard.old.retain(|_, seen| keeps(seen));
        }
    }

    fn shard(&self, hash: &[u8; 32]) -> &Mutex<Shard> {
        &self.shards[usize::from(hash[0]) % SHARDS]
    }
}

impl Shard {
    fn put(&mut self, hash: [u8; 32], seen: Arc<Claims>) -> HashMap<[u8; 32], Arc<Claims>> {
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
    use countersign_jose::json;

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
        tokens.keep(|signer| *signer == Thumbprint::from_bytes([2; 32]));
        assert!(tokens.find(&hash(1)).is_none());
        assert!(tokens.find(&hash(2)).is_some());
    }
}
