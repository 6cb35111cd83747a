//! Events of a log, page by page, in either direction.
//!
//! A page is bounded by what is looked at, not only by what fits: a filter that admits nothing must
//! not hold a worker.

#[cfg(test)]
mod tests;

use std::time::Duration;

use countersign_store::{Entry, EntryHash, Log, Store};

use super::{Filter, Told};
use crate::record;
use crate::refused::Refused;

/// Events looked at for one page: a few milliseconds of decoding.
const LOOKED_MAX: usize = 4_096;

/// Entries read at once. A block of issuances is up to 24 KiB, an event of the audit log some 150
/// bytes.
const ENTRIES: u64 = 256;
const BLOCKS: u64 = 8;

/// How much later than it happened an event may be written, and how far a clock may be wrong,
/// before a list from the newest on that is told where to end misses it. And then only if a whole
/// page of events is as old.
const LATE: Duration = Duration::from_secs(24 * 3600);

/// In which order events are listed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// As they were written.
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

/// Where an event stands.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    /// The number of its entry.
    pub(crate) number: u64,
    /// Which event of its entry it is.
    pub(crate) index: u32,
}

/// An event, where it stands, and the hash of its entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Placed {
    pub(crate) place: Place,
    pub(crate) hash: EntryHash,
    pub(crate) told: Told,
}

/// Some events.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) events: Vec<Placed>,
    /// The last event that was looked at, if others follow.
    pub(crate) after: Option<Place>,
}

/// Up to `limit` events of `log` that `filter` admits, behind the place `after`. `fits` says
/// whether an event still fits into the page that is being made; the first one always does.
pub(crate) async fn page(
    store: &dyn Store,
    log: Log,
    filter: &Filter,
    order: Order,
    after: Option<Place>,
    limit: usize,
    mut fits: impl FnMut(&Placed) -> bool + Send,
) -> Result<Found, Refused> {
    let mut found = Found::default();
    let mut looked = 0;
    let mut any_recent = false;
    let mut last = after;
    while let Some(entries) = entries(store, log, order, last).await? {
        for entry in entries {
            let mut events = placed(log, &entry)?;
            if order == Order::NewestFirst {
                events.reverse();
            }
            for placed in events {
                if last.is_some_and(|last| !follows(order, placed.place, last)) {
                    continue;
                }
                let admitted = filter.admits(&placed.told);
                let is_full = found.events.len() >= limit
                    || (admitted && !found.events.is_empty() && !fits(&placed));
                if looked >= LOOKED_MAX || is_full {
                    found.after = last;
                    return Ok(found).map(|found| ended(found, filter, order, any_recent));
                }
                looked += 1;
                last = Some(placed.place);
                any_recent |= is_recent(filter, &placed.told);
                if admitted {
                    if found.events.is_empty() {
                        fits(&placed);
                    }
                    found.events.push(placed);
                }
            }
            // All of it was looked at, also where it holds nothing.
            last = Some(end_of(order, entry.number, last));
        }
    }
    Ok(found)
}

/// The page ends the list, if a whole page of the newest events first is long before `since`.
fn ended(found: Found, filter: &Filter, order: Order, any_recent: bool) -> Found {
    match (order, filter.since) {
        (Order::NewestFirst, Some(_)) if !any_recent => Found {
            after: None,
            ..found
        },
        _ => found,
    }
}

fn is_recent(filter: &Filter, told: &Told) -> bool {
    filter
        .since
        .is_none_or(|since| told.latest().plus(LATE) >= since)
}

fn follows(order: Order, place: Place, last: Place) -> bool {
    match order {
        Order::OldestFirst => place > last,
        Order::NewestFirst => place < last,
    }
}

/// The last place of an entry in this order.
fn end_of(order: Order, number: u64, last: Option<Place>) -> Place {
    let index = match order {
        Order::OldestFirst => u32::MAX,
        Order::NewestFirst => 0,
    };
    let end = Place { number, index };
    last.filter(|last| follows(order, *last, end))
        .unwrap_or(end)
}

/// The events of an entry, each with its place.
pub(crate) fn placed(log: Log, entry: &Entry) -> Result<Vec<Placed>, Refused> {
    let told = record::told(log, &entry.bytes)?;
    Ok((0..)
        .zip(told)
        .map(|(index, told)| Placed {
            place: Place {
                number: entry.number,
                index,
            },
            hash: entry.hash,
            told,
        })
        .collect())
}

/// The next entries in this order: from the one in which `last` stands on. `None`: no more.
async fn entries(
    store: &dyn Store,
    log: Log,
    order: Order,
    last: Option<Place>,
) -> Result<Option<Vec<Entry>>, Refused> {
    let many = if log == record::ISSUANCE {
        BLOCKS
    } else {
        ENTRIES
    };
    let limit = usize::try_from(many).unwrap_or(1);
    let entries = match order {
        Order::OldestFirst => {
            let from = match last {
                None => 1,
                Some(place) if place.index == u32::MAX => place.number.saturating_add(1),
                Some(place) => place.number,
            };
            store.entries(log, from, limit).await?
        }
        Order::NewestFirst => {
            let to = match last {
                None => store.last_number(log).await?,
                Some(Place { number, index: 0 }) => number.saturating_sub(1),
                Some(place) => place.number,
            };
            let from = to.saturating_sub(many - 1).max(1);
            if to == 0 {
                return Ok(None);
            }
            let mut entries = store.entries(log, from, limit).await?;
            // Where entries were trimmed, reading begins behind them.
            entries.retain(|entry| entry.number <= to);
            entries.reverse();
            entries
        }
    };
    Ok((!entries.is_empty()).then_some(entries))
}
