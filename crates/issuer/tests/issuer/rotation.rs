//! Rotation: attacks.md, "Refresh".

use std::time::Duration;

use countersign_issuer::model::{Epoch, Generation, GrantTypes, RevokedCause};
use countersign_issuer::{EventKind, Issued, RevocationTarget};

use crate::world::{
    KEY_A, KEY_B, ORDERS, START, World, all_grants, outcome, permissions, refresh_token,
};

/// A world with a grant, and its first refresh token.
fn granted(who: &str) -> (World, Issued, String) {
    let mut world = World::new();
    let issued = world.grant(who);
    let token = refresh_token(&issued);
    (world, issued, token)
}

#[test]
fn a_refresh_token_is_exchanged_for_its_successor() {
    for who in ["checkout", "roaming", "spa", "signer"] {
        let (mut world, issued, first) = granted_by(who);
        world.pass(100);
        let rotated = world.rotate(who, &first, &[], KEY_A).unwrap();
        let second = refresh_token(&rotated);
        assert_ne!(first, second);
        assert_eq!(rotated.family, issued.family);
        assert_ne!(rotated.claims.id, issued.claims.id);
        assert_eq!(rotated.claims.subject.as_str(), "alice");
        let family = world.family_of(&issued);
        assert_eq!(family.generation, Generation::new(1));
        assert_eq!(
            family.idle_expires_at.as_secs(),
            START.as_secs() + 100 + 7 * 86_400
        );
        assert_eq!(family.expires_at.as_secs(), START.as_secs() + 30 * 86_400);
        assert_eq!(world.events.last().unwrap().kind, EventKind::RefreshRotated);
    }
}

/// As [`granted`], also for a client whose assertion is spent by then.
fn granted_by(who: &str) -> (World, Issued, String) {
    let mut world = World::new();
    if who == "signer" {
        let issued = world.grant("checkout");
        let family = issued.family.unwrap();
        world.families.get_mut(&family).unwrap().value.client = world.client(who).id;
        let token = refresh_token(&issued);
        return (world, issued, token);
    }
    granted(who)
}

#[test]
fn a_lost_answer_is_given_again() {
    for secs in [0, 1, 10] {
        let (mut world, issued, first) = granted("checkout");
        let answered = world.rotate("checkout", &first, &[], KEY_A).unwrap();
        let before = world.family_of(&issued).clone();
        world.pass(secs);
        let again = world.rotate("checkout", &first, &[], KEY_A).unwrap();
        assert_eq!(
            refresh_token(&again),
            refresh_token(&answered),
            "after {secs} s"
        );
        assert_ne!(again.claims.id, answered.claims.id);
        assert_eq!(
            *world.family_of(&issued),
            before,
            "nothing is written for it"
        );
        let second = refresh_token(&again);
        assert!(world.rotate("checkout", &second, &[], KEY_A).is_ok());
    }
}

#[test]
fn a_lost_answer_is_given_again_where_clocks_differ_a_little() {
    let (mut world, issued, first) = granted("checkout");
    world.pass(20);
    world.rotate("checkout", &first, &[], KEY_A).unwrap();
    let rotated_at = world.now;
    world.now = rotated_at.minus(std::time::Duration::from_secs(10));
    assert!(world.rotate("checkout", &first, &[], KEY_A).is_ok());
    // A clock that was set back an hour does not make the window an hour long.
    world.now = rotated_at.minus(std::time::Duration::from_secs(11));
    assert_eq!(
        outcome(world.rotate("checkout", &first, &[], KEY_A)),
        Some("grant_reused")
    );
    assert!(world.family_of(&issued).revoked.is_some());
}

#[test]
fn reuse_revokes_the_family_and_its_tokens() {
    for (what, between, secs, key) in [
        ("after the window", 1, 11, KEY_A),
        ("two generations behind", 2, 0, KEY_A),
        ("many generations behind", 5, 1, KEY_A),
    ] {
        let (mut world, issued, first) = granted("checkout");
        let mut tokens = vec![first.clone()];
        let mut accesses = vec![world.sign(&issued)];
        for _ in 0..between {
            let rotated = world
                .rotate("checkout", tokens.last().unwrap(), &[], key)
                .unwrap();
            tokens.push(refresh_token(&rotated));
            accesses.push(world.sign(&rotated));
        }
        world.pass(secs);
        assert_eq!(
            outcome(world.rotate("checkout", &first, &[], key)),
            Some("grant_reused")
        );
        assert_eq!(
            world.family_of(&issued).revoked.unwrap().cause,
            RevokedCause::RefreshReuse
        );
        assert_eq!(world.events.last().unwrap().kind, EventKind::RefreshReused);
        let revocation = world.revocations.last().unwrap();
        assert_eq!(
            revocation.target,
            RevocationTarget::Family(issued.family.unwrap())
        );
        assert_eq!(revocation.forget_at.as_secs(), world.now.as_secs() + 960);
        for token in &tokens {
            let answer = world.rotate("checkout", token, &[], key);
            assert_eq!(outcome(answer), Some("grant_revoked"), "{what}");
        }
        for access in &accesses {
            assert!(!world.is_active(access, "guard"), "{what}");
        }
        assert_eq!(world.revocations.len(), 1, "revoked once");
    }
}

#[test]
fn a_retry_with_another_key_is_reuse_where_the_client_may_change_keys() {
    let (mut world, issued, first) = granted("roaming");
    world.rotate("roaming", &first, &[], KEY_A).unwrap();
    assert_eq!(
        outcome(world.rotate("roaming", &first, &[], KEY_B)),
        Some("grant_reused")
    );
    assert!(world.family_of(&issued).revoked.is_some());
}

#[test]
fn a_new_key_is_accepted_where_the_client_may_change_keys() {
    let (mut world, _, first) = granted("roaming");
    let rotated = world.rotate("roaming", &first, &[], KEY_B).unwrap();
    assert_eq!(rotated.claims.jkt, KEY_B);
    let again = world.rotate("roaming", &first, &[], KEY_B).unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&rotated));
}

#[test]
fn another_clients_or_keys_call_consumes_and_revokes_nothing() {
    for (owner, who, key, cause) in [
        ("checkout", "other", KEY_A, "grant_other_client"),
        ("checkout", "spa", KEY_A, "grant_other_client"),
        ("checkout", "checkout", KEY_B, "grant_other_key"),
        ("spa", "spa", KEY_B, "grant_other_key"),
        ("roaming", "other", KEY_B, "grant_other_client"),
    ] {
        let (mut world, issued, first) = granted(owner);
        let rotated = world.rotate(owner, &first, &[], KEY_A).unwrap();
        let second = refresh_token(&rotated);
        world.pass(60);
        let before = world.family_of(&issued).clone();
        // Also an old generation: generations are not looked at.
        for token in [&first, &second] {
            let answer = world.rotate(who, token, &[], key);
            assert_eq!(outcome(answer), Some(cause));
            let event = world.events.last().unwrap();
            assert_eq!(event.kind, EventKind::RefreshMispresented);
            assert_eq!(
                (event.reason, event.actor.to_string()),
                (Some(cause), who.to_owned())
            );
            assert_eq!(*world.family_of(&issued), before);
        }
        assert!(world.revocations.is_empty());
        assert!(world.rotate(owner, &second, &[], KEY_A).is_ok());
    }
}

#[test]
fn a_public_clients_token_is_bound_whatever_the_family_says() {
    let (mut world, issued, first) = granted("spa");
    let family = issued.family.unwrap();
    world.families.get_mut(&family).unwrap().value.pinned = false;
    assert_eq!(
        outcome(world.rotate("spa", &first, &[], KEY_B)),
        Some("grant_other_key")
    );
}

#[test]
fn scope_shrinks_for_the_access_token_and_never_grows() {
    let (mut world, issued, first) = granted("checkout");
    let answer = world.rotate("checkout", &first, &["bills.read"], KEY_A);
    assert_eq!(outcome(answer), Some("scope_wider"));
    let answer = world.rotate("checkout", &first, &["orders.read", "admin"], KEY_A);
    assert_eq!(outcome(answer), Some("scope_wider"));
    assert_eq!(
        world.family_of(&issued).generation,
        Generation::FIRST,
        "not consumed"
    );

    let less = world
        .rotate("checkout", &first, &["orders.read"], KEY_A)
        .unwrap();
    assert_eq!(less.claims.scopes.to_string(), "orders.read");
    let all = world
        .rotate("checkout", &refresh_token(&less), &[], KEY_A)
        .unwrap();
    assert_eq!(all.claims.scopes.to_string(), "orders.read orders.write");
}

#[test]
fn what_was_taken_from_the_client_is_taken_from_its_grants() {
    let (mut world, _, first) = granted("checkout");
    world.change("checkout", |client| {
        client.permissions = permissions(&[(ORDERS, &["orders.read"])]);
    });
    let less = world.rotate("checkout", &first, &[], KEY_A).unwrap();
    assert_eq!(less.claims.scopes.to_string(), "orders.read");
    let second = refresh_token(&less);
    let answer = world.rotate("checkout", &second, &["orders.write"], KEY_A);
    assert_eq!(outcome(answer), Some("scope_wider"));
    world.resources.remove(ORDERS);
    let answer = world.rotate("checkout", &second, &[], KEY_A);
    assert_eq!(outcome(answer), Some("nothing_left"));
    world.change("checkout", |client| {
        client.grant_types = GrantTypes {
            refresh_token: false,
            ..all_grants()
        };
    });
    let answer = world.rotate("checkout", &second, &[], KEY_A);
    assert_eq!(outcome(answer), Some("grant_type_not_allowed"));
}

#[test]
fn a_family_ends_by_itself() {
    let day = 86_400;
    for (idle_days, rounds, expected) in [
        (6, 4, None),
        (7, 1, Some("grant_expired")),
        (6, 5, Some("grant_expired")),
    ] {
        let (mut world, _, mut token) = granted("checkout");
        let mut last = None;
        for _ in 0..rounds {
            world.pass(idle_days * day);
            match world.rotate("checkout", &token, &[], KEY_A) {
                Ok(rotated) => token = refresh_token(&rotated),
                Err(refusal) => last = Some(refusal.label()),
            }
        }
        assert_eq!(last, expected, "{rounds} times {idle_days} days");
    }
}

#[test]
fn reuse_is_noticed_after_the_end_since_access_tokens_outlive_it() {
    for (what, expected) in [
        ("expired", "grant_expired"),
        ("grant withdrawn", "grant_type_not_allowed"),
    ] {
        let (mut world, issued, first) = granted("checkout");
        world.issuer.lifetimes.refresh_idle = Duration::from_secs(60);
        let rotated = world.rotate("checkout", &first, &[], KEY_A).unwrap();
        let (second, access) = (refresh_token(&rotated), world.sign(&rotated));
        world.pass(60);
        if what == "grant withdrawn" {
            world.issuer.lifetimes.refresh_idle = Duration::from_secs(3600);
            let family = issued.family.unwrap();
            let family = &mut world.families.get_mut(&family).unwrap().value;
            family.idle_expires_at = family.expires_at;
            world.change("checkout", |client| {
                client.grant_types.refresh_token = false;
            });
        }
        // The newest token is refused and nothing more; an old one is reuse.
        let answer = world.rotate("checkout", &second, &[], KEY_A);
        assert_eq!(outcome(answer), Some(expected), "{what}");
        assert!(world.is_active(&access, "guard"), "{what}");
        let answer = world.rotate("checkout", &first, &[], KEY_A);
        assert_eq!(outcome(answer), Some("grant_reused"), "{what}");
        assert!(!world.is_active(&access, "guard"), "{what}");
        assert_eq!(world.revocations.len(), 1, "{what}");
    }
}

#[test]
fn the_retry_window_ends_within_its_second() {
    for (millis, expected) in [(10_000, None), (10_001, Some("grant_reused"))] {
        let (mut world, _, first) = granted("checkout");
        world.rotate("checkout", &first, &[], KEY_A).unwrap();
        world.now = world.now.plus(Duration::from_millis(millis));
        let answer = world.rotate("checkout", &first, &[], KEY_A);
        assert_eq!(outcome(answer), expected, "{millis} ms");
    }
}

#[test]
fn a_family_without_refresh_tokens_is_not_rotated() {
    let (mut world, issued, first) = granted("checkout");
    let family = issued.family.unwrap();
    let family = &mut world.families.get_mut(&family).unwrap().value;
    family.refreshable = false;
    let before = family.clone();
    let answer = world.rotate("checkout", &first, &[], KEY_A);
    assert_eq!(outcome(answer), Some("grant_unknown"));
    assert_eq!(*world.family_of(&issued), before);
}

#[test]
fn a_lost_answer_is_not_given_again_after_the_end() {
    let (mut world, _, first) = granted("checkout");
    world.issuer.lifetimes.refresh_idle = Duration::from_secs(5);
    world.rotate("checkout", &first, &[], KEY_A).unwrap();
    world.pass(5);
    let answer = world.rotate("checkout", &first, &[], KEY_A);
    assert_eq!(outcome(answer), Some("grant_expired"));
}

#[test]
fn families_of_another_epoch_or_an_earlier_client_are_dead() {
    let (mut world, issued, first) = granted("checkout");
    let access = world.sign(&issued);
    world.issuer.epoch = Epoch::new(1);
    assert_eq!(
        outcome(world.rotate("checkout", &first, &[], KEY_A)),
        Some("grant_earlier_epoch")
    );
    assert!(!world.is_active(&access, "guard"));

    let (mut world, _, first) = granted("checkout");
    world.register_again("checkout");
    let answer = world.rotate("checkout", &first, &[], KEY_A);
    assert_eq!(outcome(answer), Some("grant_client_replaced"));
}

#[test]
fn what_is_not_there_and_what_is_not_ours_is_refused() {
    let (mut world, _, first) = granted("checkout");
    let mut garbage = first.clone();
    garbage.replace_range(60..61, if &first[60..61] == "A" { "B" } else { "A" });
    for (token, expected) in [
        (garbage.as_str(), "grant_not_ours"),
        ("csr_garbage", "grant_not_ours"),
        ("garbage", "grant_not_ours"),
        ("", "missing"),
    ] {
        // Refused by the form: nothing is loaded, nothing decided.
        let answer = world.rotation("checkout", token, &[], KEY_A).map(drop);
        assert_eq!(outcome(answer), Some(expected));
    }
    world.families.clear();
    assert_eq!(
        outcome(world.rotate("checkout", &first, &[], KEY_A)),
        Some("grant_unknown")
    );
}

#[test]
fn a_generation_ahead_of_the_record_means_that_the_record_is_behind() {
    let (mut world, issued, first) = granted("checkout");
    let rotated = world.rotate("checkout", &first, &[], KEY_A).unwrap();
    let second = refresh_token(&rotated);
    let family = issued.family.unwrap();
    world.families.get_mut(&family).unwrap().value.generation = Generation::FIRST;
    assert_eq!(
        outcome(world.rotate("checkout", &second, &[], KEY_A)),
        Some("grant_reused")
    );
    assert!(world.family_of(&issued).revoked.is_some());
}

#[test]
fn the_last_generation_has_no_successor() {
    let (mut world, issued, _) = granted("checkout");
    let last = Generation::new(u32::MAX);
    let family = issued.family.unwrap();
    world.families.get_mut(&family).unwrap().value.generation = last;
    let handle = countersign_issuer::Handle {
        kind: countersign_issuer::HandleKind::Refresh,
        record: family.record(),
        generation: last,
    };
    let token = handle.text(&world.issuer.mac_keys);
    let answer = world.rotate("checkout", token.reveal(), &[], KEY_A);
    assert_eq!(outcome(answer), Some("grant_exhausted"));
}

#[test]
fn of_many_at_once_all_get_the_same_successor() {
    let (mut world, _, first) = granted("checkout");
    let decided: Vec<_> = (0..50)
        .map(|_| world.rotation("checkout", &first, &[], KEY_A).unwrap())
        .collect();
    let mut successors = Vec::new();
    for decision in decided {
        let answer = match world.commit(&decision.change) {
            Ok(()) => decision.answer,
            // Lost the race: decided again on what is there now.
            Err(_) => world.rotate("checkout", &first, &[], KEY_A),
        };
        successors.push(refresh_token(&answer.unwrap()));
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
}

#[test]
fn of_two_keys_at_once_one_wins_and_the_other_is_reuse() {
    let (mut world, issued, first) = granted("roaming");
    let ours = world.rotation("roaming", &first, &[], KEY_A).unwrap();
    let theirs = world.rotation("roaming", &first, &[], KEY_B).unwrap();
    assert!(world.commit(&ours.change).is_ok());
    assert!(world.commit(&theirs.change).is_err());
    assert_eq!(
        outcome(world.rotate("roaming", &first, &[], KEY_B)),
        Some("grant_reused")
    );
    assert!(world.family_of(&issued).revoked.is_some());
}

#[test]
fn the_peer_hears_the_same_whatever_was_wrong() {
    use countersign_issuer::{GrantCause, Refusal};
    let told: Vec<String> = [
        GrantCause::NotOurs,
        GrantCause::Unknown,
        GrantCause::OtherClient,
        GrantCause::OtherKey,
        GrantCause::OtherCertificate,
        GrantCause::Revoked,
        GrantCause::Expired,
        GrantCause::Reused,
    ]
    .map(|cause| Refusal::from(cause).to_string())
    .to_vec();
    assert!(told.iter().all(|message| message == &told[0]));
}
