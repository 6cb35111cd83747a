//! A store that was set back, to a backup or to what was left of it: what became of anything since
//! is unknown, so whatever was made before is dead.

use std::time::Duration;

use countersign_issuer::model::{ClientId, Epoch};
use countersign_issuer::{Presented, authenticate};
use countersign_jose::UnixTime;
use serde_json::json;

use crate::authentication::{claims, sign};
use crate::world::{
    KEY_A, START, World, approving, ask, issuer, outcome, pushing, redeeming, refresh_token,
};

impl World {
    /// As a restart after a restoration finds it.
    fn set_back(&mut self) {
        self.issuer.epoch = Epoch::new(self.issuer.epoch.number() + 1);
        self.issuer.set_back_at = Some(self.now);
    }
}

#[test]
fn a_refresh_token_from_before_is_dead() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    world.set_back();
    let rotated = world.rotate("checkout", &refresh_token(&issued), &[], KEY_A);
    assert_eq!(outcome(rotated), Some("grant_earlier_epoch"));
}

#[test]
fn an_access_token_from_before_is_inactive_and_a_later_one_is_not() {
    let mut world = World::new();
    let before = world.issue("checkout", &ask(&[], &[])).unwrap();
    let before = world.sign(&before);
    assert!(world.is_active(&before, "guard"));
    world.set_back();
    assert!(!world.is_active(&before, "guard"));
    world.pass(1);
    assert!(!world.is_active(&before, "guard"));
    let after = world.issue("checkout", &ask(&[], &[])).unwrap();
    assert!(world.is_active(&world.sign(&after), "guard"));
}

/// `iat` has whole seconds: what is issued in the second of the set-back says the next one, and is
/// told apart from what was issued before.
#[test]
fn an_access_token_of_the_same_second_is_not_taken_for_one_from_before() {
    let mut world = World::new();
    world.now = world.now.plus(Duration::from_millis(100));
    let before = world.issue("checkout", &ask(&[], &[])).unwrap();
    world.now = world.now.plus(Duration::from_millis(400));
    world.set_back();
    for millis in [0, 1, 499] {
        world.now = world
            .issuer
            .set_back_at
            .unwrap()
            .plus(Duration::from_millis(millis));
        let after = world.issue("checkout", &ask(&[], &[])).unwrap();
        assert_eq!(after.claims.issued_at.as_secs(), START.as_secs() + 1);
        assert!(
            world.is_active(&world.sign(&after), "guard"),
            "{millis} ms later"
        );
    }
    assert!(!world.is_active(&world.sign(&before), "guard"));
    world.now = world
        .issuer
        .set_back_at
        .unwrap()
        .plus(Duration::from_millis(500));
    let later = world.issue("checkout", &ask(&[], &[])).unwrap();
    assert_eq!(later.claims.issued_at.as_secs(), START.as_secs() + 1);
    // A clock that is behind has seen nothing of it: what it issues is dead.
    world.now = START;
    let behind = world.issue("checkout", &ask(&[], &[])).unwrap();
    assert!(!world.is_active(&world.sign(&behind), "guard"));
}

#[test]
fn a_code_from_before_is_dead_used_or_not() {
    for used in [false, true] {
        let mut world = World::new();
        let code = world.code("checkout");
        if used {
            world.redeem("checkout", &redeeming(&code), KEY_A).unwrap();
        }
        world.set_back();
        let redeemed = world.redeem("checkout", &redeeming(&code), KEY_A);
        assert_eq!(outcome(redeemed), Some("grant_earlier_epoch"), "{used}");
    }
}

#[test]
fn a_request_from_before_waits_for_nobody() {
    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    let uri = lodged.request_uri.reveal();
    world.set_back();
    assert_eq!(
        outcome(world.approve(uri, &approving())),
        Some("request_uri")
    );
    assert_eq!(outcome(world.deny(uri)), Some("request_uri"));
}

#[test]
fn an_assertion_that_may_have_been_used_before_is_refused() {
    let at = |secs: i64| START.as_secs().saturating_add_signed(secs);
    for (what, issued_at, expires_at, expected) in [
        ("made before", Some(-1), 60, Some("assertion_forgotten")),
        ("by a fast clock", Some(10), 60, Some("assertion_forgotten")),
        ("made after", Some(11), 60, None),
        ("of no age, short", None, 60, Some("assertion_forgotten")),
        ("of no age, to be", None, 310, Some("assertion_forgotten")),
        ("of no age, later", None, 311, None),
    ] {
        let mut claims = claims();
        claims["exp"] = json!(at(expires_at));
        match issued_at {
            Some(secs) => claims["iat"] = json!(at(secs)),
            None => drop(claims.as_object_mut().unwrap().remove("iat")),
        }
        let assertion = sign(&claims);
        let answer = |set_back_at: Option<UnixTime>| {
            let mut issuer = issuer();
            issuer.set_back_at = set_back_at;
            let world = World::new();
            let known = world.clients.get("signer").map(|known| &known.value);
            let id = ClientId::parse("signer").unwrap();
            // Late enough for every one to have begun.
            let now = START.plus(Duration::from_secs(11));
            let presented = Presented::Assertion(&assertion);
            outcome(authenticate(&id, known, &presented, None, &issuer, now))
        };
        assert_eq!(answer(None), None, "{what}, never set back");
        assert_eq!(answer(Some(START)), expected, "{what}");
    }
}
