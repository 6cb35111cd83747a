//! What the first release left out: the hashes of its entries.
//!
//! They follow from the entries, so they are computed once, and stored with them, before the store
//! serves: once, and the longer the more entries there are. An upgrade that was cut off goes on
//! where it was: entries get their hashes in the order of their numbers, so the last one tells
//! whether all have one.

use std::collections::HashMap;
use std::ops::Bound;

use super::contents::Heads;
use super::layout::{self, Entered, Item, Tail};
use super::{Broken, Database, Disk, Edits};
use crate::chain;

/// The last entry of each log.
pub(super) type Tails = HashMap<Box<str>, Tail>;

/// Entries rewritten in one batch of the driver: as many as it takes commits in one.
const STEP: usize = 64;

/// Steps between two syncs: a sync costs as much as some thousand entries.
const STEPS_PER_SYNC: usize = 64;

/// The last entries with their hashes; writes those that are missing.
pub(super) fn tails(database: &Database, heads: &Heads, disk: &dyn Disk) -> Result<Tails, Broken> {
    let tails = heads.iter().map(|(log, &(number, hash))| {
        let tail = match hash {
            Some(hash) => Tail { number, hash },
            None => hash_entries(database, log, disk)?,
        };
        Ok((log.clone(), tail))
    });
    tails.collect()
}

fn hash_entries(database: &Database, log: &str, disk: &dyn Disk) -> Result<Tail, Broken> {
    tracing::info!(log, "the entries of a log get their hashes");
    let mut last = Tail {
        number: 0,
        hash: chain::origin_of(log),
    };
    for step in 1.. {
        let from = Bound::Included(layout::entry_key(log, last.number + 1));
        let items = database.range(from, layout::entries_end(log), STEP)?;
        let mut edits = Edits::new();
        let ends = items.len() < STEP;
        let entries = items.into_iter().filter_map(|item| match item {
            Item::Entries { entries, .. } => Some(entries),
            _ => None,
        });
        for Entered {
            number,
            version,
            hash,
            bytes,
        } in entries.flatten()
        {
            if number != last.number + 1 {
                return Err(Broken::new("an entry of a log is missing"));
            }
            last = Tail {
                number,
                hash: hash.unwrap_or_else(|| chain::next(last.hash, number, &bytes)),
            };
            if hash.is_none() {
                let key = layout::entry_key(log, number);
                let entry = layout::encode_entry(&key, version, last.hash, &bytes);
                edits.push((key, Some(entry)));
            }
        }
        database.apply(edits)?;
        if ends || step % STEPS_PER_SYNC == 0 {
            database.settle(disk)?;
        }
        if ends {
            break;
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests;
