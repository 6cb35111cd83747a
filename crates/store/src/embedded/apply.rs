//! One change, one sweep: what they do to the database.

use std::collections::HashMap;
use std::ops::Bound;

use super::layout::{self, Item};
use super::{Broken, Database, Edits};
use crate::{Change, Commit, Done, Expect, Key, Swept, Version, Versioned};

/// The writer's view of the database. There is one: what it read stays true until it writes.
pub(super) struct Writer<'a> {
    pub(super) database: &'a Database,
    /// The number of the last commit.
    pub(super) commits: u64,
    /// The number of the last entry of each log.
    pub(super) heads: HashMap<Box<str>, u64>,
}

impl Writer<'_> {
    /// Applies a change whole, if its expectations hold. `removing` is told the commit's number
    /// before the change takes a record away.
    pub(super) fn commit(
        &mut self,
        change: &Change,
        removing: impl FnOnce(u64),
    ) -> Result<Commit, Broken> {
        let mut edits = Edits::with_capacity(change.writes.len() * 2 + change.appends.len());
        let commit = self.commits + 1;
        let version = Version::new(commit);
        for write in &change.writes {
            let found = self.record(&write.key)?;
            if !holds(write.expect, found.as_ref()) {
                return Ok(Commit::Conflict(write.key.clone()));
            }
            let expired = found.as_ref().and_then(|record| record.expires_at_millis);
            let expires = write.put.as_ref().and_then(|put| put.expires_at_millis);
            if expired != expires {
                edits.extend(expired.map(|at| (layout::expiry_key(at, &write.key), None)));
                edits.extend(expires.map(|at| (layout::expiry_key(at, &write.key), Some(vec![]))));
            }
            let value = write
                .put
                .as_ref()
                .map(|put| layout::encode_record(version, expires, &put.value));
            if value.is_some() || found.is_some() {
                edits.push((layout::record_key(&write.key), value));
            }
        }
        let numbers = self.number(change, version, &mut edits);
        if change.writes.iter().any(|write| write.put.is_none()) {
            removing(commit);
        }
        self.apply(edits)?;
        self.commits = commit;
        Ok(Commit::Done(Done { version, numbers }))
    }

    /// Removes up to `max` records that have expired.
    pub(super) fn sweep(
        &mut self,
        now_millis: u64,
        max: usize,
        removing: impl FnOnce(u64),
    ) -> Result<Swept, Broken> {
        let (from, until) = layout::expired(now_millis);
        let mut due = self
            .database
            .range(Bound::Included(from), until, max.saturating_add(1))?;
        let more = due.len() > max;
        due.truncate(max);
        let mut edits = Edits::with_capacity(due.len() * 2);
        let mut removed = 0;
        for item in due {
            let Item::Expiry { at_millis, key } = item else {
                continue;
            };
            edits.push((layout::expiry_key(at_millis, &key), None));
            let record = self.record(&key)?;
            if record.is_some_and(|record| record.expires_at_millis == Some(at_millis)) {
                edits.push((layout::record_key(&key), None));
                removed += 1;
            }
        }
        if !edits.is_empty() {
            let commit = self.commits + 1;
            removing(commit);
            self.apply(edits)?;
            self.commits = commit;
        }
        Ok(Swept { removed, more })
    }

    fn record(&self, key: &Key) -> Result<Option<Versioned>, Broken> {
        self.database
            .read(&layout::record_key(key), layout::decode_record)
    }

    fn number(&mut self, change: &Change, version: Version, edits: &mut Edits) -> Vec<u64> {
        let entered = change.appends.iter().map(|append| {
            let name = append.log.name();
            let head = match self.heads.get_mut(name) {
                Some(head) => head,
                None => self.heads.entry(name.into()).or_default(),
            };
            *head += 1;
            let entry = layout::encode_entry(version, &append.entry);
            edits.push((layout::entry_key(name, *head), Some(entry)));
            *head
        });
        entered.collect()
    }

    /// One edit is whole by itself, and cheaper alone.
    fn apply(&self, mut edits: Edits) -> Result<(), Broken> {
        match (edits.pop(), edits.is_empty()) {
            (None, _) => Ok(()),
            (Some((key, Some(value))), true) => self.database.set(&key, value),
            (Some(edit), _) => {
                edits.push(edit);
                self.database.apply(edits)
            }
        }
    }
}

fn holds(expect: Expect, found: Option<&Versioned>) -> bool {
    match expect {
        Expect::Absent => found.is_none(),
        Expect::Version(version) => found.is_some_and(|record| record.version == version),
    }
}
