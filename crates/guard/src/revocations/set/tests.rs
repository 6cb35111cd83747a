use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);

fn key(byte: u8) -> Thumbprint {
    Thumbprint::from_bytes([byte; 32])
}

fn marks() -> Marks {
    let family = Some("family");
    Marks::of(
        "token",
        family,
        "client",
        "subject",
        Some(&key(1)),
        Some(&key(9)),
    )
}

fn of_reference() -> Marks {
    Marks::of("token", None, "client", "subject", None, None)
}

fn revocation(target: RevokedTarget) -> Revocation {
    Revocation {
        target,
        revoked_at: NOW,
        forget_at: NOW.plus(Duration::from_secs(960)),
    }
}

fn set_of(targets: impl IntoIterator<Item = RevokedTarget>) -> RevokedSet {
    let set = RevokedSet::default();
    let revocations: Vec<_> = targets.into_iter().map(revocation).collect();
    set.add(&Batch::of(&revocations, NOW));
    set
}

#[test]
fn each_target_hits_its_tokens_and_no_others() {
    use RevokedTarget as Target;
    let later = NOW.plus(Duration::from_secs(1));
    // What is revoked, whether it hits what was issued until then, and what later.
    let rows = [
        (Target::Token("token".to_owned()), true, true),
        (Target::Token("family".to_owned()), false, false),
        (Target::Family("family".to_owned()), true, true),
        (Target::Family("token".to_owned()), false, false),
        (Target::Client("client".to_owned()), true, false),
        (Target::Client("subject".to_owned()), false, false),
        (Target::Subject("subject".to_owned()), true, false),
        (Target::Subject("client".to_owned()), false, false),
        (Target::Key(key(1)), true, false),
        (Target::Key(key(2)), false, false),
        (Target::Key(key(9)), false, false),
        (Target::Signer(key(9)), true, true),
        (Target::Signer(key(1)), false, false),
        (Target::References, false, false),
        (Target::Everything, true, false),
    ];
    for (target, then, after) in rows {
        let label = format!("{target:?}");
        let set = set_of([target.clone()]);
        let batch = Batch::of(&[revocation(target)], NOW);
        assert_eq!(set.hits(&marks(), NOW), then, "{label}");
        assert_eq!(set.hits(&marks(), later), after, "{label}, later");
        assert_eq!(batch.hits(&marks(), NOW), then, "{label}, batch");
        assert_eq!(batch.hits(&marks(), later), after, "{label}, batch, later");
        assert!(!batch.is_empty());
    }
}

#[test]
fn references_are_hit_and_nothing_else_is() {
    let later = NOW.plus(Duration::from_secs(1));
    let set = set_of([RevokedTarget::References]);
    let batch = Batch::of(&[revocation(RevokedTarget::References)], NOW);
    for (row, marks, then) in [
        ("a JWT", marks(), false),
        ("a reference", of_reference(), true),
    ] {
        assert_eq!(set.hits(&marks, NOW), then, "{row}");
        assert_eq!(batch.hits(&marks, NOW), then, "{row}, batch");
        assert!(!set.hits(&marks, later), "{row}, later");
        assert!(!batch.hits(&marks, later), "{row}, batch, later");
    }
}

#[test]
fn what_came_twice_holds_as_its_strictest_says() {
    let target = RevokedTarget::Client("client".to_owned());
    let late = Revocation {
        revoked_at: NOW.plus(Duration::from_secs(100)),
        ..revocation(target.clone())
    };
    let early = Revocation {
        forget_at: NOW.plus(Duration::from_secs(2_000)),
        ..revocation(target)
    };
    for order in [[&late, &early], [&early, &late]] {
        let (one, two) = (RevokedSet::default(), RevokedSet::default());
        one.add(&Batch::of(order, NOW));
        for revocation in order {
            two.add(&Batch::of([revocation], NOW));
        }
        for set in [one, two] {
            assert_eq!(set.len(), 1);
            assert!(set.hits(&marks(), NOW.plus(Duration::from_secs(100))));
            set.forget(NOW.plus(Duration::from_secs(1_999)));
            assert!(
                set.hits(&marks(), NOW),
                "kept for as long as the longer one"
            );
        }
    }
}

#[test]
fn it_is_remembered_until_its_last_token_is_dead() {
    let set = set_of([RevokedTarget::Token("token".to_owned())]);
    set.forget(NOW.plus(Duration::from_secs(960)));
    assert!(set.hits(&marks(), NOW), "in the second of its end");
    assert_eq!(set.len(), 1);
    set.forget(NOW.plus(Duration::from_secs(971)));
    assert!(!set.hits(&marks(), NOW));
    assert_eq!(set.len(), 0);
}

#[test]
fn whoever_looks_again_sees_that_something_is_new() {
    let set = RevokedSet::default();
    let before = set.version();
    assert_ne!(before, 0, "0 is what nobody has looked at");
    set.add(&Batch::of(&[revocation(RevokedTarget::Everything)], NOW));
    assert_ne!(set.version(), before);
}

#[test]
fn a_million_take_less_than_64_bytes_each() {
    let set = RevokedSet::default();
    let many: Vec<_> = (0..1_000_000)
        .map(|n| revocation(RevokedTarget::Token(n.to_string())))
        .collect();
    for some in many.chunks(1_000) {
        set.add(&Batch::of(some, NOW));
    }
    assert_eq!(set.len(), 1_000_000);
    // A table has room for seven entries in eight places, and a byte more for each place.
    let places: usize = set
        .shards
        .iter()
        .map(|shard| (shard.read().capacity() * 8).div_ceil(7))
        .sum();
    let bytes = places * (size_of::<(Mark, Until)>() + 1);
    assert!(bytes <= 64 * 1_000_000, "{bytes} bytes");
    assert!(set.hits(
        &Marks::of("999999", None, "c", "s", None, Some(&key(9))),
        NOW
    ));
    assert!(!set.hits(
        &Marks::of("1000000", None, "c", "s", None, Some(&key(9))),
        NOW
    ));
}

/// A source that never stops revoking fills no memory, and nothing that it revoked comes back.
#[test]
fn more_than_can_be_remembered_becomes_everything() {
    let set = RevokedSet {
        entries_max: 10,
        ..RevokedSet::default()
    };
    let named = |n: u32| revocation(RevokedTarget::Token(n.to_string()));
    let of = |n: u32| {
        Marks::of(
            &n.to_string(),
            None,
            "client",
            "subject",
            None,
            Some(&key(9)),
        )
    };
    for n in 0..1_000 {
        let added = set.admit(Batch::of(&[named(n)], NOW), NOW);
        assert!(set.len() <= 10);
        assert!(added.hits(&of(n), NOW), "its streams end");
        assert!(
            (0..=n).all(|n| set.hits(&of(n), NOW)),
            "and all stay revoked"
        );
    }
    let later = NOW.plus(Duration::from_secs(3));
    let (one, other) = (of(1), of(1_001));
    assert!(set.hits(&other, NOW.plus(MARGIN)), "whoever it was");
    assert!(!set.hits(&one, later) && !set.hits(&other, later));
    // Within its bounds it takes each for itself.
    let set = RevokedSet::default();
    set.admit(Batch::of(&[named(1)], NOW), NOW);
    assert!(set.hits(&of(1), NOW) && !set.hits(&of(2), NOW));
}

#[test]
fn signing_keys_stay_revoked_whatever_else_is_too_much() {
    let set = RevokedSet {
        entries_max: 10,
        ..RevokedSet::default()
    };
    let named = |n: u32| revocation(RevokedTarget::Token(n.to_string()));
    let signer = revocation(RevokedTarget::Signer(key(9)));
    set.admit(Batch::of(&[signer], NOW), NOW);
    for n in 0..100 {
        set.admit(Batch::of(&[named(n)], NOW), NOW);
    }
    // In the batch that is too much, too.
    let other = revocation(RevokedTarget::Signer(key(8)));
    let both: Vec<_> = (100..120).map(named).chain([other]).collect();
    let added = set.admit(Batch::of(&both, NOW), NOW);
    let tomorrow = NOW.plus(Duration::from_secs(86_400));
    assert!(set.hits(&marks(), tomorrow), "it says what it likes");
    assert!(set.hits_signer(&key(9)) && set.hits_signer(&key(8)));
    assert!(!set.hits_signer(&key(7)));
    let of_other = Marks::of("t", None, "c", "s", None, Some(&key(8)));
    assert!(added.hits(&of_other, tomorrow), "its streams end");
    assert!(added.marks().any(|mark| mark == Mark::of_signer(&key(8))));
    // As long as a token of theirs could live, and no longer.
    set.forget(NOW.plus(Duration::from_secs(962)));
    assert!(!set.hits_signer(&key(9)));
}

#[test]
fn what_is_known_takes_no_room_twice() {
    let set = RevokedSet {
        entries_max: 10,
        ..RevokedSet::default()
    };
    let ten: Vec<_> = (0..10)
        .map(|n| revocation(RevokedTarget::Client(n.to_string())))
        .collect();
    set.admit(Batch::of(&ten, NOW), NOW);
    let again = set.admit(Batch::of(&ten, NOW), NOW);
    assert!(!again.is_of_everything());
    assert!(!set.hits(&marks(), NOW), "nothing else is refused");
}

#[test]
fn more_signing_keys_than_there_can_be_refuse_everything() {
    let set = RevokedSet::default();
    let many: Vec<_> = (0..=SIGNERS_MAX)
        .map(|n| {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&n.to_be_bytes());
            revocation(RevokedTarget::Signer(Thumbprint::from_bytes(name)))
        })
        .collect();
    let added = set.admit(Batch::of(&many, NOW), NOW);
    let tomorrow = NOW.plus(Duration::from_secs(86_400));
    assert!(added.hits(&marks(), tomorrow) && set.hits(&marks(), tomorrow));
}

/// Whoever asks while many become one finds one or the other.
#[test]
fn nothing_slips_through_while_more_than_can_be_remembered_becomes_everything() {
    for _ in 0..500 {
        let set = RevokedSet {
            entries_max: 1,
            ..set_of([RevokedTarget::Token("token".to_owned())])
        };
        let marks = marks();
        std::thread::scope(|scope| {
            let overflow = scope.spawn(|| {
                set.admit(
                    Batch::of(&[revocation(RevokedTarget::Key(key(9)))], NOW),
                    NOW,
                )
            });
            while !overflow.is_finished() {
                assert!(!set.is_empty() && set.hits(&marks, NOW));
            }
        });
    }
}
