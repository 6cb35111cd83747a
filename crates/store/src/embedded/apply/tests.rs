//! What lies in the database after a batch, a sweep and a trim, item by item.

mod random;

use tempfile::{TempDir, tempdir};

use super::super::layout::{Item, Tail};
use super::*;
use crate::{Log, Swept, Trimmed, Write};

const LOG: Log = Log::named("log");
const OTHER: Log = Log::named("other");
/// When the first of the records ends.
const END: u64 = 100_000;

fn database() -> (TempDir, Database) {
    let directory = tempdir().unwrap();
    match Database::open(&directory.path().join("database"), 1024 * 1024) {
        Ok(database) => (directory, database),
        Err(_) => panic!("the database opens"),
    }
}

fn commit(writer: &mut Writer<'_>, n: u64, expires_at_millis: u64) {
    let key = Key::of("k").and(n.to_be_bytes());
    let write = Write::create(key, "value").expiring_at(expires_at_millis);
    let change = Change::of([write]).append(LOG, n.to_be_bytes().to_vec());
    let done = writer.commit(&change, |_| {}).unwrap();
    assert!(matches!(done, Commit::Done(_)));
}

/// The numbers of the entries of `LOG`, and the times of the reminders: those that lie together
/// together.
fn lying(database: &Database) -> (Vec<Vec<u64>>, Vec<Vec<u64>>) {
    let (mut entries, mut reminders) = (Vec::new(), Vec::new());
    let walked = database.walk(|item| match item {
        Item::Entries {
            log,
            entries: together,
        } if log == LOG.name() => {
            entries.push(together.iter().map(|entry| entry.number).collect());
        }
        Item::Reminders(together) => {
            reminders.push(together.iter().map(|next| next.at_millis).collect());
        }
        _ => {}
    });
    walked.unwrap();
    (entries, reminders)
}

/// The entries of a batch lie together, and its reminders of about the same time. A commit of its
/// own leaves each of its own.
#[test]
fn what_nobody_looks_up_lies_together() {
    let (_directory, database) = database();
    let mut writer = Writer::new(&database, 0, Tails::new());
    let ends = [END, END + 1000, END + 1001, END + 5, 9 * END];
    for (n, end) in (1..).zip(ends) {
        commit(&mut writer, n, end);
    }
    writer.apply().unwrap();
    commit(&mut writer, 6, END);
    writer.apply().unwrap();
    let (entries, reminders) = lying(&database);
    assert_eq!(entries, [vec![1, 2, 3, 4, 5], vec![6]]);
    let near = vec![END, END + 5, END + 1000];
    let expected = [near, vec![END], vec![END + 1001], vec![9 * END]];
    assert_eq!(reminders, expected);
}

/// A few kilobytes at most: who reads one entry reads those beside it. One alone may be larger.
#[test]
fn what_lies_together_is_bounded() {
    let (_directory, database) = database();
    let mut writer = Writer::new(&database, 0, Tails::new());
    let sizes = [1000, 20_000, 20_000, 70_000, 70_000, 10];
    for size in sizes {
        let change = Change::of([])
            .append(LOG, vec![0; size])
            .append(OTHER, "other");
        writer.commit(&change, |_| {}).unwrap();
    }
    for n in 0..50 {
        let writes = [0_u8, 1].map(|m| {
            let key = Key::of("k").and([n, m]);
            Write::create(key, "value").expiring_at(END)
        });
        writer.commit(&Change::of(writes), |_| {}).unwrap();
    }
    writer.apply().unwrap();
    let (entries, reminders) = lying(&database);
    assert_eq!(entries, [vec![1, 2], vec![3], vec![4], vec![5], vec![6]]);
    let counts: Vec<_> = reminders.iter().map(Vec::len).collect();
    assert_eq!(counts, [64, 36]);
}

/// A sweep that may not look at all of them leaves the rest where the next one finds it, and what
/// is not due yet too.
#[test]
fn a_sweep_leaves_the_rest_together() {
    let (_directory, database) = database();
    let mut writer = Writer::new(&database, 0, Tails::new());
    for n in 0..8 {
        commit(&mut writer, n, END + n);
    }
    writer.apply().unwrap();
    let swept = |looked, more| Swept {
        looked,
        removed: looked,
        more,
    };
    let mut sweep = |now, max| {
        let swept = writer.sweep(now, max, |_| {}).unwrap();
        writer.apply().unwrap();
        swept
    };
    assert_eq!(sweep(END - 1, 3), swept(0, false));
    assert_eq!(sweep(END + 4, 3), swept(3, true));
    assert_eq!(lying(&database).1, [[3, 4, 5, 6, 7].map(|n| END + n)]);
    assert_eq!(sweep(END + 4, 3), swept(2, false));
    assert_eq!(lying(&database).1, [[5, 6, 7].map(|n| END + n)]);
    assert_eq!(sweep(u64::MAX, 3), swept(3, false));
    assert_eq!(lying(&database).1, [[]; 0]);
}

/// What lies beside something due is not counted as due: others that are due may come after it.
#[test]
fn a_sweep_says_that_there_is_more() {
    let (_directory, database) = database();
    let mut writer = Writer::new(&database, 0, Tails::new());
    for (n, ends) in [(0, [END, END + 900]), (2, [END + 1, END + 901])] {
        for (n, end) in (n..).zip(ends) {
            commit(&mut writer, n, end);
        }
        writer.apply().unwrap();
    }
    for more in [true, false] {
        let swept = writer.sweep(END + 500, 1, |_| {}).unwrap();
        assert_eq!((swept.looked, swept.removed, swept.more), (1, 1, more));
    }
}

/// A trim may end between entries that lie together: the rest stays, with the hashes that it had.
#[test]
fn a_trim_ends_wherever_it_has_to() {
    let (_directory, database) = database();
    let mut writer = Writer::new(&database, 0, Tails::new());
    for n in 1..=8 {
        commit(&mut writer, n, END);
        if n % 4 == 0 {
            writer.apply().unwrap();
        }
    }
    let entries = || {
        let mut all = Vec::new();
        let walked = database.walk(|item| {
            if let Item::Entries { entries, .. } = item {
                all.extend(entries);
            }
        });
        walked.map(|()| all).unwrap()
    };
    let before = entries();
    let trimmed = |removed, more| Trimmed { removed, more };
    // At most so many; below a number; all but the last.
    for (below, max, expected, left) in [
        (0, 9, trimmed(0, false), 8),
        (1, 9, trimmed(0, false), 8),
        (8, 2, trimmed(2, true), 6),
        (4, 9, trimmed(1, false), 5),
        (7, 2, trimmed(2, true), 3),
        (100, 9, trimmed(2, false), 1),
        (100, 9, trimmed(0, false), 1),
    ] {
        let found = writer.trim(LOG, below, max, |_| {}).unwrap();
        assert_eq!(found, expected, "below {below}, at most {max}");
        writer.apply().unwrap();
        let rest = &before[before.len() - left..];
        assert_eq!(entries(), rest, "below {below}, at most {max}");
        let key = layout::anchor_key(LOG.name());
        let anchor = database.read(&key, layout::decode_anchor).unwrap();
        if let Some(last) = before[..before.len() - left].last() {
            let (number, hash) = (last.number, last.hash.unwrap());
            assert_eq!(anchor, Some(Tail { number, hash }));
        }
    }
}

/// One record that is made and removed again and again, always with the same end: a sweep leaves it
/// a reminder or two, not one for each time.
#[test]
fn reminders_of_one_record_do_not_pile_up() {
    let (_directory, database) = database();
    let mut writer = Writer::new(&database, 0, Tails::new());
    let key = Key::of("k");
    let mut made = None;
    for n in 0..=100 {
        if let Some(version) = made {
            let removed = Change::of([Write::delete(key.clone(), version)]);
            writer.commit(&removed, |_| {}).unwrap();
        }
        let write = Write::create(key.clone(), "value").expiring_at(END + n % 2);
        let Commit::Done(done) = writer.commit(&Change::of([write]), |_| {}).unwrap() else {
            panic!("a conflict")
        };
        made = Some(done.version);
        writer.apply().unwrap();
    }
    let write = Write::replace(key, made.unwrap(), "value").expiring_at(2 * END);
    writer.commit(&Change::of([write]), |_| {}).unwrap();
    while writer.sweep(END + 1, 32, |_| {}).unwrap().more {}
    writer.apply().unwrap();
    let left: usize = lying(&database).1.iter().map(Vec::len).sum();
    assert!((1..=5).contains(&left), "{left}");
}
