//! Revocation by an operator: what somebody holds is dead, and nothing else.

use countersign_issuer::model::{ClientId, Subject};
use countersign_issuer::{EventKind, Holder, Issued, RevocationTarget, Target};
use countersign_jose::Thumbprint;

use crate::world::{KEY_A, KEY_B, World, ask, outcome, refresh_token};

const OTHER: Thumbprint = Thumbprint::from_bytes([0xcc; 32]);

fn client(id: &str) -> Holder {
    Holder::Client(ClientId::parse(id).unwrap())
}

#[test]
fn what_a_holder_has_is_dead_and_what_others_have_is_not() {
    type Of = fn(&Issued) -> Holder;
    let client_of: Of = |issued| Holder::Client(issued.claims.client.clone());
    let subject_of: Of = |issued| Holder::Subject(issued.claims.subject.clone());
    let key_of: Of = |issued| Holder::Key(issued.claims.jkt);
    for of in [client_of, subject_of, key_of] {
        let mut world = World::new();
        let hit = world.grant("checkout");
        let access = world.sign(&hit);
        let strangers = [
            client("other"),
            Holder::Subject(Subject::parse("somebody else").unwrap()),
            Holder::Key(Thumbprint::from_bytes([0xee; 32])),
        ];
        for stranger in strangers {
            assert_eq!(outcome(world.revoke_all(&Target::Holder(stranger))), None);
        }
        assert!(world.is_active(&access, "guard"));

        let holder = of(&hit);
        let until = world.revoke_all(&Target::Holder(holder.clone())).unwrap();
        assert!(!world.is_active(&access, "guard"), "{holder}");
        let refused = world.rotate("checkout", &refresh_token(&hit), &[], KEY_A);
        assert_eq!(outcome(refused), Some("grant_revoked"), "{holder}");
        let told = world.revocations.last().unwrap();
        assert_eq!(told.target, RevocationTarget::Holder(holder));
        assert_eq!(told.at, until);
        assert_eq!(world.events.last().unwrap().kind, EventKind::TokensRevoked);

        // What is made from then on is another matter.
        world.pass(3);
        let anew = world.grant("checkout");
        assert!(world.is_active(&world.sign(&anew), "guard"));
        assert_eq!(
            outcome(world.rotate("checkout", &refresh_token(&anew), &[], KEY_A)),
            None
        );
    }
}

#[test]
fn what_is_being_made_meanwhile_is_hit_too() {
    let mut world = World::new();
    let holder = Target::Holder(client("checkout"));
    let until = world.revoke_all(&holder).unwrap();
    assert!(until.since(world.now).as_millis() >= 1_000);
    let issued = world
        .issue("checkout", &ask(&["orders.read"], &[]))
        .unwrap();
    assert!(!world.is_active(&world.sign(&issued), "guard"));
}

#[test]
fn a_clock_that_is_set_back_takes_nothing_back() {
    let mut world = World::new();
    let holder = Target::Holder(client("checkout"));
    let first = world.revoke_all(&holder).unwrap();
    world.now = world.now.minus(std::time::Duration::from_secs(3_600));
    assert_eq!(world.revoke_all(&holder).unwrap(), first);
}

#[test]
fn a_family_and_a_token_are_revoked_by_name() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let family = issued.claims.family.unwrap();
    let rotated = world
        .rotate("checkout", &refresh_token(&issued), &[], KEY_A)
        .unwrap();

    let token = Target::Token(issued.claims.id);
    assert_eq!(outcome(world.revoke_all(&token)), None);
    assert!(!world.is_active(&world.sign(&issued), "guard"));
    assert!(world.is_active(&world.sign(&rotated), "guard"));

    let family = Target::Family(family);
    assert_eq!(outcome(world.revoke_all(&family)), None);
    assert!(!world.is_active(&world.sign(&rotated), "guard"));
    let refused = world.rotate("checkout", &refresh_token(&rotated), &[], KEY_A);
    assert_eq!(outcome(refused), Some("grant_revoked"));

    // Again: a success that writes nothing.
    let before = (world.events.len(), world.revocations.len());
    assert_eq!(outcome(world.revoke_all(&token)), None);
    assert_eq!(outcome(world.revoke_all(&family)), None);
    assert_eq!((world.events.len(), world.revocations.len()), before);
}

#[test]
fn a_family_that_is_not_there_is_not_found() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    world.families.clear();
    let family = Target::Family(issued.claims.family.unwrap());
    assert_eq!(outcome(world.revoke_all(&family)), Some("not_found"));
    assert!(world.revocations.is_empty());
}

/// A client that may bring another key has its family with two of them: the one that it was issued
/// to, and the one that holds its refresh token now.
#[test]
fn a_family_dies_with_the_key_that_it_was_issued_to_and_with_the_one_that_has_it_now() {
    // Which keys have it, one after the other; which is revoked; whether the family dies of it.
    let rows: [(&str, &[Thumbprint], Thumbprint, bool); 6] = [
        ("its only key", &[KEY_A], KEY_A, true),
        ("nobody's", &[KEY_A], KEY_B, false),
        ("the key that has it now", &[KEY_A, KEY_B], KEY_B, true),
        (
            "the key that it was issued to",
            &[KEY_A, KEY_B],
            KEY_A,
            true,
        ),
        ("a key that had it", &[KEY_A, KEY_B, KEY_A], KEY_B, false),
        ("twice", &[KEY_A, KEY_B, KEY_B], KEY_B, true),
    ];
    for (row, keys, revoked, dies) in rows {
        let mut world = World::new();
        let mut latest = world.grant("roaming");
        for key in &keys[1..] {
            world.pass(60);
            latest = world
                .rotate("roaming", &refresh_token(&latest), &[], *key)
                .unwrap();
        }
        let key = Target::Holder(Holder::Key(revoked));
        assert_eq!(outcome(world.revoke_all(&key)), None);
        let bound_to_it = latest.claims.jkt == revoked;
        let active = world.is_active(&world.sign(&latest), "guard");
        assert_eq!(active, !dies && !bound_to_it, "{row}");
        // Whatever key is brought next.
        let next = world.rotate("roaming", &refresh_token(&latest), &[], OTHER);
        let expected = dies.then_some("grant_revoked");
        assert_eq!(outcome(next), expected, "{row}");
    }
}

#[test]
fn a_key_that_gets_a_family_after_its_revocation_has_it() {
    let mut world = World::new();
    let issued = world.grant("roaming");
    let key = Target::Holder(Holder::Key(KEY_B));
    world.revoke_all(&key).unwrap();
    world.pass(3);
    // As a client that was revoked may get new tokens.
    let rotated = world.rotate("roaming", &refresh_token(&issued), &[], KEY_B);
    let rotated = rotated.unwrap();
    assert!(world.is_active(&world.sign(&rotated), "guard"));
    let again = world.rotate("roaming", &refresh_token(&rotated), &[], KEY_B);
    assert_eq!(outcome(again), None);
}

#[test]
fn a_client_that_is_gone_takes_its_access_tokens_with_it() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    let access = world.sign(&issued);
    world.change("checkout", |client| client.disabled = true);
    assert!(!world.is_active(&access, "guard"));
    world.change("checkout", |client| client.disabled = false);
    world.register_again("checkout");
    assert!(!world.is_active(&access, "guard"));
    world.clients.remove("checkout");
    assert!(!world.is_active(&access, "guard"));
}
