use std::time::Duration;

use countersign_dpop::{NonceAge, NonceKey, NonceRefusal, NonceRule, NonceTermsError, Nonces};
use countersign_jose::UnixTime;

fn nonces(fill: u8) -> Nonces {
    Nonces::new(&NonceKey::new([fill; 32]), Duration::from_secs(10), 3).unwrap()
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

#[test]
fn a_nonce_lives_for_its_step_and_those_after() {
    let nonces = nonces(1);
    let minted_at = UnixTime::from_millis(1_005_250);
    let nonce = nonces.mint(minted_at);
    let ends_at = at(1030);
    let check = |now: UnixTime, expected: Result<bool, NonceRefusal>| {
        let expected = expected.map(|expiring| NonceAge {
            minted_at,
            ends_at,
            expiring,
        });
        assert_eq!(nonces.check(&nonce, now), expected, "{now:?}");
    };
    check(minted_at, Ok(false));
    check(at(1000), Ok(false));
    check(at(1019), Ok(false));
    check(at(1020), Ok(true));
    check(UnixTime::from_millis(1_029_999), Ok(true));
    check(at(1030), Err(NonceRefusal::Stale));
    check(at(9999), Err(NonceRefusal::Stale));
    // Minted by a replica whose clock is ahead.
    check(UnixTime::from_millis(1_005_250 - 60_000), Ok(false));
    check(
        UnixTime::from_millis(1_005_250 - 60_001),
        Err(NonceRefusal::Stale),
    );
    assert_eq!(nonces.lifetime(), Duration::from_secs(30));
}

#[test]
fn only_ones_own_are_known() {
    let nonce = nonces(1).mint(at(1000));
    assert!(
        nonces(1).check(&nonce, at(1000)).is_ok(),
        "a replica with the same key"
    );
    assert_eq!(
        nonces(2).check(&nonce, at(1000)),
        Err(NonceRefusal::Unknown)
    );
    assert_ne!(nonces(1).mint(at(1000)), nonces(2).mint(at(1000)));
    for mangled in [
        "",
        "AAAA",
        &nonce[1..],
        &nonce.replace(char::is_alphabetic, "A"),
    ] {
        assert_eq!(
            nonces(1).check(mangled, at(1000)),
            Err(NonceRefusal::Unknown),
            "{mangled}"
        );
    }
}

#[test]
fn terms() {
    let key = NonceKey::new([1; 32]);
    let terms = |millis, steps| Nonces::new(&key, Duration::from_millis(millis), steps).map(|_| ());
    assert_eq!(terms(1000, 2), Ok(()));
    assert_eq!(terms(999, 2), Err(NonceTermsError));
    assert_eq!(terms(1000, 1), Err(NonceTermsError));
    assert_eq!(
        Nonces::new(&key, Duration::MAX, 3).map(|_| ()),
        Err(NonceTermsError)
    );
    assert_eq!(Nonces::standard(&key).lifetime(), Duration::from_secs(180));
}

#[test]
fn extreme_clocks_do_not_panic() {
    let nonces = nonces(1);
    let last = UnixTime::from_millis(u64::MAX);
    for minted in [at(0), last] {
        for now in [at(0), last] {
            let _ = nonces.check(&nonces.mint(minted), now);
        }
    }
}

#[test]
fn what_a_rule_hands_out_it_accepts() {
    let nonces = nonces(1);
    let start = at(1000);
    let minted_from = start.plus(Duration::from_secs(15));
    let cold = NonceRule::Required {
        nonces: &nonces,
        minted_from: Some(minted_from),
    };
    for now in [1000, 1014, 1015, 1016, 1070].map(at) {
        let nonce = cold.mint(now).unwrap();
        let age = nonces.check(&nonce, now).unwrap();
        assert!(
            age.minted_at >= minted_from && !age.expiring,
            "{age:?} at {now:?}"
        );
    }
    let open = NonceRule::WhenOff { nonces: &nonces };
    assert_eq!(open.mint(start), Some(nonces.mint(start)));
    assert_eq!(NonceRule::Off.mint(start), None);
}

#[test]
fn keys_are_not_shown() {
    let key = NonceKey::new([0x41; 32]);
    let shown = format!("{key:?} {:?}", Nonces::standard(&key));
    for secret in ["AAAA", "4141", "65, 65", "QUFB"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
