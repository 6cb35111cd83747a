//! Authorization requests: attacks.md, "PKCE, code, PAR", up to the code.

use countersign_issuer::authorize::{ApproveForm, Named, PushForm};
use countersign_issuer::model::{GrantTypes, RedirectUri, Stage};
use countersign_issuer::{EventKind, Refusal};
use countersign_jose::UnixTime;

use crate::world::{
    CHALLENGE, ISSUER, KEY_A, KEY_B, START, World, all_grants, approving, outcome, parameter,
    pushing,
};

/// The label of the refusal and the field that it names.
fn fault<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> (&'static str, String) {
    let refusal = answer.unwrap_err();
    let field = refusal
        .fault()
        .map(|(field, _)| field.to_owned())
        .unwrap_or_default();
    (refusal.label(), field)
}

#[test]
fn a_request_is_refused_naming_the_field_that_is_wrong() {
    let long = "s".repeat(513);
    let jkt = "x".repeat(43);
    let good = pushing();
    for (form, label, field) in [
        (
            PushForm {
                code_challenge_method: "plain",
                ..good
            },
            "code_challenge_method",
            "code_challenge_method",
        ),
        (
            PushForm {
                code_challenge_method: "",
                ..good
            },
            "code_challenge_method",
            "code_challenge_method",
        ),
        (
            PushForm {
                code_challenge_method: "s256",
                ..good
            },
            "code_challenge_method",
            "code_challenge_method",
        ),
        (
            PushForm {
                code_challenge: "",
                ..good
            },
            "missing",
            "code_challenge",
        ),
        (
            PushForm {
                code_challenge: &CHALLENGE[1..],
                ..good
            },
            "code_challenge",
            "code_challenge",
        ),
        (
            PushForm {
                redirect_uri: "",
                ..good
            },
            "missing",
            "redirect_uri",
        ),
        (
            PushForm {
                redirect_uri: "https://evil.example/",
                ..good
            },
            "redirect_uri_not_registered",
            "redirect_uri",
        ),
        (
            PushForm {
                redirect_uri: "https://shop.example/callback/",
                ..good
            },
            "redirect_uri_not_registered",
            "redirect_uri",
        ),
        (
            PushForm {
                redirect_uri: "https://SHOP.example/callback",
                ..good
            },
            "redirect_uri_not_registered",
            "redirect_uri",
        ),
        (
            PushForm {
                redirect_uri: "https://shop.example/callback#f",
                ..good
            },
            "redirect_uri",
            "redirect_uri",
        ),
        (
            PushForm {
                state: &long,
                ..good
            },
            "state",
            "state",
        ),
        (
            PushForm {
                dpop_jkt: "short",
                ..good
            },
            "thumbprint",
            "dpop_jkt",
        ),
        (
            PushForm {
                dpop_jkt: &jkt,
                ..good
            },
            "thumbprint",
            "dpop_jkt",
        ),
        (
            PushForm {
                scopes: &["bills.read"],
                ..good
            },
            "scope_not_permitted",
            "scopes",
        ),
        (
            PushForm {
                resources: &["https://x.example"],
                ..good
            },
            "target_not_permitted",
            "resources",
        ),
    ] {
        let mut world = World::new();
        assert_eq!(
            fault(world.push("checkout", &form)),
            (label, field.to_owned())
        );
        assert!(world.authorizations.is_empty());
    }
}

#[test]
fn a_client_without_the_grant_lodges_nothing() {
    let mut world = World::new();
    world.change("checkout", |client| {
        client.grant_types = GrantTypes {
            authorization_code: false,
            ..all_grants()
        };
    });
    assert_eq!(
        outcome(world.push("checkout", &pushing())),
        Some("grant_type_not_allowed")
    );
}

#[test]
fn a_proof_and_dpop_jkt_must_name_one_key() {
    let jkt = KEY_A.to_string();
    for (said, proof, expected) in [
        ("", None, Ok(None)),
        (jkt.as_str(), None, Ok(Some(KEY_A))),
        ("", Some(KEY_B), Ok(Some(KEY_B))),
        (&jkt, Some(KEY_A), Ok(Some(KEY_A))),
        (&jkt, Some(KEY_B), Err("thumbprint_of_other_key")),
    ] {
        let mut world = World::new();
        let form = PushForm {
            dpop_jkt: said,
            ..pushing()
        };
        let answer = world.push_with("checkout", &form, proof).map(|lodged| {
            let named = Named::parse(lodged.request_uri.reveal(), &world.issuer.mac_keys).unwrap();
            world.authorizations[&named.record].value.dpop_jkt
        });
        assert_eq!(answer.map_err(|refusal| refusal.label()), expected);
    }
}

#[test]
fn the_port_of_a_loopback_address_may_differ_and_nothing_else() {
    let mut world = World::new();
    world.change("spa", |client| {
        client.redirect_uris = [
            "http://127.0.0.1/cb",
            "http://[::1]:3000/cb?x=1",
            "com.example.app:/cb",
        ]
        .map(|uri| RedirectUri::parse(uri).unwrap())
        .to_vec();
    });
    for (uri, accepted) in [
        ("http://127.0.0.1/cb", true),
        ("http://127.0.0.1:49152/cb", true),
        ("http://[::1]:7/cb?x=1", true),
        ("com.example.app:/cb", true),
        ("http://127.0.0.1:49152/cb2", false),
        ("http://127.0.0.1:49152/cb?x=1", false),
        ("http://[::1]/cb", false),
        ("http://localhost/cb", false),
        ("https://127.0.0.1/cb", false),
        ("http://127.0.0.1:80@evil.example/cb", false),
        ("http://127.0.0.1.evil.example/cb", false),
        ("http://127.0.0.1:+80/cb", false),
        ("http://127.0.0.1:99999/cb", false),
        ("com.example.app:/cb/", false),
    ] {
        let answer = world.push(
            "spa",
            &PushForm {
                redirect_uri: uri,
                ..pushing()
            },
        );
        assert_eq!(answer.is_ok(), accepted, "{uri}");
    }
}

#[test]
fn an_approval_sends_the_browser_back_with_code_state_and_issuer() {
    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    let redirect = world
        .approve(lodged.request_uri.reveal(), &approving())
        .unwrap();
    assert_eq!(format!("{redirect:?}"), "RedirectTo(..)");
    let uri = redirect.reveal();
    assert!(uri.starts_with("https://shop.example/callback?code=csc_"));
    assert_eq!(parameter(uri, "state").as_deref(), Some("a b&c"));
    assert_eq!(parameter(uri, "iss").as_deref(), Some(ISSUER));
    assert_eq!(
        world.events.last().unwrap().kind,
        EventKind::AuthorizationApproved
    );
    assert_eq!(world.events.last().unwrap().actor.to_string(), "alice");
}

#[test]
fn a_refusal_sends_the_browser_back_with_the_error() {
    let mut world = World::new();
    world.change("checkout", |client| {
        client
            .redirect_uris
            .push(RedirectUri::parse("https://shop.example/cb?a=b").unwrap());
    });
    let form = PushForm {
        redirect_uri: "https://shop.example/cb?a=b",
        state: "",
        ..pushing()
    };
    let lodged = world.push("checkout", &form).unwrap();
    let uri = lodged.request_uri.reveal();
    let redirect = world.deny(uri).unwrap();
    assert_eq!(
        redirect.reveal(),
        "https://shop.example/cb?a=b&error=access_denied&error_description=the+person+declined&iss=https%3A%2F%2Ftokens.internal%3A7443"
    );
    let event = world.events.last().unwrap();
    assert_eq!(event.kind, EventKind::AuthorizationDenied);
    assert_eq!(event.reason, Some("access_denied"));
    assert_eq!(fault(world.approve(uri, &approving())).0, "request_uri");
    assert!(matches!(
        world.authorizations.values().next().unwrap().value.stage,
        Stage::Denied
    ));
}

#[test]
fn a_request_uri_is_good_for_one_decision_in_its_time() {
    let not_waiting = ("request_uri", "request_uri".to_owned());
    let lodged = |world: &mut World| {
        let lodged = world.push("checkout", &pushing()).unwrap();
        lodged.request_uri.reveal().to_owned()
    };

    let mut world = World::new();
    let uri = lodged(&mut world);
    world.approve(&uri, &approving()).unwrap();
    assert_eq!(
        fault(world.approve(&uri, &approving())),
        not_waiting,
        "reused"
    );
    assert_eq!(fault(world.deny(&uri)), not_waiting, "reused");

    let mut world = World::new();
    let uri = lodged(&mut world);
    world.pass(599);
    assert!(world.approve(&uri, &approving()).is_ok());
    let uri = lodged(&mut world);
    world.pass(600);
    assert_eq!(
        fault(world.approve(&uri, &approving())),
        not_waiting,
        "expired"
    );

    let mut world = World::new();
    let uri = lodged(&mut world);
    assert_eq!(fault(world.approve("", &approving())).0, "missing");
    assert_eq!(
        fault(world.approve(&uri[..50], &approving())),
        not_waiting,
        "garbage"
    );
    let uri = lodged(&mut world);
    world.authorizations.clear();
    assert_eq!(
        fault(world.approve(&uri, &approving())),
        not_waiting,
        "unknown"
    );
}

#[test]
fn a_request_dies_with_its_clients_registration() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 4] = [
        ("registered again", |world| world.register_again("checkout")),
        ("removed", |world| drop(world.clients.remove("checkout"))),
        ("disabled", |world| {
            world.change("checkout", |client| client.disabled = true)
        }),
        ("redirect URI gone", |world| {
            world.change("checkout", |client| client.redirect_uris.clear());
        }),
    ];
    for (what, change) in changes {
        let mut world = World::new();
        let lodged = world.push("checkout", &pushing()).unwrap();
        change(&mut world);
        let answer = world.approve(lodged.request_uri.reveal(), &approving());
        assert_eq!(fault(answer).0, "request_uri", "{what}");
    }
}

#[test]
fn an_approval_is_refused_naming_the_field_that_is_wrong() {
    let good = approving();
    let ahead = |secs: u64| Some(UnixTime::from_secs(START.as_secs() + secs));
    let long = "x".repeat(256);
    for (form, expected) in [
        (
            ApproveForm {
                subject: "",
                ..good
            },
            Some(("missing", "subject")),
        ),
        (
            ApproveForm {
                subject: &long,
                ..good
            },
            Some(("subject", "subject")),
        ),
        (
            ApproveForm {
                subject: "a\nb",
                ..good
            },
            Some(("subject", "subject")),
        ),
        (
            ApproveForm {
                subject: "checkout",
                ..good
            },
            Some(("subject_is_client", "subject")),
        ),
        (
            ApproveForm {
                subject: "spa",
                ..good
            },
            Some(("subject_is_client", "subject")),
        ),
        (ApproveForm { acr: &long, ..good }, Some(("acr", "acr"))),
        (
            ApproveForm {
                auth_time: ahead(11),
                ..good
            },
            Some(("in_the_future", "auth_time")),
        ),
        (
            ApproveForm {
                auth_time: ahead(10),
                ..good
            },
            None,
        ),
        (
            ApproveForm {
                scopes: &["orders.write"],
                ..good
            },
            Some(("scope_wider", "scopes")),
        ),
        (
            ApproveForm {
                scopes: &["orders.read"],
                ..good
            },
            None,
        ),
    ] {
        let mut world = World::new();
        let asked = PushForm {
            scopes: &["orders.read"],
            ..pushing()
        };
        let lodged = world.push("checkout", &asked).unwrap();
        let answer = world.approve(lodged.request_uri.reveal(), &form);
        match expected {
            Some((label, field)) => assert_eq!(fault(answer), (label, field.to_owned())),
            None => assert!(answer.is_ok()),
        }
    }
}
