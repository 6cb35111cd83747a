use super::*;

/// Every form, under its key.
fn forms() -> Vec<(Vec<u8>, Vec<u8>)> {
    let key = Key::of("k").and([0, 1]);
    let version = Version::new(7);
    let hash = EntryHash::from_bytes([9; 32]);
    let tail = Tail { number: 3, hash };
    let [record, reminder] = [record_key(&key), reminder_key(5, &key)];
    let together = reminders_key(5, 7, 1);
    let reminders = [(5, Key::of("k")), (5, key.clone()), (6, key)];
    let reminders = reminders.map(|(at_millis, key)| Reminder { at_millis, key });
    let mut entries = Vec::new();
    for entry in [&b"one"[..], b"", b"three"] {
        add_entry(&mut entries, version, hash, entry);
    }
    let [entry, anchor] = [entry_key("log", 4), anchor_key("log")];
    let lasting = encode_record(&record, version, None, b"value");
    let expiring = encode_record(&record, version, Some(5), b"value");
    let reminded = seal(&reminder, PLAIN, &[]);
    let chained = seal(
        &entry,
        CHAINED,
        &[&7_u64.to_be_bytes(), hash.as_bytes(), b"entry"],
    );
    let alone = encode_entry(&entry, version, hash, b"entry");
    let gathered = encode_entries(&entry, &entries);
    let anchored = encode_anchor(&anchor, tail);
    vec![
        (COUNTER.to_vec(), encode_counter(7)),
        (record.clone(), lasting),
        (record, expiring),
        (reminder, reminded),
        (together.clone(), encode_reminders(&together, &reminders)),
        (entry.clone(), chained),
        (entry.clone(), alone),
        (entry, gathered),
        (anchor, anchored),
    ]
}

#[test]
fn what_was_written_is_read() {
    for (key, value) in forms() {
        assert!(Item::decode(&key, &value).is_ok(), "{key:?}");
    }
}

/// No value with another byte, one less or one more is taken for one: least of all for one in the
/// forms that have no checksum.
#[test]
fn no_changed_value_is_accepted() {
    for (key, value) in forms() {
        for at in 0..value.len() {
            for byte in (0..=u8::MAX).filter(|byte| *byte != value[at]) {
                let mut changed = value.clone();
                changed[at] = byte;
                assert!(Item::decode(&key, &changed).is_err(), "{at}: {byte}");
            }
            // A reminder of the first release has no bytes: it says as much.
            let cut = &value[..at];
            let said = cut.is_empty() && key[0] == REMINDER;
            assert!(Item::decode(&key, cut).is_err() || said, "cut to {at}");
        }
        assert!(Item::decode(&key, &[&value[..], &[0]].concat()).is_err());
    }
}

/// A value is one under its own key only, the same kind of key or not.
#[test]
fn no_moved_value_is_accepted() {
    for (key, value) in forms() {
        for at in 0..key.len() {
            for bit in 0..8 {
                let mut moved = key.clone();
                moved[at] ^= 1 << bit;
                assert!(Item::decode(&moved, &value).is_err(), "{moved:?}");
            }
        }
        for (other, _) in forms().into_iter().filter(|(other, _)| *other != key) {
            assert!(Item::decode(&other, &value).is_err(), "{other:?}");
        }
    }
}

/// What the first release wrote stays readable.
#[test]
fn the_old_forms_are_read() {
    let key = Key::of("k");
    let read = |key: &[u8], value: &[u8]| Item::decode(key, value).expect("an old form");
    let commit = 7_u64.to_be_bytes();
    let lasting = [&[OLD][..], &commit, b"value"].concat();
    let Item::Record { record, .. } = read(&record_key(&key), &lasting) else {
        panic!("a record")
    };
    assert_eq!(
        (record.version, record.expires_at_millis),
        (Version::new(7), None)
    );
    assert_eq!(record.value, "value");

    let expiring = [&[OLD_EXPIRING][..], &commit, &5_u64.to_be_bytes(), b"value"].concat();
    let Item::Record { record, .. } = read(&record_key(&key), &expiring) else {
        panic!("a record")
    };
    assert_eq!(record.expires_at_millis, Some(5));

    let item = read(&entry_key("log", 4), &lasting);
    assert!(matches!(
        item,
        Item::Entries { entries, .. } if matches!(
            entries[..],
            [Entered { number: 4, hash: None, .. }]
        )
    ));
    let item = read(COUNTER, &lasting[..9]);
    assert!(matches!(item, Item::Counter(7)));
    let item = read(&reminder_key(5, &key), &[]);
    let alone = Reminder { at_millis: 5, key };
    assert!(matches!(item, Item::Reminders(reminders) if reminders == [alone]));
}

/// Entries that lie together have the numbers up to the last one's, which the key has, and what
/// each was given.
#[test]
fn entries_that_lie_together_are_numbered() {
    let (key, version) = (entry_key("log", 9), Version::new(7));
    let hashes = [1, 2, 3].map(|n| EntryHash::from_bytes([n; 32]));
    let mut together = Vec::new();
    for (hash, entry) in hashes.into_iter().zip(["one", "", "three"]) {
        add_entry(&mut together, version, hash, entry.as_bytes());
    }
    let value = encode_entries(&key, &together);
    let Ok(Item::Entries { log, entries }) = Item::decode(&key, &value) else {
        panic!("entries")
    };
    let expected = [(7, "one"), (8, ""), (9, "three")];
    let expected = expected.into_iter().zip(hashes);
    let expected = expected.map(|((number, entry), hash)| Entered {
        number,
        version,
        hash: Some(hash),
        bytes: Bytes::from(entry),
    });
    assert_eq!((&log[..], entries), ("log", expected.collect()));
}

/// With a checksum that is right, none is taken that could not have been written: no entries,
/// numbers from below one on, lengths beyond the end, times out of order or before the key's.
#[test]
fn lists_that_are_none_are_refused() {
    let (version, hash) = (Version::new(7), EntryHash::from_bytes([9; 32]));
    let mut entries = Vec::new();
    add_entry(&mut entries, version, hash, b"one");
    add_entry(&mut entries, version, hash, b"two");
    let third = entry_key("log", 3);
    let mut long = entries.clone();
    long[43] += 100;
    let lists = [
        (entry_key("log", 1), &entries[..]),
        (entry_key("log", 0), &entries[..47]),
        (entry_key("log", 0), &[]),
        (entry_key("log", u64::MAX), &entries[..]),
        (entry_key("log", u64::MAX), &[]),
        (third.clone(), &[]),
        (third.clone(), &entries[..entries.len() - 1]),
        (third, &long[..]),
    ];
    for (key, list) in lists {
        let value = encode_entries(&key, list);
        assert!(Item::decode(&key, &value).is_err(), "{key:?}: {list:?}");
    }

    let last = entry_key("log", u64::MAX - 1);
    assert!(Item::decode(&last, &encode_entries(&last, &entries[..47])).is_ok());
    let anchor = anchor_key("log");
    let number = u64::MAX;
    let trimmed = encode_anchor(&anchor, Tail { number, hash });
    assert!(Item::decode(&anchor, &trimmed).is_err());

    let key = reminders_key(5, 7, 0);
    let reminder = |at_millis| Reminder {
        at_millis,
        key: Key::of("k"),
    };
    let lists = [vec![], vec![4], vec![6], vec![5, 4], vec![6, 5]];
    for times in lists {
        let reminders: Vec<_> = times.iter().copied().map(reminder).collect();
        let value = encode_reminders(&key, &reminders);
        assert!(Item::decode(&key, &value).is_err(), "{times:?}");
    }
}
