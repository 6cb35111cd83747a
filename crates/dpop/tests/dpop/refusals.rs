use std::collections::BTreeSet;

use countersign_dpop::Refusal;

use crate::rows::Table;

#[test]
fn every_row_names_its_check() {
    let table = Table::whole();
    let refusals: Vec<Refusal> = table
        .rows
        .iter()
        .filter_map(|row| row.outcome.err())
        .collect();
    let labels: BTreeSet<&str> = refusals.iter().map(|refusal| refusal.label()).collect();
    // Every variant but the two of the field, which `field.rs` has.
    assert_eq!(labels.len(), 35, "{labels:?}");
    let checks: BTreeSet<u8> = refusals.iter().map(|refusal| refusal.check()).collect();
    assert_eq!(checks, (2..=12).collect());
}

#[test]
fn a_challenge_is_for_nonces_alone() {
    use Refusal::{
        NonceBeforeStart, NonceMalformed, NonceMissing, NonceNeeded, NonceStale, NonceUnknown,
        TooOld,
    };
    for refusal in [
        NonceMissing,
        NonceUnknown,
        NonceStale,
        NonceBeforeStart,
        NonceNeeded,
    ] {
        assert!(refusal.asks_for_nonce(), "{refusal}");
    }
    for refusal in [
        NonceMalformed,
        TooOld,
        Refusal::InFuture,
        Refusal::BadSignature,
    ] {
        assert!(!refusal.asks_for_nonce(), "{refusal}");
    }
}

#[test]
fn a_refusal_explains_itself() {
    assert_eq!(
        Refusal::WrongMethod.to_string(),
        "the proof fails check 8 of RFC 9449 §4.3: wrong_method"
    );
}
