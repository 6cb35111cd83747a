use countersign_store::EntryHash;

use super::*;

/// The log at this place of [`LOGS`], from entry `first` on, whose predecessor has this hash.
fn ended(at: usize, first: u64, before: u8) -> Ended {
    let hash = EntryHash::from_bytes([before; 32]);
    Ended {
        first,
        before: hash,
        entries: 5,
        head: Noted {
            log: LOGS[at],
            number: first + 4,
            hash,
        },
    }
}

fn announced(objects: &[(&str, u64, u8)]) -> Announced {
    let mut announced = Announced::default();
    for (log, number, hash) in objects {
        let hash = EntryHash::from_bytes([*hash; 32]);
        announced.told("AUDIT_TRIMMED", &format!("{log}:{number}:{hash}"));
        // What says something else says nothing of a beginning.
        announced.told("CLIENT_DELETED", &format!("{log}:{}:{hash}", u64::MAX));
        announced.told("AUDIT_TRIMMED", "checkout");
    }
    announced
}

#[test]
fn a_removed_beginning_must_have_been_announced() {
    // What was announced; where `audit` and `issuance` begin, and on what hash; the entry that is
    // wrong.
    for (what, objects, audit, issuance, wrong) in [
        ("nothing is missing", &[][..], (1, 0), (1, 0), None),
        ("nothing was said", &[], (4, 7), (1, 0), Some(3)),
        ("nothing was said of issues", &[], (1, 0), (4, 7), Some(3)),
        ("as announced", &[("audit", 3, 7)], (4, 7), (1, 0), None),
        (
            "the newest counts",
            &[("audit", 3, 6), ("issuance", 1, 1), ("audit", 6, 7)],
            (7, 7),
            (1, 0),
            None,
        ),
        (
            "a removal under way",
            &[("audit", 6, 7)],
            (4, 1),
            (1, 0),
            None,
        ),
        (
            "more than announced",
            &[("audit", 3, 7)],
            (5, 7),
            (1, 0),
            Some(4),
        ),
        ("another hash", &[("audit", 3, 7)], (4, 6), (1, 0), Some(3)),
        (
            "said of the other log",
            &[("issuance", 3, 7)],
            (4, 7),
            (1, 0),
            Some(3),
        ),
        (
            "more issues than announced",
            &[("audit", 3, 7), ("issuance", 3, 7)],
            (4, 7),
            (9, 7),
            Some(8),
        ),
        (
            "the announcement itself was removed by an announced removal",
            &[("audit", 3, 7)],
            (4, 7),
            (9, 7),
            None,
        ),
    ] {
        let logs = [ended(0, audit.0, audit.1), ended(1, issuance.0, issuance.1)];
        let found = announced(objects).all(&logs).err();
        assert_eq!(found.map(|wrong| wrong.number), wrong, "{what}");
    }
}
