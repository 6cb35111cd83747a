use super::*;

/// Every form, under its key.
fn forms() -> Vec<(Vec<u8>, Vec<u8>)> {
    let key = Key::of("k").and([0, 1]);
    let version = Version::new(7);
    let hash = EntryHash::from_bytes([9; 32]);
    let tail = Tail { number: 3, hash };
    let [record, reminder] = [record_key(&key), reminder_key(5, &key)];
    let [entry, anchor] = [entry_key("log", 4), anchor_key("log")];
    let lasting = encode_record(&record, version, None, b"value");
    let expiring = encode_record(&record, version, Some(5), b"value");
    let reminded = encode_reminder(&reminder);
    let entered = encode_entry(&entry, version, hash, b"entry");
    let anchored = encode_anchor(&anchor, tail);
    vec![
        (COUNTER.to_vec(), encode_counter(7)),
        (record.clone(), lasting),
        (record, expiring),
        (reminder, reminded),
        (entry, entered),
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
        Item::Entry {
            number: 4,
            hash: None,
            ..
        }
    ));
    let item = read(COUNTER, &lasting[..9]);
    assert!(matches!(item, Item::Counter(7)));
    let item = read(&reminder_key(5, &key), &[]);
    assert!(matches!(item, Item::Reminder { at_millis: 5, .. }));
}
