use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn key(n: u8) -> Thumbprint {
    Thumbprint::from_bytes([n; 32])
}

fn proof(n: u64) -> [u8; 16] {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&n.to_le_bytes());
    hash
}

fn small(entries_max: usize, entries_per_key_max: usize) -> Ledger {
    Ledger::new(LedgerLimits {
        entries_max,
        entries_per_key_max,
    })
}

#[test]
fn a_proof_is_spent_once() {
    let ledger = Ledger::default();
    let until = NOW.plus(secs(70));
    assert_eq!(ledger.spend_hash(proof(1), key(1), until, NOW), Ok(()));
    for later in [0, 1, 69] {
        assert_eq!(
            ledger.spend_hash(proof(1), key(1), until, NOW.plus(secs(later))),
            Err(LedgerRefusal::Replayed)
        );
    }
    assert_eq!(
        ledger.spend_hash(proof(1), key(1), until, NOW.plus(secs(70))),
        Err(LedgerRefusal::Forgotten),
        "when its time is over it is still not accepted"
    );
}

#[test]
fn a_proof_is_found_whatever_it_must_be_remembered_until_now() {
    let ledger = Ledger::default();
    let spend = |until: u64| ledger.spend_hash(proof(1), key(1), NOW.plus(secs(until)), NOW);
    assert_eq!(spend(70), Ok(()));
    assert_eq!(spend(300), Err(LedgerRefusal::Replayed));
    assert_eq!(spend(1), Err(LedgerRefusal::Replayed));
}

#[test]
fn of_a_hundred_copies_one_is_accepted() {
    let ledger = Ledger::default();
    let barrier = Barrier::new(100);
    let accepted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                barrier.wait();
                if ledger
                    .spend_hash(proof(1), key(1), NOW.plus(secs(70)), NOW)
                    .is_ok()
                {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(accepted.into_inner(), 1);
    assert_eq!(ledger.entries(), 1);
}

/// Two at a time, over and over: looking first and writing afterwards would let
/// both through now and then.
#[test]
fn of_two_copies_one_is_accepted_every_time() {
    const PROOFS: u64 = 20_000;
    let ledger = Ledger::default();
    let barrier = Barrier::new(2);
    let accepted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                barrier.wait();
                for n in 0..PROOFS {
                    let spent = ledger.spend_hash(proof(n), key(1), NOW.plus(secs(70)), NOW);
                    accepted.fetch_add(usize::from(spent.is_ok()), Ordering::Relaxed);
                    // In step, so that every proof is a race.
                    if n % 64 == 0 {
                        barrier.wait();
                    }
                }
            });
        }
    });
    assert_eq!(accepted.into_inner(), PROOFS as usize);
}

#[test]
fn the_horizon_never_goes_back() {
    let ledger = Ledger::default();
    let until = NOW.plus(secs(70));
    assert_eq!(ledger.spend_hash(proof(1), key(1), until, NOW), Ok(()));
    let ahead = NOW.plus(secs(3600));
    let new = ledger.spend_hash(proof(2), key(1), ahead.plus(secs(70)), ahead);
    assert_eq!(new, Ok(()));
    // The clock is set back to where the first proof was good.
    assert_eq!(
        ledger.spend_hash(proof(1), key(1), until, NOW),
        Err(LedgerRefusal::Forgotten)
    );
    assert_eq!(
        ledger.spend_hash(proof(2), key(1), ahead.plus(secs(70)), NOW),
        Err(LedgerRefusal::Replayed)
    );
}

#[test]
fn a_full_ledger_refuses_and_forgets_nobody() {
    let ledger = small(10, 100);
    for n in 0..10 {
        assert_eq!(
            ledger.spend_hash(proof(n), key(n as u8), NOW.plus(secs(70)), NOW),
            Ok(())
        );
    }
    for n in 10..1000 {
        assert_eq!(
            ledger.spend_hash(proof(n), key(n as u8), NOW.plus(secs(70)), NOW),
            Err(LedgerRefusal::Full)
        );
    }
    for n in 0..10 {
        assert_eq!(
            ledger.spend_hash(proof(n), key(n as u8), NOW.plus(secs(70)), NOW),
            Err(LedgerRefusal::Replayed)
        );
    }
}

#[test]
fn a_key_gets_its_share_and_no_more() {
    let ledger = small(100, 5);
    let spend = |n, holder, now: UnixTime| {
        ledger.spend_hash(proof(n), key(holder), now.plus(secs(70)), now)
    };
    for n in 0..5 {
        assert_eq!(spend(n, 1, NOW), Ok(()));
    }
    assert_eq!(spend(5, 1, NOW), Err(LedgerRefusal::KeyFull));
    // The same shard, another key.
    assert_eq!(spend(6, 17, NOW), Ok(()));
    // The share comes back with time.
    assert_eq!(spend(7, 1, NOW.plus(secs(100))), Ok(()));
}

#[test]
fn what_is_over_is_freed() {
    let ledger = Ledger::default();
    for second in 0..600 {
        let now = NOW.plus(secs(second));
        for n in 0..10 {
            let spent = ledger.spend_hash(proof(second * 10 + n), key(1), now.plus(secs(70)), now);
            assert_eq!(spent, Ok(()));
        }
        // 70 s of life and at most one bucket of overstay.
        assert!(ledger.entries() <= 10 * (70 + 20 + 1));
    }
}

/// Whoever fills the ledger and falls silent must not keep the others out.
#[test]
fn what_the_silent_have_left_is_freed_too() {
    let ledger = small(10, 10);
    for n in 0..10 {
        let spent = ledger.spend_hash(proof(n), key(n as u8), NOW.plus(secs(70)), NOW);
        assert_eq!(spent, Ok(()));
    }
    // A key of a shard of its own, when all of that is over.
    let later = NOW.plus(secs(100));
    let spent = ledger.spend_hash(proof(10), key(15), later.plus(secs(70)), later);
    assert_eq!(spent, Ok(()));
    assert_eq!(ledger.entries(), 1);
}
