//! Requests that come with a browser: what is out when, and what stands in between.

use countersign_issuer::authorize::{Arrived, Named};
use countersign_issuer::model::{Authorization, Epoch, Generation, Malformed, Stage};
use countersign_issuer::{FieldFault, GrantCause, Handle, HandleKind, Refusal};

use crate::world::{KEY_A, REDIRECT, World, approving, outcome, parameter, pushing, redeeming};

const KEEPS: &str = "what the browser keeps";

/// A request of `checkout` that was handed over: its handle.
fn begun(world: &mut World) -> String {
    let lodged = world.push("checkout", &pushing()).unwrap();
    let uri = lodged.request_uri.reveal();
    world.begin("checkout", uri, KEEPS).unwrap()
}

fn approved(world: &mut World) -> String {
    let handle = begun(world);
    let redirect_to = world.approve(&handle, &approving()).unwrap();
    redirect_to.reveal().to_owned()
}

fn only(world: &World) -> &Authorization {
    &world.authorizations.values().next().unwrap().value
}

/// The code is a function of the record: somebody who could make it has to wait all the same.
#[test]
fn a_code_is_worth_nothing_before_the_browser_is_back() {
    let mut world = World::new();
    let handle = begun(&mut world);
    let record = Named::parse(&handle, &world.issuer.mac_keys)
        .unwrap()
        .record;
    let code = Handle {
        kind: HandleKind::Code,
        record,
        generation: Generation::FIRST,
    };
    let code = code.text(&world.issuer.mac_keys).reveal().to_owned();
    let redirect_to = world.approve(&handle, &approving()).unwrap();
    assert_eq!(parameter(redirect_to.reveal(), "code"), None);
    let early = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(
        early.unwrap_err(),
        Refusal::GrantInvalid(GrantCause::NotApproved)
    );
    let done = world.resume(redirect_to.reveal(), KEEPS).unwrap();
    assert_eq!(parameter(done.reveal(), "code").unwrap(), code);
    assert!(world.redeem("checkout", &redeeming(&code), KEY_A).is_ok());
}

/// What is revoked between the approval and the browser's return must hit the code.
#[test]
fn a_code_lives_from_the_return_and_is_of_the_approval() {
    let mut world = World::new();
    let approved_at = world.now;
    let way_back = approved(&mut world);
    world.pass(50);
    world.resume(&way_back, KEEPS).unwrap();
    let authorization = only(&world).clone();
    let Stage::Approved(approval) = &authorization.stage else {
        panic!("{authorization:?}");
    };
    assert_eq!(approval.approved_at, approved_at);
    assert_eq!(
        approval.code_expires_at,
        world.now.plus(world.issuer.lifetimes.code)
    );
    assert_eq!(
        authorization.revoked_until(approved_at).stage,
        Stage::Denied
    );
}

#[test]
fn a_browser_is_sent_on_to_a_client_that_stands_by_an_issuer_that_remembers() {
    type Changes = fn(&mut World);
    let changes: [(&str, Changes, bool); 5] = [
        ("nothing", |_| {}, true),
        (
            "the client is disabled",
            |world| world.change("checkout", |client| client.disabled = true),
            false,
        ),
        (
            "its redirect URI is gone",
            |world| world.change("checkout", |client| client.redirect_uris.clear()),
            false,
        ),
        (
            "another one has its identifier",
            |world| world.register_again("checkout"),
            false,
        ),
        (
            "the store was set back",
            |world| world.issuer.epoch = Epoch::new(world.issuer.epoch.number() + 1),
            false,
        ),
    ];
    for (what, change, stands) in changes {
        let mut world = World::new();
        let way_back = approved(&mut world);
        change(&mut world);
        let done = world.resume(&way_back, KEEPS);
        assert_eq!(outcome(done), (!stands).then_some("resume"), "{what}");
    }
}

#[test]
fn a_browser_begins_what_waits_for_it() {
    type Changes = fn(&mut World);
    let changes: [(&str, Changes, Option<&str>); 5] = [
        ("nothing", |_| {}, None),
        (
            "the client is disabled",
            |world| world.change("checkout", |client| client.disabled = true),
            Some("client_not_registered"),
        ),
        (
            "its redirect URI is gone",
            |world| world.change("checkout", |client| client.redirect_uris.clear()),
            Some("request_uri"),
        ),
        (
            "another one has its identifier",
            |world| world.register_again("checkout"),
            Some("request_uri"),
        ),
        ("it is late", |world| world.pass(600), Some("request_uri")),
    ];
    for (what, change, expected) in changes {
        let mut world = World::new();
        let lodged = world.push("checkout", &pushing()).unwrap();
        change(&mut world);
        let begun = world.begin("checkout", lodged.request_uri.reveal(), KEEPS);
        assert_eq!(outcome(begun), expected, "{what}");
    }
    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    let uri = lodged.request_uri.reveal();
    world.approve(uri, &approving()).unwrap();
    let late = world.begin("checkout", uri, KEEPS);
    assert_eq!(outcome(late), Some("request_uri"), "decided over gRPC");
}

/// RFC 9126 §6. Whether its parameters would be right does not matter, and where it may be sent
/// with that comes first: somebody else's address learns nothing.
#[test]
fn a_client_that_pushes_its_requests_has_none_in_parameters() {
    let mut world = World::new();
    let begun = world.arrive("checkout", REDIRECT, Some(&pushing()));
    assert!(matches!(begun, Ok(Arrived::Begun(_))), "{begun:?}");
    world.authorizations.clear();
    world.change("checkout", |client| client.only_pushed = true);
    let not_pushed = Refusal::from(FieldFault::new("request_uri", Malformed::NotPushed));
    for form in [Some(pushing()), None] {
        let arrived = world.arrive("checkout", REDIRECT, form.as_ref()).unwrap();
        let Arrived::Back(back, Some(refusal)) = arrived else {
            panic!("{arrived:?}");
        };
        assert_eq!(back.redirect_uri.as_str(), REDIRECT);
        assert_eq!(refusal, not_pushed);
    }
    let elsewhere = world.arrive("checkout", "https://evil.example/cb", Some(&pushing()));
    assert_eq!(outcome(elsewhere), Some("redirect_uri_not_registered"));
    assert!(world.authorizations.is_empty(), "nothing was written");
    // What it has pushed goes its way.
    approved(&mut world);
}
