//! Who may wait for an answer. Strangers make up tokens, keys and proofs as they like: they get a
//! share, each key a small one, and leave room for those who were right before.

use std::collections::HashMap;

use countersign_jose::Thumbprint;

use super::Asking;
use crate::refusal::Refusal;

/// Tokens that are asked about or wait for it. More than this are refused until there is room.
pub(super) const WAITING_MAX: usize = 1024;

/// Of these, the ones that strangers may take.
pub(super) const WAITING_STRANGE_MAX: usize = WAITING_MAX / 4 * 3;

/// Of one key that nothing is known of. A client that begins to call shows a token or two.
pub(super) const KEY_STRANGE_MAX: usize = 8;

/// Of one key that was right lately: a client that acts for many people has one key and many
/// tokens.
pub(super) const KEY_KNOWN_MAX: usize = 128;

/// What is known of whoever shows a token.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The token was good here, or another of the same key was good lately.
    Known,
    /// Nothing.
    Stranger,
}

/// The tokens that are being asked about. Holds as many as there are places, and nothing of those
/// who have left.
#[derive(Default)]
pub(super) struct Places {
    /// By the tokens' hashes.
    taken: HashMap<[u8; 32], Taken>,
    /// How many each key has taken.
    of_keys: HashMap<Thumbprint, usize>,
    strange: usize,
}

struct Taken {
    asking: Asking,
    key: Thumbprint,
    standing: Standing,
}

impl Places {
    /// The question about this token that is on its way.
    pub(super) fn find(&self, hash: &[u8; 32]) -> Option<&Asking> {
        self.taken.get(hash).map(|taken| &taken.asking)
    }

    /// Takes a place for a token that nobody asks about yet, and that `key` showed.
    pub(super) fn take(
        &mut self,
        hash: [u8; 32],
        key: Thumbprint,
        standing: Standing,
        asking: Asking,
    ) -> Result<(), Refusal> {
        let (share, room) = match standing {
            Standing::Known => (KEY_KNOWN_MAX, self.taken.len() < WAITING_MAX),
            Standing::Stranger => (KEY_STRANGE_MAX, self.strange < WAITING_STRANGE_MAX),
        };
        if self.of_keys.get(&key).is_some_and(|taken| *taken >= share) {
            return Err(Refusal::IntrospectionsKeyFull);
        }
        if !room || self.taken.len() >= WAITING_MAX {
            return Err(Refusal::IntrospectionsFull);
        }
        *self.of_keys.entry(key).or_default() += 1;
        self.strange += usize::from(standing == Standing::Stranger);
        self.taken.insert(
            hash,
            Taken {
                asking,
                key,
                standing,
            },
        );
        Ok(())
    }

    /// Gives the place of this token back.
    pub(super) fn give_back(&mut self, hash: &[u8; 32]) {
        let Some(left) = self.taken.remove(hash) else {
            return;
        };
        self.strange -= usize::from(left.standing == Standing::Stranger);
        if let Some(taken) = self.of_keys.get_mut(&left.key) {
            *taken -= 1;
            if *taken == 0 {
                self.of_keys.remove(&left.key);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.of_keys.is_empty() && self.strange == 0
    }
}
