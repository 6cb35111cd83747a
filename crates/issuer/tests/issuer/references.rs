//! Reference tokens: for every grant, and dead in every way that a JWT is.

use countersign_issuer::authorize::PushForm;
use countersign_issuer::introspect::{Introspection, Recognised, Standing, introspect, recognise};
use countersign_issuer::model::{
    AccessTokenFormat, Client, Epoch, Generation, RecordId, ResourceUri, TokenId,
};
use countersign_issuer::{
    Entered, EventKind, Handle, HandleKind, Holder, Issued, MacKey, MacKeyId, MacKeys, Record,
    Revoking, Target, Write,
};
use countersign_jose::{UnixTime, base64url};
use proptest::prelude::*;

use crate::world::{
    BILLING, KEY_A, KEY_B, ORDERS, START, World, approving, ask, by_secret, outcome, parameter,
    permissions, pushing, redeeming, refresh_token,
};

/// A world whose orders have reference tokens.
fn world() -> World {
    let mut world = World::new();
    format(&mut world, ORDERS, AccessTokenFormat::Reference);
    world
}

fn format(world: &mut World, uri: &str, format: AccessTokenFormat) {
    let resource = &mut world.resources.get_mut(uri).unwrap().value;
    resource.access_token_format = format;
}

fn text(issued: &Issued) -> String {
    issued.reference.as_ref().unwrap().reveal().to_owned()
}

/// What `guard` is told.
#[track_caller]
fn shown(world: &World, issued: &Issued) {
    let recognised = recognise(&text(issued), &world.published(), &world.issuer);
    assert_eq!(recognised, Recognised::Reference(issued.claims.id));
    let standing = world.standing_of(&recognised);
    let caller = world.client("guard");
    let answer = introspect(
        &recognised,
        &standing,
        Some(&caller),
        &world.issuer,
        world.now,
    );
    assert_eq!(answer, Introspection::Access(&issued.claims));
}

#[test]
fn every_grant_leads_to_a_reference_where_the_resource_says_so() {
    let mut world = world();
    let alone = world
        .issue("checkout", &ask(&["orders.read"], &[]))
        .unwrap();
    let first = world.grant("checkout");
    let second = world
        .rotate("checkout", &refresh_token(&first), &[], KEY_A)
        .unwrap();
    // Its answer was lost: another access token of the same generation.
    let again = world
        .rotate("checkout", &refresh_token(&first), &[], KEY_A)
        .unwrap();
    for issued in [&alone, &first, &second, &again] {
        assert!(text(issued).starts_with("csa_"));
        assert_eq!(issued.claims.lifetime().as_secs(), 300);
        assert_eq!(issued.claims.jkt, KEY_A);
        shown(&world, issued);
    }
    assert_eq!(world.references.len(), 4, "one record each");
    assert_ne!(text(&second), text(&again));
    assert_eq!(refresh_token(&second), refresh_token(&again));
    // The audit log learns of them as of JWTs.
    assert_eq!(alone.entered, Entered::Alone { reason: None });
    assert_eq!(second.entered, Entered::WithChange);
    let kinds: Vec<_> = world.events.iter().map(|event| event.kind).collect();
    let expected = [
        EventKind::AuthorizationApproved,
        EventKind::CodeRedeemed,
        EventKind::RefreshRotated,
    ];
    assert_eq!(kinds, expected);
}

/// Durable before the answer leaves, and not without the rest: one change has it all.
#[test]
fn what_a_token_says_is_in_the_change_of_its_grant() {
    let mut world = world();
    let code = world.code("checkout");
    let decision = world
        .redemption("checkout", &redeeming(&code), KEY_A)
        .unwrap();
    let issued = decision.answer.as_ref().unwrap();
    let kept: Vec<_> = decision
        .change
        .writes
        .iter()
        .filter_map(|write| match write {
            Write::Put {
                record: Record::Reference(reference),
                ..
            } => Some(reference),
            _ => None,
        })
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].claims, issued.claims);
    assert_eq!(decision.change.writes.len(), 3, "code, family, token");
    // It ends with the token, and a minute for clocks.
    let record = Record::Reference(kept[0].clone());
    assert_eq!(
        record.ends_at(),
        Some(UnixTime::from_secs(START.as_secs() + 360))
    );
}

#[test]
fn the_format_is_that_of_the_resource_when_the_token_is_issued() {
    let mut world = World::new();
    let before = world.issue("checkout", &ask(&[], &[])).unwrap();
    assert_eq!(before.reference, None);
    assert!(world.references.is_empty(), "a JWT leaves no record");
    format(&mut world, ORDERS, AccessTokenFormat::Reference);
    let after = world.issue("checkout", &ask(&[], &[])).unwrap();
    format(&mut world, ORDERS, AccessTokenFormat::Jwt);
    // Both are what they were.
    assert!(world.is_active(&world.sign(&before), "guard"));
    shown(&world, &after);
}

#[test]
fn a_token_is_never_half_a_reference() {
    let mut world = world();
    world.change("checkout", |client| {
        client.permissions = permissions(&[(ORDERS, &["orders.read"]), (BILLING, &["bills.read"])]);
    });
    let both = ask(&[], &[ORDERS, BILLING]);
    let refused = world.issue("checkout", &both);
    let refusal = refused.unwrap_err();
    assert_eq!(refusal.label(), "target_formats");
    assert_eq!(refusal.fault().unwrap().0, "resources");
    assert!(
        world
            .issue("checkout", &ask(&[], &[ORDERS]))
            .unwrap()
            .reference
            .is_some()
    );
    assert!(
        world
            .issue("checkout", &ask(&[], &[BILLING]))
            .unwrap()
            .reference
            .is_none()
    );

    // A code that was approved for both is not used up by asking for both.
    let form = PushForm {
        resources: &[ORDERS, BILLING],
        ..pushing()
    };
    let lodged = world.push("checkout", &form).unwrap();
    let redirect = world.approve(lodged.request_uri.reveal(), &approving());
    let code = parameter(redirect.unwrap().reveal(), "code").unwrap();
    let form = redeeming(&code);
    let refused = world.redeem("checkout", &form, KEY_A);
    assert_eq!(outcome(refused), Some("target_formats"));
    let orders = countersign_issuer::CodeForm {
        resources: &[ORDERS],
        ..form
    };
    let issued = world.redeem("checkout", &orders, KEY_A).unwrap();
    shown(&world, &issued);
    // Nor is the refresh token, which has what was approved.
    let token = refresh_token(&issued);
    let refused = world.rotate("checkout", &token, &[], KEY_A);
    assert_eq!(outcome(refused), Some("target_formats"));
    assert!(world.is_active(&token, "checkout"), "not spent");

    format(&mut world, BILLING, AccessTokenFormat::Reference);
    let issued = world.issue("checkout", &both).unwrap();
    assert_eq!(issued.claims.audience.len(), 2);
    shown(&world, &issued);
}

#[test]
fn a_reference_is_shown_to_those_it_is_for() {
    let mut world = world();
    world.enrol(Client {
        serves: vec![ResourceUri::parse(BILLING).unwrap()],
        ..by_secret("billing")
    });
    let token = text(&world.grant("checkout"));
    for (caller, active) in [
        ("guard", true),
        ("billing", false),
        ("checkout", false),
        ("nobody", false),
    ] {
        assert_eq!(world.is_active(&token, caller), active, "{caller}");
    }
    world.pass(299);
    assert!(world.is_active(&token, "guard"));
    world.pass(1);
    assert!(!world.is_active(&token, "guard"), "expired");
}

#[test]
fn a_revoked_reference_is_dead_at_once() {
    let mut world = world();
    let first = world.grant("checkout");
    let second = world
        .rotate("checkout", &refresh_token(&first), &[], KEY_A)
        .unwrap();
    assert_eq!(
        outcome(world.revoke_text("other", &text(&first))),
        Some("not_its_token")
    );
    assert_eq!(outcome(world.revoke_text("checkout", &text(&first))), None);
    assert!(!world.is_active(&text(&first), "guard"));
    assert!(
        world.is_active(&text(&second), "guard"),
        "it was revoked alone"
    );
    let events = world.events.len();
    assert_eq!(outcome(world.revoke_text("checkout", &text(&first))), None);
    assert_eq!(world.events.len(), events, "once is enough");

    let refresh = refresh_token(&second);
    let revoking = Revoking::token(&refresh, &world.published(), &world.issuer).unwrap();
    assert_eq!(outcome(world.revoke("checkout", &revoking)), None);
    assert!(!world.is_active(&text(&second), "guard"), "with its family");

    let mut world = self::world();
    let issued = world.grant("checkout");
    world.families.clear();
    assert!(
        !world.is_active(&text(&issued), "guard"),
        "its family is gone"
    );
    world.references.clear();
    assert_eq!(outcome(world.revoke_text("checkout", &text(&issued))), None);
    assert!(!world.is_active(&text(&issued), "guard"), "swept");
}

#[test]
fn a_reference_dies_with_all_that_its_holders_had_and_with_its_client() {
    for nth in 0..3 {
        let mut world = world();
        let issued = world.grant("checkout");
        let holder = Holder::of_token(&issued.claims)[nth].clone();
        shown(&world, &issued);
        world.revoke_all(&Target::Holder(holder)).unwrap();
        assert!(!world.is_active(&text(&issued), "guard"), "{nth}");
    }
    let mut world = world();
    let issued = world.issue("checkout", &ask(&[], &[])).unwrap();
    world.change("checkout", |client| client.disabled = true);
    assert!(!world.is_active(&text(&issued), "guard"), "disabled");
    world.clients.remove("checkout");
    assert!(!world.is_active(&text(&issued), "guard"), "removed");
}

/// Whoever knows a public client's name and has its token, but not its key.
#[test]
fn a_public_clients_reference_is_revoked_with_its_key_alone() {
    let mut world = world();
    let token = text(&world.grant("spa"));
    let revoking = Revoking::token(&token, &world.published(), &world.issuer).unwrap();
    let refused = world.revoke_with("spa", &revoking, KEY_B);
    assert_eq!(outcome(refused), Some("not_its_token"));
    assert!(world.is_active(&token, "guard"));
    assert_eq!(outcome(world.revoke_with("spa", &revoking, KEY_A)), None);
    assert!(!world.is_active(&token, "guard"));
}

#[test]
fn a_store_that_was_set_back_knows_no_reference_from_before() {
    let mut world = world();
    let alone = world.issue("checkout", &ask(&[], &[])).unwrap();
    world.pass(1);
    world.issuer.epoch = Epoch::new(1);
    assert!(!world.is_active(&text(&alone), "guard"), "by its epoch");
    world.issuer.epoch = Epoch::default();
    world.issuer.set_back_at = Some(world.now);
    assert!(!world.is_active(&text(&alone), "guard"), "by its time");
    world.pass(1);
    world.issuer.epoch = Epoch::new(1);
    let after = world.issue("checkout", &ask(&[], &[])).unwrap();
    shown(&world, &after);
}

#[test]
fn a_reference_lives_as_long_as_the_key_that_made_it() {
    let mut world = world();
    let token = text(&world.issue("checkout", &ask(&[], &[])).unwrap());
    let key = |id: u8, secret: u8| MacKey::new(MacKeyId::new([id; 4]), &[secret; 32]);
    for (what, keys, active) in [
        ("retiring", MacKeys::new(key(3, 3), vec![key(1, 1)]), true),
        ("dropped", MacKeys::new(key(3, 3), Vec::new()), false),
        (
            "another of that name",
            MacKeys::new(key(1, 9), Vec::new()),
            false,
        ),
    ] {
        world.issuer.mac_keys = keys;
        assert_eq!(world.is_active(&token, "guard"), active, "{what}");
    }
}

/// Whoever has the whole store has the record and its name, and still no token.
#[test]
fn nothing_in_a_record_makes_a_token() {
    let mut world = world();
    let issued = world.issue("checkout", &ask(&[], &[])).unwrap();
    let known = format!("{:?}", world.references);
    assert!(!known.contains("csa_"));
    let guessed = MacKeys::new(MacKey::new(MacKeyId::new([1; 4]), &[0; 32]), Vec::new());
    let handle = Handle {
        kind: HandleKind::Access,
        record: issued.claims.id.record(),
        generation: Generation::FIRST,
    };
    assert_eq!(handle.text(&world.issuer.mac_keys).reveal(), text(&issued));
    let forged = handle.text(&guessed);
    assert_eq!(
        recognise(forged.reveal(), &world.published(), &world.issuer),
        Recognised::Neither
    );
    assert!(!world.is_active(forged.reveal(), "guard"));
}

#[test]
fn no_other_handle_passes_for_a_reference() {
    let mut world = world();
    let issued = world.grant("checkout");
    let code = world.code("checkout");
    let family = issued.claims.family.unwrap().record();
    let request = Handle {
        kind: HandleKind::RequestUri,
        record: family,
        generation: Generation::FIRST,
    };
    let request = request.text(&world.issuer.mac_keys);
    for text in [refresh_token(&issued).as_str(), &code, request.reveal()] {
        let encoded = text.rsplit_once('_').unwrap().1;
        // base64url has underscores of its own: the length says where it begins.
        let encoded = if encoded.len() == 75 {
            encoded
        } else {
            &text[text.len() - 75..]
        };
        let passed_off = format!("csa_{encoded}");
        let recognised = recognise(&passed_off, &world.published(), &world.issuer);
        assert_eq!(recognised, Recognised::Neither);
        let encoded = &self::text(&issued)[4..];
        for prefix in ["csr_", "csc_"] {
            let passed_off = format!("{prefix}{encoded}");
            let recognised = recognise(&passed_off, &world.published(), &world.issuer);
            assert_eq!(recognised, Recognised::Neither, "{prefix}");
        }
    }
}

/// A text that is no token names no record: so nothing is loaded for it.
fn loads_nothing(recognised: &Recognised) -> bool {
    recognised.token().is_none()
        && recognised.reference().is_none()
        && recognised.family().is_none()
}

proptest! {
    #[test]
    fn garbage_with_the_right_prefix_names_no_record(garbage in ".{0,120}") {
        let world = World::new();
        let recognised = recognise(&format!("csa_{garbage}"), &world.published(), &world.issuer);
        prop_assert!(loads_nothing(&recognised));
    }

    #[test]
    fn no_bit_of_a_reference_can_be_changed(bit in 0..56_usize * 8) {
        let mut world = world();
        let token = text(&world.issue("checkout", &ask(&[], &[])).unwrap());
        let mut bytes = base64url::decode(&token[4..]).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let changed = format!("csa_{}", base64url::encode(bytes));
        let recognised = recognise(&changed, &world.published(), &world.issuer);
        prop_assert!(loads_nothing(&recognised));
    }

    /// Of a record that was swept, or never committed.
    #[test]
    fn a_handle_of_a_record_that_is_not_there_is_inactive(id in any::<[u8; 16]>()) {
        let world = world();
        let handle = Handle {
            kind: HandleKind::Access,
            record: RecordId::from_bytes(id),
            generation: Generation::FIRST,
        };
        let text = handle.text(&world.issuer.mac_keys);
        let recognised = recognise(text.reveal(), &world.published(), &world.issuer);
        prop_assert_eq!(&recognised, &Recognised::Reference(TokenId::from_bytes(id)));
        let caller = world.client("guard");
        let standing = Standing::default();
        let answer = introspect(&recognised, &standing, Some(&caller), &world.issuer, world.now);
        prop_assert_eq!(answer, Introspection::Inactive);
    }
}
