//! Revocation: attacks.md, "Introspection, revocation".

use countersign_issuer::model::RevokedCause;
use countersign_issuer::{EventKind, RevocationTarget, Revoking};

use crate::world::{KEY_A, KEY_B, World, ask, outcome, refresh_token};

#[test]
fn an_access_token_is_revoked_alone() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let token = world.sign(&issued);
    assert_eq!(outcome(world.revoke_text("checkout", &token)), None);
    assert!(!world.is_active(&token, "guard"));
    let rotated = world
        .rotate("checkout", &refresh_token(&issued), &[], KEY_A)
        .unwrap();
    assert!(world.is_active(&world.sign(&rotated), "guard"));
    let revocation = world.revocations.last().unwrap();
    assert_eq!(revocation.target, RevocationTarget::Token(issued.claims.id));
    assert_eq!(revocation.forget_at.as_secs(), world.now.as_secs() + 360);
}

#[test]
fn a_refresh_token_takes_its_family_with_it() {
    type Name = fn(&World, &countersign_issuer::Issued, &str) -> Revoking;
    let by_token: Name =
        |world, _, token| Revoking::token(token, &world.published(), &world.issuer).unwrap();
    let by_id: Name =
        |_, issued, _| Revoking::family_id(&issued.family.unwrap().to_string()).unwrap();
    for name in [by_token, by_id] {
        for generation in [0, 1] {
            let mut world = World::new();
            let issued = world.grant("checkout");
            let access = world.sign(&issued);
            let first = refresh_token(&issued);
            let rotated = world.rotate("checkout", &first, &[], KEY_A).unwrap();
            let tokens = [first, refresh_token(&rotated)];
            let revoking = name(&world, &issued, &tokens[generation]);
            assert_eq!(outcome(world.revoke("checkout", &revoking)), None);
            assert_eq!(
                world.family_of(&issued).revoked.unwrap().cause,
                RevokedCause::Requested
            );
            assert_eq!(world.events.last().unwrap().kind, EventKind::FamilyRevoked);
            assert!(!world.is_active(&access, "guard"));
            for token in &tokens {
                let answer = world.rotate("checkout", token, &[], KEY_A);
                assert_eq!(outcome(answer), Some("grant_revoked"));
            }
            // Again: a success that writes nothing.
            let events = world.events.len();
            let revoking = name(&world, &issued, &tokens[generation]);
            assert_eq!(outcome(world.revoke("checkout", &revoking)), None);
            assert_eq!((world.events.len(), world.revocations.len()), (events, 1));
        }
    }
}

#[test]
fn another_clients_token_stays_active() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let access = world.sign(&issued);
    let refresh = refresh_token(&issued);
    for token in [&access, &refresh] {
        assert_eq!(
            outcome(world.revoke_text("other", token)),
            Some("not_its_token")
        );
    }
    let family = Revoking::Family(issued.family.unwrap());
    assert_eq!(
        outcome(world.revoke("other", &family)),
        Some("not_its_token")
    );
    assert!(world.is_active(&access, "guard") && world.is_active(&refresh, "checkout"));
}

/// Everybody can give the name of a public client, and every resource server reads `fam`. Its refresh
/// token it shows to nobody else.
#[test]
fn what_is_a_public_clients_is_given_up_with_its_key_or_its_refresh_token() {
    const REFUSED: Option<&str> = Some("not_its_token");
    for (who, key, what, expected) in [
        ("spa", Some(KEY_B), "family_id", REFUSED),
        ("spa", Some(KEY_B), "refresh token", REFUSED),
        ("spa", Some(KEY_B), "access token", REFUSED),
        ("spa", Some(KEY_A), "family_id", None),
        ("spa", Some(KEY_A), "refresh token", None),
        ("spa", Some(KEY_A), "access token", None),
        ("spa", None, "family_id", REFUSED),
        ("spa", None, "refresh token", None),
        ("spa", None, "access token", REFUSED),
        // These have shown who they are.
        ("checkout", Some(KEY_B), "family_id", None),
        ("checkout", None, "refresh token", None),
        ("checkout", None, "access token", None),
    ] {
        let mut world = World::new();
        let issued = world.grant(who);
        let access = world.sign(&issued);
        let token = |text: &str| Revoking::token(text, &world.published(), &world.issuer).unwrap();
        let revoking = match what {
            "family_id" => Revoking::Family(issued.family.unwrap()),
            "refresh token" => token(&refresh_token(&issued)),
            _ => token(&access),
        };
        let answer = world.revoke_with(who, &revoking, key);
        assert_eq!(outcome(answer), expected, "{who}, {what}");
        assert_eq!(
            world.is_active(&access, "guard"),
            expected.is_some(),
            "{who}, {what}"
        );
        assert_eq!(
            world.events.iter().any(|event| {
                matches!(
                    event.kind,
                    EventKind::FamilyRevoked | EventKind::TokenRevoked
                )
            }),
            expected.is_none()
        );
    }
}

#[test]
fn what_is_unknown_or_over_is_a_success_that_writes_nothing() {
    let mut world = World::new();
    let issued = world.issue("checkout", &ask(&[], &[])).unwrap();
    let token = world.sign(&issued);
    world.pass(300);
    for text in [token.as_str(), "garbage", "csr_garbage", "a.b.c"] {
        assert_eq!(outcome(world.revoke_text("checkout", text)), None, "{text}");
    }
    let unknown = Revoking::family_id("AAAAAAAAAAAAAAAAAAAAAA").unwrap();
    assert_eq!(outcome(world.revoke("checkout", &unknown)), None);
    assert!(world.revoked.is_empty() && world.events.is_empty() && world.revocations.is_empty());
}

#[test]
fn a_field_that_is_missing_or_malformed_is_named() {
    let world = World::new();
    let refused = |answer: Result<Revoking, _>| {
        let refusal: countersign_issuer::Refusal = answer.unwrap_err();
        let (field, _) = refusal.fault().unwrap();
        (refusal.label(), field.to_owned())
    };
    let token = Revoking::token("", &world.published(), &world.issuer);
    assert_eq!(refused(token), ("missing", "token".to_owned()));
    assert_eq!(
        refused(Revoking::family_id("")),
        ("missing", "family_id".to_owned())
    );
    assert_eq!(
        refused(Revoking::family_id("x")),
        ("family_id", "family_id".to_owned())
    );
}
