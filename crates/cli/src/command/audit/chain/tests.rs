use countersign_server::audit::LOGS;

use super::*;

/// An entry as it is kept.
type Kept = (u64, Vec<u8>, EntryHash);

/// Five entries from the number `first` on.
fn log(first: u64) -> (EntryHash, Vec<Kept>) {
    let [audit, _] = LOGS;
    let mut hash = chain::origin(audit);
    let mut all = Vec::new();
    for number in 1..first + 5 {
        let bytes = format!("entry {number}").into_bytes();
        let before = hash;
        hash = chain::next(before, number, &bytes);
        if number >= first {
            all.push((number, bytes, hash));
        }
        if number + 1 == first {
            all.clear();
        }
    }
    let before = (1..first).fold(chain::origin(audit), |hash, number| {
        chain::next(hash, number, format!("entry {number}").as_bytes())
    });
    (before, all)
}

fn verify(
    first: u64,
    before: EntryHash,
    entries: &[Kept],
    noted: &[Noted],
) -> Result<Ended, Wrong> {
    let [audit, _] = LOGS;
    let mut chain = Chain::from(audit, first, before, noted)?;
    for (number, bytes, kept) in entries {
        chain = chain.entry(*number, bytes, kept.as_bytes())?;
    }
    chain.end()
}

#[test]
fn a_log_as_it_was_written_is_a_chain() {
    for first in [1, 4] {
        let (before, entries) = log(first);
        let ended = verify(first, before, &entries, &[]).expect("a chain");
        assert_eq!((ended.first, ended.entries), (first, 5));
        let noted: Noted = ended.head.to_string().parse().expect("what it prints");
        assert_eq!(noted, ended.head);
        // What was noted of the middle, of the end and of what was trimmed last.
        let of = |(number, _, hash): &Kept| Noted {
            number: *number,
            hash: *hash,
            ..noted
        };
        let trimmed = Noted {
            number: first - 1,
            hash: before,
            ..noted
        };
        for noted in [of(&entries[2]), of(&entries[4]), trimmed] {
            verify(first, before, &entries, &[noted]).expect("still so");
        }
    }
}

#[test]
fn what_was_altered_is_found_with_its_number() {
    let (before, entries) = log(1);
    let altered = |alter: &dyn Fn(&mut Vec<Kept>)| {
        let mut altered = entries.clone();
        alter(&mut altered);
        verify(1, before, &altered, &[])
            .map(|_| ())
            .map_err(|wrong| wrong.number)
    };
    // Whoever can write the store can write hashes, too.
    let rechain = |from: usize, kept: &mut Vec<Kept>| {
        for at in from..kept.len() {
            let before = kept[at - 1].2;
            kept[at].2 = chain::next(before, kept[at].0, &kept[at].1);
        }
    };
    for (what, alter, found) in [
        (
            "nothing",
            &(|_: &mut Vec<Kept>| ()) as &dyn Fn(&mut Vec<Kept>),
            Ok(()),
        ),
        ("a byte", &|kept| kept[2].1[0] ^= 1, Err(3)),
        ("the hash", &|kept| kept[2].2 = kept[1].2, Err(3)),
        (
            "an entry with its hash",
            &|kept| kept[2] = (3, b"other".to_vec(), chain::next(kept[1].2, 3, b"other")),
            Err(4),
        ),
        (
            "removed",
            &|kept| {
                kept.remove(2);
            },
            Err(3),
        ),
        (
            "removed and numbered anew",
            &|kept| {
                kept.remove(2);
                for (at, entry) in kept.iter_mut().enumerate() {
                    entry.0 = at as u64 + 1;
                }
            },
            Err(3),
        ),
        ("two that changed places", &|kept| kept.swap(1, 2), Err(2)),
        (
            "two whose bytes changed places",
            &|kept| {
                let first = std::mem::take(&mut kept[1].1);
                let second = std::mem::replace(&mut kept[2].1, first);
                kept[1].1 = second;
            },
            Err(2),
        ),
        (
            "put in",
            &|kept| kept.insert(2, (3, b"new".to_vec(), kept[2].2)),
            Err(3),
        ),
        ("twice", &|kept| kept.insert(2, kept[1].clone()), Err(3)),
        (
            "the first removed",
            &|kept| {
                kept.remove(0);
            },
            Err(1),
        ),
    ] {
        assert_eq!(altered(alter), found, "{what}");
    }
    let another = Noted {
        log: LOGS[0],
        number: 0,
        hash: entries[0].2,
    };
    assert_eq!(
        verify(1, another.hash, &entries, &[]).unwrap_err().number,
        1,
        "another beginning"
    );

    // A chain that was made anew from the change on, and one that was cut: only a note tells.
    let mut replaced = entries.clone();
    replaced[2].1[0] ^= 1;
    rechain(2, &mut replaced);
    verify(1, before, &replaced, &[]).expect("a chain");
    let noted = Noted {
        log: LOGS[0],
        number: 4,
        hash: entries[3].2,
    };
    assert_eq!(
        verify(1, before, &replaced, &[noted]).unwrap_err().number,
        4
    );
    verify(1, before, &entries[..3], &[]).expect("a chain");
    assert_eq!(
        verify(1, before, &entries[..3], &[noted])
            .unwrap_err()
            .number,
        4
    );
    // Retention took it away: it cannot be said.
    let (before, later) = log(7);
    assert_eq!(verify(7, before, &later, &[noted]).unwrap_err().number, 4);
}

#[test]
fn numbers_at_both_ends_are_refused_and_no_more() {
    let (before, entries) = log(1);
    let noted = Noted {
        log: LOGS[0],
        number: u64::MAX,
        hash: before,
    };
    let kept = |number| {
        let bytes = b"entry".to_vec();
        let hash = chain::next(before, number, &bytes);
        (number, bytes, hash)
    };
    for (what, first, entries, noted, found) in [
        (
            "a note of the greatest",
            1,
            &entries[..],
            &[noted][..],
            u64::MAX,
        ),
        (
            "an entry of the greatest",
            u64::MAX,
            &[kept(u64::MAX)],
            &[],
            u64::MAX,
        ),
        ("both", u64::MAX, &[kept(u64::MAX)], &[noted], u64::MAX),
        ("an entry of none", 0, &[kept(0)], &[], 0),
        ("no entry of none", 0, &[], &[], 0),
    ] {
        let wrong = verify(first, before, entries, noted).expect_err(what);
        assert_eq!(wrong.number, found, "{what}");
    }
}

#[test]
fn a_note_that_is_none_is_refused() {
    let hash = "00".repeat(32);
    for text in [
        String::new(),
        "audit:1".to_owned(),
        format!("other:1:{hash}"),
        format!("audit:x:{hash}"),
        format!("audit:1:{hash}0"),
        format!("audit:1:{}", "zz".repeat(32)),
        format!("audit:1:{hash}:1"),
        // Found by fuzzing: other texts of the same numbers.
        format!("audit:+1:{hash}"),
        format!("audit:01:{hash}"),
        format!("audit:1:{}", "+0".repeat(32)),
        format!("audit:1:{}", "0A".repeat(32)),
    ] {
        assert!(text.parse::<Noted>().is_err(), "{text}");
    }
    assert!(format!("audit:1:{hash}").parse::<Noted>().is_ok());
}
