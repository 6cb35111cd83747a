//! Nonces.

use std::time::Duration;

use countersign_dpop::Refusal::*;
use countersign_dpop::{NonceKey, Nonces};
use countersign_jose::base64url;

use super::Table;
use crate::case::{Case, NONCES, Rule, now, proof};

pub(super) fn rows(t: &mut Table) {
    // Nobody asks: nobody looks, as long as it is one.
    t.check(
        "a nonce where nonces are off",
        proof().nonce("anything"),
        Ok(()),
    );
    for rule in [Rule::Off, Rule::WhenOff, Rule::Required] {
        let name = |what: &str| format!("nonce {what}, {rule:?}");
        t.check(
            &name("a number"),
            proof().claim("nonce", "7").nonces(rule),
            Err(NonceMalformed),
        );
        t.check(
            &name("null"),
            proof().claim("nonce", "null").nonces(rule),
            Err(NonceMalformed),
        );
        t.check(
            &name("a list"),
            proof().claim("nonce", r#"["x"]"#).nonces(rule),
            Err(NonceMalformed),
        );
    }

    // Asked for when iat is off
    t.check("no nonce needed", proof().nonces(Rule::WhenOff), Ok(()));
    t.check(
        "a fresh nonce nobody asked for",
        fresh().nonces(Rule::WhenOff),
        Ok(()),
    );

    // Required
    t.check(
        "no nonce where one is required",
        proof().nonces(Rule::Required),
        Err(NonceMissing),
    );
    t.check(
        "no nonce and an old iat",
        proof().iat(-1000).nonces(Rule::Required),
        Err(NonceMissing),
    );
    t.check(
        "a fresh nonce where one is required",
        fresh().nonces(Rule::Required),
        Ok(()),
    );

    for rule in [Rule::WhenOff, Rule::Required] {
        let name = |what: &str| format!("{what}, {rule:?}");
        let mut check = |what: &str, case: Case, expected| {
            t.check(&name(what), case.nonces(rule), expected);
        };
        // An accepted nonce makes iat irrelevant, but it must be a number.
        check(
            "a nonce with an iat of last year",
            fresh().iat(-365 * 86_400),
            Ok(()),
        );
        check(
            "a nonce with an iat of tomorrow",
            fresh().iat(86_400),
            Ok(()),
        );
        check("a nonce with iat 0", fresh().claim("iat", "0"), Ok(()));
        check(
            "a nonce without iat",
            fresh().without("iat"),
            Err(IatMissing),
        );
        check(
            "a nonce with a negative iat",
            fresh().claim("iat", "-1"),
            Err(IatMalformed),
        );
        check(
            "a nonce with iat 1e308",
            fresh().claim("iat", "1e308"),
            Err(IatMalformed),
        );

        // Its age: three steps of a minute.
        check(
            "a nonce of one minute",
            proof().nonce_minted_before(60),
            Ok(()),
        );
        check(
            "a stale nonce",
            proof().nonce_minted_before(180),
            Err(NonceStale),
        );
        check(
            "a nonce of yesterday",
            proof().nonce_minted_before(86_400),
            Err(NonceStale),
        );
        check(
            "a nonce of a replica whose clock is ahead",
            minted_after(60),
            Ok(()),
        );
        check("a nonce from the future", minted_after(61), Err(NonceStale));

        // Not ours
        check(
            "a nonce in plain words",
            proof().nonce("eyJ7S_zG.eyJH0-Z.HX4w-7v"),
            Err(NonceUnknown),
        );
        check("an empty nonce", proof().nonce(""), Err(NonceUnknown));
        check("a forged nonce", forged(), Err(NonceUnknown));
        check("a nonce with another time", moved_on(), Err(NonceUnknown));
        check(
            "a nonce of another server",
            of_another_server(),
            Err(NonceUnknown),
        );
        check(
            "a nonce with padding",
            proof().nonce(NONCES.mint(now()) + "="),
            Err(NonceUnknown),
        );
        check(
            "a nonce cut short",
            proof().nonce(&NONCES.mint(now())[..31]),
            Err(NonceUnknown),
        );
        check(
            "a very long nonce",
            proof().nonce("A".repeat(1000)),
            Err(NonceUnknown),
        );
    }

    // Cold start: a nonce from before it says nothing about what was spent since.
    let from = now().minus(Duration::from_secs(5));
    let cold = Rule::ColdStart { minted_from: from };
    t.check(
        "no nonce at a cold start",
        proof().nonces(cold),
        Err(NonceMissing),
    );
    t.check(
        "a nonce from before the start",
        proof().nonce_minted_before(6).nonces(cold),
        Err(NonceBeforeStart),
    );
    t.check(
        "a nonce from the moment of the start",
        proof().nonce_minted_before(5).nonces(cold),
        Ok(()),
    );
    t.check("a nonce from after the start", fresh().nonces(cold), Ok(()));
    let margin = Rule::ColdStart {
        minted_from: now().plus(Duration::from_secs(30)),
    };
    t.check(
        "a nonce from within the margin",
        fresh().nonces(margin),
        Err(NonceBeforeStart),
    );
    t.check(
        "the nonce handed out within the margin",
        minted_after(30).nonces(margin),
        Ok(()),
    );
}

fn fresh() -> Case {
    proof().nonce_minted_before(0)
}

fn minted_after(secs: u64) -> Case {
    proof().nonce(NONCES.mint(now().plus(Duration::from_secs(secs))))
}

/// The right time, another MAC.
fn forged() -> Case {
    let mut nonce = base64url::decode(NONCES.mint(now())).unwrap();
    nonce[23] ^= 1;
    proof().nonce(base64url::encode(nonce))
}

/// A stale nonce whose time was set forward.
fn moved_on() -> Case {
    let old = base64url::decode(NONCES.mint(now().minus(Duration::from_secs(1000)))).unwrap();
    let mut nonce = base64url::decode(NONCES.mint(now())).unwrap();
    nonce[8..].copy_from_slice(&old[8..]);
    proof().nonce(base64url::encode(nonce))
}

fn of_another_server() -> Case {
    proof().nonce(Nonces::standard(&NonceKey::new([0x43; 32])).mint(now()))
}
