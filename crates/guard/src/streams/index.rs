//! Which open streams a revocation could hit.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use crate::revocations::{Mark, Marks};

/// Many: all streams have the mark of the key that signed their tokens in common, and that one's
/// shard should seldom hold up another's.
const SHARDS: usize = 64;

/// The numbers of streams by the marks of their tokens.
pub(super) struct Index([Mutex<HashMap<Mark, Numbers>>; SHARDS]);

/// Most marks are of one stream's token alone.
#[expect(
    clippy::box_collection,
    reason = "most are One: a set in place would make each of them four times as large"
)]
enum Numbers {
    One(u64),
    Many(Box<HashSet<u64>>),
}

impl Default for Index {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Index {
    pub(super) fn insert(&self, marks: &Marks, number: u64) {
        for mark in marks.each() {
            let mut shard = self.shard(mark).lock();
            shard
                .entry(mark)
                .and_modify(|numbers| numbers.insert(number))
                .or_insert(Numbers::One(number));
        }
    }

    pub(super) fn remove(&self, marks: &Marks, number: u64) {
        for mark in marks.each() {
            let mut shard = self.shard(mark).lock();
            if let Some(numbers) = shard.get_mut(&mark)
                && numbers.remove(number)
            {
                shard.remove(&mark);
                // A table that had many once need not keep room for them.
                if shard.len() < shard.capacity() / 8 {
                    shard.shrink_to_fit();
                }
            }
        }
    }

    /// The streams of tokens with this mark, by now.
    pub(super) fn of(&self, mark: Mark) -> Vec<u64> {
        match self.shard(mark).lock().get(&mark) {
            None => Vec::new(),
            Some(Numbers::One(number)) => vec![*number],
            Some(Numbers::Many(numbers)) => numbers.iter().copied().collect(),
        }
    }

    /// How many marks it knows.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self, mark: Mark) -> &Mutex<HashMap<Mark, Numbers>> {
        &self.0[mark.shard(SHARDS)]
    }
}

impl Numbers {
    fn insert(&mut self, number: u64) {
        match self {
            Self::One(first) => *self = Self::Many(Box::new(HashSet::from([*first, number]))),
            Self::Many(numbers) => {
                numbers.insert(number);
            }
        }
    }

    /// Whether none is left.
    fn remove(&mut self, number: u64) -> bool {
        match self {
            Self::One(only) => *only == number,
            Self::Many(numbers) => {
                numbers.remove(&number);
                if numbers.len() < numbers.capacity() / 8 {
                    numbers.shrink_to_fit();
                }
                numbers.is_empty()
            }
        }
    }
}
