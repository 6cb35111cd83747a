//! User codes of devices (RFC 8628): how they are made, typed, kept and found.

use std::collections::HashSet;

use countersign_issuer::authorize::{Guesser, Named};
use countersign_issuer::model::UserCode;
use countersign_issuer::{MacKey, MacKeyId, MacKeys};

use crate::world::{World, ask, outcome, pushing};

#[test]
fn a_code_of_a_request_that_is_no_devices_is_not_found() {
    let mut world = World::new();
    let device = world.device();
    let typed = device.user_code.reveal();
    for (what, secs, expected) in [("waiting", 599, None), ("over", 1, Some("user_code"))] {
        world.pass(secs);
        assert_eq!(outcome(world.find(&typed)), expected, "{what}");
    }
    world.authorizations.clear();
    assert_eq!(outcome(world.find(&typed)), Some("user_code"), "swept");

    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    let mac_keys = &world.issuer.mac_keys;
    let named = Named::parse(lodged.request_uri.reveal(), mac_keys);
    let code = UserCode::parse(&typed).unwrap();
    let name = mac_keys.user_code_name(&code);
    world.user_codes.insert(name, named.unwrap().record);
    assert_eq!(
        outcome(world.find(&typed)),
        Some("user_code"),
        "of a browser"
    );
}

#[test]
fn user_codes_are_read_as_people_type_them() {
    for (typed, expected) in [
        ("WDJB-MJHT", Ok("WDJB-MJHT")),
        ("wdjbmjht", Ok("WDJB-MJHT")),
        (" wdJB mjht\n", Ok("WDJB-MJHT")),
        ("W.D.J.B_M\u{2010}J\u{2014}H\u{a0}T", Ok("WDJB-MJHT")),
        ("", Err("missing")),
        ("----", Err("user_code")),
        ("WDJB-MJH", Err("user_code")),
        ("WDJB-MJHTT", Err("user_code")),
        ("WDJB-MJHA", Err("user_code")),
        ("WDJB-MJH1", Err("user_code")),
        ("WDJB-MJH\u{ff34}", Err("user_code")),
        ("WDJB-MJH\u{0422}", Err("user_code")),
    ] {
        let read = UserCode::parse(typed);
        let read = read
            .as_ref()
            .map(UserCode::reveal)
            .map_err(|problem| problem.label());
        assert_eq!(read, expected.map(str::to_owned), "{typed:?}");
    }
    let long = format!("WDJB-MJHT{}", " ".repeat(64));
    assert!(UserCode::parse(&long).is_err());
    assert!(UserCode::parse(&"-".repeat(10_000_000)).is_err());
    let code = UserCode::parse("WDJB-MJHT").unwrap();
    assert_eq!(format!("{code:?}"), "UserCode(..)");
}

/// RFC 8628 §6.1: twenty letters, eight places.
#[test]
fn each_letter_comes_at_each_place() {
    let mut seen = vec![HashSet::new(); 9];
    for number in 0..4_000_u64 {
        let digest = countersign_jose::sha256(&[&number.to_be_bytes()]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        let code = UserCode::from_random(bytes).reveal();
        assert_eq!(UserCode::parse(&code).unwrap().reveal(), code);
        for (place, letter) in code.chars().enumerate() {
            seen[place].insert(letter);
        }
    }
    let letters: HashSet<char> = "BCDFGHJKLMNPQRSTVWXZ".chars().collect();
    for (place, seen) in seen.iter().enumerate() {
        let expected = if place == 4 {
            HashSet::from(['-'])
        } else {
            letters.clone()
        };
        assert_eq!(*seen, expected, "place {place}");
    }
}

#[test]
fn a_user_code_stands_for_one_device() {
    let mut world = World::new();
    let code = UserCode::from_random([7; 16]);
    let [first, second] =
        ["checkout", "spa"].map(|who| world.device_decision(who, &ask(&[], &[]), None, &code));
    assert!(world.commit(&first.change).is_ok());
    assert!(world.commit(&second.change).is_err());
}

/// The store learns nothing that a code could be found with, and a key that was replaced since does
/// not matter.
#[test]
fn a_user_code_is_named_by_an_hmac_of_it() {
    let mut world = World::new();
    let device = world.device();
    let typed = device.user_code.reveal();
    let key = |id: u8| MacKey::new(MacKeyId::new([id; 4]), &[id; 32]);
    let [name] = world.user_codes.keys().collect::<Vec<_>>()[..] else {
        panic!("one code");
    };
    let letters = typed.replace('-', "");
    assert_ne!(
        name.as_bytes(),
        &countersign_jose::sha256(&[letters.as_bytes()])
    );
    let others = MacKeys::new(key(9), vec![]);
    assert_ne!(others.user_code_name(&device.user_code), *name);
    for (what, keys, expected) in [
        ("replaced", MacKeys::new(key(3), vec![key(2), key(1)]), None),
        (
            "gone",
            MacKeys::new(key(3), vec![key(2)]),
            Some("user_code"),
        ),
    ] {
        world.issuer.mac_keys = keys;
        assert_eq!(outcome(world.find(&typed)), expected, "{what}");
    }
}

#[test]
fn failed_attempts_are_counted_by_somebody() {
    let long = "x".repeat(256);
    for (subject, source, expected) in [
        ("ann", "", None),
        ("", "192.0.2.1", None),
        ("ann", "192.0.2.1", None),
        ("", "", Some("guesser")),
        ("", &long, Some("source")),
        ("", "a\nb", Some("source")),
        (&long, "a", Some("subject")),
    ] {
        let read = Guesser::parse(subject, source);
        if let Ok(guesser) = &read {
            assert_eq!(format!("{guesser:?}"), "Guesser(..)");
        }
        assert_eq!(outcome(read), expected, "{subject:?} {source:?}");
    }
}
