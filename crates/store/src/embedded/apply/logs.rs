//! The logs as they grow: the entries of one batch lie together, a few kilobytes of each log.

use std::collections::HashMap;

use super::super::Edits;
use super::super::backup::BODY_BYTES_MAX;
use super::super::layout::{self, Tail};
use super::super::upgrade::Tails;
use crate::{Log, Version, chain};

/// The most bytes of entries that lie together, unless one alone has more: who reads one of them
/// reads them all.
const TOGETHER_BYTES_MAX: usize = 32 * 1024;

// What would not fit into a backup could not be restored. An entry of no bytes takes 44, and the
// last one comes on top.
const _: () = assert!(TOGETHER_BYTES_MAX + 256 <= BODY_BYTES_MAX);

/// The last entry of each log, and those that are not in the database yet.
#[derive(Default)]
pub(super) struct Logs(HashMap<Box<str>, Growing>);

struct Growing {
    last: Tail,
    /// As they will lie there: up to the last one.
    gathered: Vec<u8>,
}

impl Logs {
    pub(super) fn new(tails: Tails) -> Self {
        let logs = tails.into_iter().map(|(log, last)| {
            let gathered = Vec::new();
            (log, Growing { last, gathered })
        });
        Self(logs.collect())
    }

    /// The number of the last entry.
    pub(super) fn last(&self, log: Log) -> u64 {
        self.0.get(log.name()).map_or(0, |log| log.last.number)
    }

    /// Appends an entry. Returns its number; `edits` gets those before it, if they are many.
    pub(super) fn append(
        &mut self,
        log: Log,
        version: Version,
        entry: &[u8],
        edits: &mut Edits,
    ) -> u64 {
        let name = log.name();
        let log = match self.0.get_mut(name) {
            Some(log) => log,
            None => self.0.entry(name.into()).or_insert(Growing {
                last: Tail {
                    number: 0,
                    hash: chain::origin(log),
                },
                gathered: Vec::new(),
            }),
        };
        if log.gathered.len() + entry.len() > TOGETHER_BYTES_MAX {
            log.settle(name, edits);
        }
        let number = log.last.number + 1;
        let hash = chain::next(log.last.hash, number, entry);
        log.last = Tail { number, hash };
        layout::add_entry(&mut log.gathered, version, hash, entry);
        number
    }

    /// Hands over what was appended since the last time.
    pub(super) fn settle(&mut self, edits: &mut Edits) {
        for (name, log) in &mut self.0 {
            log.settle(name, edits);
        }
    }
}

impl Growing {
    fn settle(&mut self, name: &str, edits: &mut Edits) {
        if !self.gathered.is_empty() {
            let key = layout::entry_key(name, self.last.number);
            let entries = layout::encode_entries(&key, &self.gathered);
            edits.push((key, Some(entries)));
            // A log that had a burst does not keep the room for it.
            self.gathered.clear();
            self.gathered.shrink_to(TOGETHER_BYTES_MAX);
        }
    }
}
