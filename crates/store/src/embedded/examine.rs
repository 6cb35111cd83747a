//! Reads everything in a store or a backup, and says what is there and what is wrong with it.

mod finding;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;

pub use self::finding::Finding;

use self::finding::Findings;
use super::layout::{self, Entered, Item, Reminder, Tail};
use super::stats::count_kind;
use super::{Broken, Database};
use crate::{Anchor, EntryHash, Key, chain};

/// Items read in one go.
const STEP: usize = 1024;

/// Everything that was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// What is there.
    pub report: Report,
    /// What is wrong: at most [`FINDINGS_MAX`](Self::FINDINGS_MAX), in the order in which it was
    /// found. Empty if all is well.
    pub findings: Vec<Finding>,
    /// How many findings there were beyond those.
    pub more_findings: u64,
}

impl Verified {
    /// The most findings that are told one by one: where there are more, it is not each that matters.
    pub const FINDINGS_MAX: usize = 100;

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// What is in a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How many records there are, by the first part of their key.
    pub records: BTreeMap<String, u64>,
    /// The logs that have entries, by name.
    pub logs: BTreeMap<String, LogReport>,
    /// The last commit.
    pub last_commit: u64,
    /// The commit that the mark says was acknowledged; none where there is no mark that can be read.
    pub mark: Option<u64>,
    /// How much the database takes on the disk.
    pub disk_bytes: u64,
}

/// A log's entries.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct LogReport {
    /// The number of the first entry that is kept.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// The hash of the last entry, and so of the whole log.
    pub head: EntryHash,
}

/// Reads all of a database.
pub(super) fn examine(database: &Database, mark: Option<u64>) -> Verified {
    let mut examiner = Examiner::new();
    let mut from = Some(Bound::Unbounded);
    while let Some(bound) = from.take() {
        let step = database.visit(bound, STEP, |key, value| {
            examiner.see(key, value);
            Ok(())
        });
        match step {
            Ok(last) => from = last.map(Bound::Excluded),
            Err(Broken(why)) => {
                examiner
                    .findings
                    .add("the database", format!("it cannot be read on: {why}"));
                return examiner.finish(database, mark);
            }
        }
    }
    examiner.settle_logs();
    examiner.name_unreminded(database);
    examiner.finish(database, mark)
}

/// Takes items in the order of their keys: anchors, the counter, entries, records, reminders.
struct Examiner {
    /// The first entry of a log that has no hash.
    unhashed: BTreeMap<String, u64>,
    findings: Findings,
    records: BTreeMap<String, u64>,
    logs: BTreeMap<String, LogReport>,
    anchors: BTreeMap<String, Tail>,
    counter: Option<u64>,
    /// The highest version of any item, and where.
    highest: (u64, String),
    expiring: Expiring,
}

impl Examiner {
    fn new() -> Self {
        Self {
            unhashed: BTreeMap::new(),
            findings: Findings::default(),
            records: BTreeMap::new(),
            logs: BTreeMap::new(),
            anchors: BTreeMap::new(),
            counter: None,
            highest: (0, String::new()),
            expiring: Expiring::default(),
        }
    }

    fn see(&mut self, key: &[u8], value: &[u8]) {
        let item = match Item::decode(key, value) {
            Ok(item) => item,
            Err(Broken(why)) => return self.findings.add(&layout::name_of(key), why),
        };
        match item {
            Item::Anchor { log, trimmed } => drop(self.anchors.insert(log, trimmed)),
            Item::Counter(commits) => self.counter = Some(commits),
            Item::Entries { log, entries } => {
                for Entered {
                    number,
                    version,
                    hash,
                    bytes,
                } in entries
                {
                    self.version(version.as_u64(), key);
                    self.entry(&log, number, hash, &bytes);
                }
            }
            Item::Record {
                key: name, record, ..
            } => {
                self.version(record.version.as_u64(), key);
                if let Some(at) = record.expires_at_millis {
                    self.expiring.record(&name, at);
                }
                count_kind(&mut self.records, name.kind());
            }
            Item::Reminders(reminders) => {
                for Reminder { at_millis, key } in reminders {
                    self.expiring.reminder(&key, at_millis);
                }
            }
        }
    }

    fn version(&mut self, version: u64, key: &[u8]) {
        if version > self.highest.0 {
            self.highest = (version, layout::name_of(key));
        }
    }

    fn entry(&mut self, log: &str, number: u64, hash: Option<EntryHash>, bytes: &[u8]) {
        let known = self.logs.get(log);
        let before = known.map_or_else(
            || self.anchor(log),
            |known| Anchor {
                first: known.last + 1,
                before: known.head,
            },
        );
        let follows = number == before.first;
        if !follows {
            let what = format!("entry {} is missing before it", before.first);
            self.findings.add(&format!("entry {number} of {log}"), what);
        }
        let computed = chain::next(before.before, number, bytes);
        // An upgrade gives entries their hashes in their order; one that was cut off goes on at the
        // next start, so the last ones may have none.
        match (hash, self.unhashed.get(log).copied()) {
            (None, None) => {
                self.unhashed.insert(log.to_owned(), number);
            }
            (Some(_), Some(first)) => {
                let place = format!("entry {first} of {log}");
                self.findings.add(&place, "it has no hash".to_owned());
                self.unhashed.remove(log);
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
        let head = hash.unwrap_or(computed);
        // After a gap nothing is known of the hash before.
        if follows && head != computed {
            let what = "its hash does not follow from the entry before it".to_owned();
            self.findings.add(&format!("entry {number} of {log}"), what);
        }
        let first = known.map_or(number, |known| known.first);
        let report = LogReport {
            first,
            last: number,
            head,
        };
        match self.logs.get_mut(log) {
            Some(known) => *known = report,
            None => drop(self.logs.insert(log.to_owned(), report)),
        }
    }

    fn anchor(&self, log: &str) -> Anchor {
        self.anchors.get(log).map_or_else(
            || Anchor {
                first: 1,
                before: chain::origin_of(log),
            },
            |trimmed| Anchor {
                first: trimmed.number.saturating_add(1),
                before: trimmed.hash,
            },
        )
    }

    /// The last entry of a log is never trimmed.
    fn settle_logs(&mut self) {
        for log in self.anchors.keys() {
            if !self.logs.contains_key(log) {
                let what = "the log has no entry after it".to_owned();
                self.findings.add(&format!("the anchor of {log}"), what);
            }
        }
    }

    /// Looks once more for the records of which only a hash is known.
    fn name_unreminded(&mut self, database: &Database) {
        let unreminded = std::mem::take(&mut self.expiring).unreminded();
        if unreminded.is_empty() {
            return;
        }
        let mut from = Some(Bound::Included(layout::record_key(&Key::new([""; 0]))));
        while let Some(bound) = from.take() {
            let step = database.visit(bound, STEP, |key, value| {
                if let Ok(Item::Record { key, .. }) = Item::decode(key, value)
                    && unreminded.binary_search(&hash_of(&key)).is_ok()
                {
                    let what = "it expires, and no reminder would have it swept".to_owned();
                    self.findings.add(&format!("record {key}"), what);
                }
                Ok(())
            });
            from = step.ok().flatten().map(Bound::Excluded);
        }
    }

    fn finish(mut self, database: &Database, mark: Option<u64>) -> Verified {
        match self.counter {
            None if self.highest.0 > 0 => {
                self.findings.add("the counter", "it is missing".to_owned());
            }
            Some(counter) if self.highest.0 > counter => {
                let (version, name) = std::mem::take(&mut self.highest);
                let what = format!("commit {version} wrote it, but the last one is {counter}");
                self.findings.add(&name, what);
            }
            _ => {}
        }
        let last_commit = self.counter.unwrap_or(0);
        match mark {
            None => {
                let what = "it is missing, or cannot be understood".to_owned();
                self.findings.add("the mark", what);
            }
            Some(mark) if mark > last_commit => self.findings.add(
                "the mark",
                format!("commit {mark} was acknowledged, the last one here is {last_commit}"),
            ),
            Some(_) => {}
        }
        let report = Report {
            records: self.records,
            logs: self.logs,
            last_commit,
            mark,
            disk_bytes: database.bytes().unwrap_or(0),
        };
        let (findings, more_findings) = self.findings.finish();
        Verified {
            report,
            findings,
            more_findings,
        }
    }
}

/// The records that expire, 16 bytes each: a hash of their key, and their expiry. They come before
/// the reminders, which are in the order of time and not of keys.
#[derive(Default)]
struct Expiring {
    records: Vec<(u64, u64)>,
    sorted: bool,
}

/// Never an expiry that a reminder at it or earlier is looked for.
const REMINDED: u64 = 0;

impl Expiring {
    fn record(&mut self, key: &Key, at_millis: u64) {
        // A reminder is at this or earlier; one step later tells it from one that was found.
        self.records
            .push((hash_of(key), at_millis.saturating_add(1)));
    }

    fn reminder(&mut self, key: &Key, at_millis: u64) {
        if !self.sorted {
            self.records.sort_unstable();
            self.sorted = true;
        }
        let hash = hash_of(key);
        let begins = self.records.partition_point(|(record, _)| *record < hash);
        for (_, end) in self.records[begins..]
            .iter_mut()
            .take_while(|(record, _)| *record == hash)
        {
            if at_millis < *end || at_millis == u64::MAX {
                *end = REMINDED;
            }
        }
    }

    /// The hashes of those for which no reminder was found, in order.
    fn unreminded(mut self) -> Vec<u64> {
        self.records.retain(|(_, end)| *end != REMINDED);
        self.records.sort_unstable();
        self.records.into_iter().map(|(hash, _)| hash).collect()
    }
}

fn hash_of(key: &Key) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.as_bytes().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
