//! Device authorization (RFC 8628): what devices are told, and what people decide about them.

use std::time::Duration;

use countersign_issuer::authorize::ApproveForm;
use countersign_issuer::model::{GrantTypes, RevokedCause, Subject, UserCode};
use countersign_issuer::{EventKind, Expect, Holder, Record, Refusal, Target, Write};

use crate::world::{
    KEY_A, KEY_B, ORDERS, START, World, all_grants, approving, ask, outcome, permissions,
    redeeming, refresh_token,
};

#[test]
fn a_device_gets_tokens_once_a_person_has_approved() {
    let mut world = World::new();
    let device = world.device();
    let code = device.device_code.reveal().to_owned();
    assert!(code.starts_with("csd_"));
    assert_eq!(device.expires_in, Duration::from_secs(600));
    assert_eq!(device.interval, Duration::from_secs(5));
    let waiting = world.poll("checkout", &code, KEY_A);
    assert_eq!(outcome(waiting), Some("authorization_pending"));

    let found = world.find(&device.user_code.reveal()).unwrap();
    assert_eq!(found.shown.client.as_str(), "checkout");
    assert!(found.shown.redirect_uri.is_none());
    assert_eq!(found.shown.expires_at.as_secs(), START.as_secs() + 600);
    world.approve_device(&device);
    let approved = world.events.last().unwrap();
    assert_eq!(approved.kind, EventKind::AuthorizationApproved);
    assert_eq!(approved.reason, Some("device_code"));

    // Too soon after the last question, but there is nothing to wait for.
    let issued = world.poll("checkout", &code, KEY_A).unwrap();
    assert_eq!(issued.claims.subject.as_str(), "alice");
    assert_eq!(issued.claims.scopes.to_string(), "orders.read orders.write");
    assert_eq!(issued.claims.jkt, KEY_A);
    assert!(refresh_token(&issued).starts_with("csr_"));
    let redeemed = world.events.last().unwrap();
    assert_eq!(redeemed.kind, EventKind::CodeRedeemed);
    assert_eq!(redeemed.reason, Some("device_code"));
    assert!(redeemed.granted.is_some());
}

#[test]
fn only_clients_that_are_registered_for_it_ask_for_no_more_than_they_may() {
    for (what, client, scopes, resources, expected) in [
        ("right", "checkout", &["orders.read"][..], &[][..], None),
        ("public", "spa", &[], &[], None),
        (
            "unknown scope",
            "checkout",
            &["bills.read"],
            &[],
            Some("scope_not_permitted"),
        ),
        (
            "other resource",
            "checkout",
            &[],
            &["https://billing.internal:8443"],
            Some("target_not_permitted"),
        ),
        (
            "nothing to ask for",
            "guard",
            &[],
            &[],
            Some("target_not_permitted"),
        ),
        (
            "without the grant",
            "other",
            &[],
            &[],
            Some("grant_type_not_allowed"),
        ),
    ] {
        let mut world = World::new();
        world.change("other", |client| client.grant_types.device_code = false);
        let answer = world.authorize_device(client, &ask(scopes, resources), Some(KEY_A));
        assert_eq!(outcome(answer), expected, "{what}");
        assert_eq!(
            world.authorizations.len(),
            usize::from(expected.is_none()),
            "{what}"
        );
        assert_eq!(world.user_codes.len(), world.authorizations.len(), "{what}");
    }
}

/// RFC 8628 §3.5: each time, for this question and all that follow.
#[test]
fn a_device_that_asks_too_soon_waits_five_seconds_more() {
    let mut world = World::new();
    let device = world.device();
    let code = device.device_code.reveal();
    for (pass, expected) in [
        (0, Ok(5)),
        (5, Ok(5)),
        (4, Err(10)),
        (9, Err(15)),
        (15, Ok(15)),
        (14, Err(20)),
        (0, Err(25)),
        (25, Ok(25)),
        (1_000, Err(0)),
    ] {
        world.pass(pass);
        let said = match world.poll("checkout", code, KEY_A) {
            Err(Refusal::AuthorizationPending { interval }) => Ok(interval.as_secs()),
            Err(Refusal::SlowDown { interval }) => Err(interval.as_secs()),
            Err(Refusal::DeviceCodeExpired) => Err(0),
            other => panic!("{other:?}"),
        };
        assert_eq!(said, expected, "after {pass} s");
    }
}

/// It cannot be let in before the end any more, so nothing is written for it.
#[test]
fn a_flood_of_questions_is_a_bounded_number_of_writes() {
    let mut world = World::new();
    let device = world.device();
    let code = device.device_code.reveal();
    let writes = (0..1_000)
        .filter(|_| {
            let decision = world.polled("checkout", code, &[], KEY_A).unwrap();
            let writes = !decision.change.is_empty();
            assert!(world.settle(decision).is_err());
            writes
        })
        .count();
    assert_eq!(writes, 1 + 600 / 5 - 1);
    world.pass(599);
    assert_eq!(
        outcome(world.poll("checkout", code, KEY_A)),
        Some("slow_down")
    );
    world.approve_device(&device);
    assert!(world.poll("checkout", code, KEY_A).is_ok());
}

#[test]
fn a_device_code_is_for_its_client_its_key_and_its_time() {
    let mut world = World::new();
    let device = world.device();
    let code = device.device_code.reveal().to_owned();
    let garbage = format!("{}A", &code[..code.len() - 1]);
    let as_code = code.replace("csd_", "csc_");
    for approved in [false, true] {
        if approved {
            world.approve_device(&device);
        }
        for (what, who, code, key, expected) in [
            ("no code", "checkout", "", KEY_A, "missing"),
            (
                "garbage",
                "checkout",
                garbage.as_str(),
                KEY_A,
                "grant_not_ours",
            ),
            (
                "another client",
                "other",
                &code,
                KEY_A,
                "grant_other_client",
            ),
            ("another key", "checkout", &code, KEY_B, "grant_other_key"),
        ] {
            let answer = world.poll(who, code, key);
            assert_eq!(
                outcome(answer),
                Some(expected),
                "{what}, approved: {approved}"
            );
        }
        let mispresented = world.events.last().unwrap();
        assert_eq!(mispresented.kind, EventKind::CodeMispresented);
        // Neither is a device code an authorization code, nor the other way round.
        let answer = world.redeem("checkout", &redeeming(&as_code), KEY_A);
        assert_eq!(outcome(answer), Some("grant_not_ours"));
    }
    let wider = world.poll_for("checkout", &code, &["bills.read"], KEY_A);
    assert_eq!(outcome(wider), Some("scope_wider"));
    // None of that consumed it.
    assert!(world.poll("checkout", &code, KEY_A).is_ok());
}

#[test]
fn a_device_code_ends_approved_or_not() {
    for (approved, secs, expected) in [
        (false, 599, Some("authorization_pending")),
        (false, 600, Some("device_code_expired")),
        (true, 599, None),
        (true, 600, Some("device_code_expired")),
    ] {
        let mut world = World::new();
        let device = world.device();
        if approved {
            world.approve_device(&device);
        }
        world.pass(secs);
        let answer = world.poll("checkout", device.device_code.reveal(), KEY_A);
        assert_eq!(outcome(answer), expected, "approved: {approved}, {secs} s");
    }
}

#[test]
fn a_device_is_told_that_the_person_declined() {
    let mut world = World::new();
    let device = world.device();
    let uri = world.uri_of(&device);
    assert!(world.deny_either(&uri).unwrap().is_none());
    for _ in 0..2 {
        let answer = world.poll("checkout", device.device_code.reveal(), KEY_A);
        assert_eq!(outcome(answer), Some("access_denied"));
    }
    // It cannot be approved any more, nor found.
    let again = world.approve_either(&uri, &approving());
    assert_eq!(outcome(again), Some("request_uri"));
    let found = world.find(&device.user_code.reveal());
    assert_eq!(outcome(found), Some("user_code"));
}

#[test]
fn a_second_use_refuses_and_revokes_what_the_first_issued() {
    let mut world = World::new();
    let device = world.device();
    let code = device.device_code.reveal();
    world.approve_device(&device);
    let issued = world.poll("checkout", code, KEY_A).unwrap();
    let access = world.sign(&issued);
    // Nobody but the device could have used it.
    for (who, key) in [("checkout", KEY_B), ("other", KEY_A)] {
        assert!(world.poll(who, code, key).is_err());
        assert!(world.is_active(&access, "guard"));
    }
    let answer = world.poll("checkout", code, KEY_A);
    assert_eq!(outcome(answer), Some("grant_reused"));
    assert!(!world.is_active(&access, "guard"));
    let revoked = world.family_of(&issued).revoked.unwrap();
    assert_eq!(revoked.cause, RevokedCause::CodeReuse);
    assert_eq!(world.events.last().unwrap().kind, EventKind::CodeReused);
}

#[test]
fn of_two_questions_at_once_one_is_answered_with_tokens() {
    let mut world = World::new();
    let device = world.device();
    let code = device.device_code.reveal();
    // Both wait: the one that lost the race asked too soon.
    let [first, second] = [0; 2].map(|_| world.polled("checkout", code, &[], KEY_A).unwrap());
    assert!(world.commit(&first.change).is_ok());
    assert!(world.commit(&second.change).is_err());
    assert_eq!(
        outcome(world.poll("checkout", code, KEY_A)),
        Some("slow_down")
    );
    // A person's decision and a question do not get in each other's way for long.
    let question = world.polled("checkout", code, &[], KEY_A).unwrap();
    world.approve_device(&device);
    assert!(world.commit(&question.change).is_err());

    let [first, second] = [0; 2].map(|_| world.polled("checkout", code, &[], KEY_A).unwrap());
    assert!(first.answer.is_ok() && second.answer.is_ok());
    assert!(world.commit(&first.change).is_ok());
    assert!(world.commit(&second.change).is_err());
    assert_eq!(
        outcome(world.poll("checkout", code, KEY_A)),
        Some("grant_reused")
    );
    assert_eq!(world.families.len(), 1);
}

/// What is spent and what is issued for it are written together.
#[test]
fn spending_and_issuing_are_one_change() {
    let mut world = World::new();
    let device = world.device();
    world.approve_device(&device);
    let code = device.device_code.reveal();
    let decision = world.polled("checkout", code, &[], KEY_A).unwrap();
    let [spent, issued] = &decision.change.writes[..] else {
        panic!("{:?}", decision.change.writes);
    };
    assert!(matches!(
        spent,
        Write::Put {
            record: Record::Authorization(..),
            expect: Expect::Version(_)
        }
    ));
    assert!(matches!(
        issued,
        Write::Put {
            record: Record::Family(..),
            expect: Expect::Absent
        }
    ));
}

#[test]
fn what_somebody_had_is_revoked_with_a_device_code_that_is_out() {
    let subject = |name| Holder::Subject(Subject::parse(name).unwrap());
    let checkout = World::new().client("checkout").id;
    for (holder, expected) in [
        (subject("alice"), Some("access_denied")),
        (Holder::Client(checkout), Some("access_denied")),
        (Holder::Key(KEY_A), Some("access_denied")),
        (subject("bob"), None),
        (Holder::Key(KEY_B), None),
    ] {
        let mut world = World::new();
        let device = world.device();
        world.approve_device(&device);
        world.revoke_all(&Target::Holder(holder.clone())).unwrap();
        world.pass(30);
        let answer = world.poll("checkout", device.device_code.reveal(), KEY_A);
        assert_eq!(outcome(answer), expected, "{holder}");

        // What is approved later is another matter, however long the device has waited.
        let mut world = World::new();
        let device = world.device();
        world.revoke_all(&Target::Holder(holder.clone())).unwrap();
        world.pass(30);
        world.approve_device(&device);
        let answer = world.poll("checkout", device.device_code.reveal(), KEY_A);
        assert_eq!(outcome(answer), None, "{holder}");
    }
}

#[test]
fn a_device_gets_what_was_approved_and_is_still_registered() {
    let mut world = World::new();
    let device = world.device();
    let form = ApproveForm {
        scopes: &["orders.read"],
        ..approving()
    };
    let uri = world.uri_of(&device);
    world.approve_either(&uri, &form).unwrap();
    let code = device.device_code.reveal();
    world.change("checkout", |client| {
        client.permissions = permissions(&[]);
    });
    assert_eq!(
        outcome(world.poll("checkout", code, KEY_A)),
        Some("nothing_left")
    );
    world.change("checkout", |client| {
        client.permissions = permissions(&[(ORDERS, &["orders.read", "orders.write"])]);
        client.grant_types = GrantTypes {
            device_code: false,
            ..all_grants()
        };
    });
    let answer = world.poll("checkout", code, KEY_A);
    assert_eq!(outcome(answer), Some("grant_type_not_allowed"));
    world.change("checkout", |client| client.grant_types = all_grants());
    let issued = world.poll("checkout", code, KEY_A).unwrap();
    assert_eq!(issued.claims.scopes.to_string(), "orders.read");
}

#[test]
fn without_the_grant_a_waiting_device_is_neither_told_nor_approved() {
    let mut world = World::new();
    let device = world.device();
    let uri = world.uri_of(&device);
    world.change("checkout", |client| client.grant_types.device_code = false);
    let answer = world.poll("checkout", device.device_code.reveal(), KEY_A);
    assert_eq!(outcome(answer), Some("grant_type_not_allowed"));
    assert_eq!(
        outcome(world.find(&device.user_code.reveal())),
        Some("user_code")
    );
    let answer = world.approve_either(&uri, &approving());
    assert_eq!(outcome(answer), Some("request_uri"));
}

#[test]
fn a_device_of_an_earlier_client_of_the_same_identifier_is_neither_found_nor_told() {
    let mut world = World::new();
    let device = world.device();
    let uri = world.uri_of(&device);
    world.register_again("checkout");
    let answer = world.poll("checkout", device.device_code.reveal(), KEY_A);
    assert_eq!(outcome(answer), Some("grant_client_replaced"));
    assert_eq!(
        outcome(world.find(&device.user_code.reveal())),
        Some("user_code")
    );
    let answer = world.approve_either(&uri, &approving());
    assert_eq!(outcome(answer), Some("request_uri"));
}

#[test]
fn records_of_devices_are_kept_until_they_are_over() {
    let mut world = World::new();
    let code = UserCode::from_random([7; 16]);
    let decision = world.device_decision("checkout", &ask(&[], &[]), Some(KEY_A), &code);
    for write in &decision.change.writes {
        let Write::Put { record, .. } = write else {
            panic!("{write:?}");
        };
        let ends_at = record.ends_at().unwrap();
        assert_eq!(ends_at.as_secs() - START.as_secs(), 600 + 60, "{record:?}");
    }
    let device = world.settle(decision).unwrap();
    world.approve_device(&device);
    world
        .poll("checkout", device.device_code.reveal(), KEY_A)
        .unwrap();
    let (id, known) = world.authorizations.iter().next().unwrap();
    let ends_at = Record::Authorization(*id, known.value.clone())
        .ends_at()
        .unwrap();
    assert_eq!(ends_at.as_secs() - START.as_secs(), 600 + 24 * 3600 + 60);
}

#[test]
fn a_store_that_was_set_back_forgets_devices() {
    let mut world = World::new();
    let device = world.device();
    world.approve_device(&device);
    world.issuer.epoch = countersign_issuer::model::Epoch::new(9);
    let answer = world.poll("checkout", device.device_code.reveal(), KEY_A);
    assert_eq!(outcome(answer), Some("grant_earlier_epoch"));
}
