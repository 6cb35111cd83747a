//! A proof's identity, and how long it is remembered.

use std::time::Duration;

use countersign_dpop::{NonceStanding, VerifiedProof};
use countersign_jose::{UnixTime, sha256};

use crate::case::{Case, METHOD, NONCES, NOW_SECS, ORIGINS, Rule, Signer, TOKEN, now, proof};
use crate::values::{high_s, low_s};

fn verified(case: &Case) -> VerifiedProof {
    case.verify().unwrap()
}

#[test]
fn the_identity_is_key_target_and_jti() {
    let first = verified(&proof());
    let (jkt, htu, jti) = (
        first.jkt.as_bytes(),
        format!("{}{METHOD}", ORIGINS[0]),
        "-BwC3ESc6acc2lTc",
    );
    let len = |bytes: usize| (bytes as u64).to_be_bytes();
    let expected = sha256(&[
        &len(jkt.len()),
        jkt,
        &len(htu.len()),
        htu.as_bytes(),
        &len(jti.len()),
        jti.as_bytes(),
    ]);
    assert_eq!(first.spent.as_bytes(), &expected);
    assert_eq!(first.spent.short(), expected[..16]);
}

#[test]
fn what_is_the_same_proof_and_what_is_another() {
    let same = |case: Case, expected: bool| {
        assert_eq!(
            verified(&case).spent == verified(&proof()).spent,
            expected,
            "{}",
            case.build()
        );
    };
    same(proof(), true);
    same(proof().signature(|s| high_s(&s)), true);
    same(proof().signature(|s| low_s(&s)), true);
    same(proof().iat(5), true);
    same(proof().claim("x", "1"), true);
    same(proof().with_token(TOKEN).ath_of(TOKEN), true);
    same(proof().jwk_member("kid", "\"x\""), true);
    same(
        proof().target(&format!("HTTPS://RS.example.com:443{METHOD}?x#y")),
        true,
    );
    same(proof().claim("jti", r#""\u002dBwC3ESc6acc2lTc""#), true);
    same(proof().nonce_minted_before(0).nonces(Rule::Required), true);

    same(proof().jti("another"), false);
    same(proof().jti("-bwc3esc6acc2ltc"), false);
    same(proof().signed_by(Signer::Es256([9; 32])), false);
    same(proof().signed_by(Signer::Ed25519([1; 32])), false);
    same(proof().target(&format!("{}{METHOD}", ORIGINS[1])), false);
    let sibling = "/orders.v1.Orders/Delete";
    same(
        proof()
            .target(&format!("{}{sibling}", ORIGINS[0]))
            .called_with("POST", sibling),
        false,
    );
}

#[test]
fn the_matching_origin_is_reported() {
    assert_eq!(verified(&proof()).origin, 0);
    assert_eq!(
        verified(&proof().target(&format!("{}{METHOD}", ORIGINS[1]))).origin,
        1
    );
}

#[test]
fn it_is_remembered_from_the_proofs_own_time() {
    let until = |case: Case| verified(&case).remember_until;
    let at = |secs: u64| UnixTime::from_secs(NOW_SECS).plus(Duration::from_secs(secs));
    assert_eq!(until(proof()), at(70));
    assert_eq!(until(proof().iat(10)), at(80));
    assert_eq!(until(proof().iat(-60)), at(10));
    assert_eq!(
        until(proof().iat(60).limits(120, 3600)),
        at(240),
        "the skew is capped at 60 s"
    );
    assert_eq!(
        until(proof().limits(60, 0)),
        at(61),
        "the last second is a whole one"
    );
    assert_eq!(
        until(proof().claim("iat", format!("{NOW_SECS}.9"))),
        at(70),
        "floored"
    );
}

#[test]
fn with_a_nonce_it_is_remembered_while_the_nonce_is_accepted() {
    let nonce_end = |minted_before: u64| {
        let minted_at = now().minus(Duration::from_secs(minted_before));
        NONCES
            .check(&NONCES.mint(minted_at), now())
            .unwrap()
            .ends_at
    };
    for rule in [Rule::WhenOff, Rule::Required] {
        let waived = verified(&proof().nonce_minted_before(7).iat(-5000).nonces(rule));
        assert_eq!(waived.remember_until, nonce_end(7));
        let ahead = verified(&proof().nonce_minted_before(7).iat(5000).nonces(rule));
        assert_eq!(ahead.remember_until, nonce_end(7));
        // In the window too: for whichever ends later.
        let both = verified(&proof().nonce_minted_before(7).nonces(rule));
        assert_eq!(
            both.remember_until,
            nonce_end(7).max(now().plus(Duration::from_secs(70)))
        );
        let ending = verified(&proof().nonce_minted_before(120).iat(10).nonces(rule));
        assert_eq!(ending.remember_until, now().plus(Duration::from_secs(80)));
    }
}

#[test]
fn the_standing_of_a_nonce() {
    let standing = |case: Case| verified(&case).nonce;
    assert_eq!(standing(proof()), NonceStanding::Absent);
    assert_eq!(standing(proof().nonce("ignored")), NonceStanding::Absent);
    let required = |before| proof().nonce_minted_before(before).nonces(Rule::Required);
    assert_eq!(standing(required(0)), NonceStanding::Fresh);
    assert_eq!(standing(required(120)), NonceStanding::Expiring);
}
