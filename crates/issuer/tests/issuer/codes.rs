//! Authorization codes: attacks.md, "PKCE, code, PAR", from the code on.

use std::time::Duration;

use countersign_issuer::authorize::{ApproveForm, PushForm};
use countersign_issuer::model::{CodeVerifier, GrantTypes, RevokedCause};
use countersign_issuer::{CodeForm, EventKind, RevocationTarget};

use crate::world::{
    CHALLENGE, KEY_A, KEY_B, VERIFIER, World, all_grants, approving, outcome, parameter,
    permissions, pushing, redeeming, refresh_token,
};

#[test]
fn the_challenge_of_rfc_7636_is_met_by_its_verifier() {
    let verifier = CodeVerifier::parse(VERIFIER).unwrap();
    assert_eq!(verifier.challenge().to_string(), CHALLENGE);
}

#[test]
fn a_code_yields_tokens_and_a_family() {
    let mut world = World::new();
    let issued = world.grant("checkout");
    assert_eq!(issued.claims.subject.as_str(), "alice");
    assert_eq!(issued.claims.client.as_str(), "checkout");
    assert_eq!(issued.claims.scopes.to_string(), "orders.read orders.write");
    assert_eq!(issued.claims.jkt, KEY_A);
    assert_eq!(issued.claims.family, issued.family);
    assert_eq!(issued.claims.auth_time, Some(world.now));
    assert!(refresh_token(&issued).starts_with("csr_"));
    let family = world.family_of(&issued);
    assert!(family.pinned && family.refreshable);
    assert_eq!(world.events.last().unwrap().kind, EventKind::CodeRedeemed);
}

#[test]
fn a_code_is_refused_unless_everything_fits() {
    let long = "v".repeat(129);
    let most = "v".repeat(128);
    let with_plus = VERIFIER.replace('-', "+");
    let with_space = VERIFIER.replace('-', " ");
    let mut world = World::new();
    let code = world.code("checkout");
    let good = redeeming(&code);
    for (what, who, form, key, expected) in [
        (
            "verifier absent",
            "checkout",
            CodeForm {
                code_verifier: "",
                ..good
            },
            KEY_A,
            "grant_verifier_missing",
        ),
        (
            "verifier of 42",
            "checkout",
            CodeForm {
                code_verifier: &VERIFIER[1..],
                ..good
            },
            KEY_A,
            "code_verifier",
        ),
        (
            "verifier of 129",
            "checkout",
            CodeForm {
                code_verifier: &long,
                ..good
            },
            KEY_A,
            "code_verifier",
        ),
        (
            "verifier with +",
            "checkout",
            CodeForm {
                code_verifier: &with_plus,
                ..good
            },
            KEY_A,
            "code_verifier",
        ),
        (
            "verifier with a space",
            "checkout",
            CodeForm {
                code_verifier: &with_space,
                ..good
            },
            KEY_A,
            "code_verifier",
        ),
        (
            "another verifier",
            "checkout",
            CodeForm {
                code_verifier: &most,
                ..good
            },
            KEY_A,
            "grant_verifier_wrong",
        ),
        (
            "the challenge as verifier",
            "checkout",
            CodeForm {
                code_verifier: CHALLENGE,
                ..good
            },
            KEY_A,
            "grant_verifier_wrong",
        ),
        ("other client", "other", good, KEY_A, "grant_other_client"),
        (
            "other redirect URI",
            "checkout",
            CodeForm {
                redirect_uri: "https://shop.example/",
                ..good
            },
            KEY_A,
            "grant_other_redirect_uri",
        ),
        (
            "no redirect URI and another verifier",
            "checkout",
            CodeForm {
                redirect_uri: "",
                code_verifier: &most,
                ..good
            },
            KEY_A,
            "grant_verifier_wrong",
        ),
        (
            "no redirect URI and other client",
            "other",
            CodeForm {
                redirect_uri: "",
                ..good
            },
            KEY_A,
            "grant_other_client",
        ),
        (
            "no code",
            "checkout",
            CodeForm { code: "", ..good },
            KEY_A,
            "missing",
        ),
        (
            "garbage",
            "checkout",
            CodeForm {
                code: "csc_garbage",
                ..good
            },
            KEY_A,
            "grant_not_ours",
        ),
        (
            "wider scope",
            "checkout",
            CodeForm {
                scopes: &["bills.read"],
                ..good
            },
            KEY_A,
            "scope_wider",
        ),
    ] {
        assert_eq!(
            outcome(world.redeem(who, &form, key)),
            Some(expected),
            "{what}"
        );
    }
    assert!(world.families.is_empty());
    // None of that consumed it.
    assert!(world.redeem("checkout", &good, KEY_A).is_ok());
}

/// OAuth 2.1 §10.2: the verifier binds the code to the request.
#[test]
fn where_a_code_came_need_not_be_said() {
    let mut world = World::new();
    let code = world.code("checkout");
    let silent = CodeForm {
        redirect_uri: "",
        ..redeeming(&code)
    };
    assert!(world.redeem("checkout", &silent, KEY_A).is_ok());
    assert_eq!(
        outcome(world.redeem("checkout", &silent, KEY_A)),
        Some("grant_reused")
    );
}

#[test]
fn a_code_of_another_kind_or_an_unknown_one_is_refused() {
    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    let uri = lodged.request_uri.reveal();
    let encoded = uri
        .strip_prefix("urn:ietf:params:oauth:request_uri:csp_")
        .unwrap();
    let passed_off = format!("csc_{encoded}");
    let answer = world.redeem("checkout", &redeeming(&passed_off), KEY_A);
    assert_eq!(outcome(answer), Some("grant_not_ours"));

    let code = world.code("checkout");
    world.authorizations.clear();
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), Some("grant_unknown"));
}

#[test]
fn a_code_lives_for_sixty_seconds() {
    for (secs, expected) in [(59, None), (60, Some("grant_expired"))] {
        let mut world = World::new();
        let code = world.code("checkout");
        world.pass(secs);
        let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
        assert_eq!(outcome(answer), expected, "{secs} s");
    }
}

#[test]
fn a_code_is_for_the_key_that_was_named() {
    let jkt = KEY_A.to_string();
    let mut world = World::new();
    let lodged = world
        .push(
            "checkout",
            &PushForm {
                dpop_jkt: &jkt,
                ..pushing()
            },
        )
        .unwrap();
    let redirect = world
        .approve(lodged.request_uri.reveal(), &approving())
        .unwrap();
    let code = parameter(redirect.reveal(), "code").unwrap();
    let answer = world.redeem("checkout", &redeeming(&code), KEY_B);
    assert_eq!(outcome(answer), Some("grant_other_key"));
    assert!(world.redeem("checkout", &redeeming(&code), KEY_A).is_ok());
}

#[test]
fn a_second_use_refuses_and_revokes_what_the_first_issued() {
    for secs in [0, 3600] {
        let mut world = World::new();
        let code = world.code("checkout");
        let issued = world.redeem("checkout", &redeeming(&code), KEY_A).unwrap();
        let access = world.sign(&issued);
        assert!(world.is_active(&access, "guard"));
        world.pass(secs);
        let answer = world.redeem("checkout", &redeeming(&code), KEY_B);
        assert_eq!(outcome(answer), Some("grant_reused"));
        assert!(!world.is_active(&access, "guard"));
        let revoked = world.family_of(&issued).revoked.unwrap();
        assert_eq!(revoked.cause, RevokedCause::CodeReuse);
        let refresh = refresh_token(&issued);
        let answer = world.rotate("checkout", &refresh, &[], KEY_A);
        assert_eq!(outcome(answer), Some("grant_revoked"));
        assert_eq!(world.events.last().unwrap().kind, EventKind::CodeReused);
        let revocation = world.revocations.last().unwrap();
        assert_eq!(
            revocation.target,
            RevocationTarget::Family(issued.family.unwrap())
        );
    }
}

#[test]
fn a_second_use_by_somebody_who_could_not_have_used_it_revokes_nothing() {
    let other = "w".repeat(43);
    let mut world = World::new();
    let code = world.code("checkout");
    let issued = world.redeem("checkout", &redeeming(&code), KEY_A).unwrap();
    let guessed = CodeForm {
        code_verifier: &other,
        ..redeeming(&code)
    };
    for (who, form) in [("other", redeeming(&code)), ("checkout", guessed)] {
        assert!(world.redeem(who, &form, KEY_B).is_err());
        assert!(world.family_of(&issued).revoked.is_none());
    }
}

#[test]
fn of_two_at_once_one_is_answered() {
    let mut world = World::new();
    let code = world.code("checkout");
    let first = world
        .redemption("checkout", &redeeming(&code), KEY_A)
        .unwrap();
    let second = world
        .redemption("checkout", &redeeming(&code), KEY_A)
        .unwrap();
    assert!(first.answer.is_ok() && second.answer.is_ok());
    assert!(world.commit(&first.change).is_ok());
    assert!(world.commit(&second.change).is_err());
    // The one that lost the race is decided again.
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), Some("grant_reused"));
    assert_eq!(world.families.len(), 1);
}

#[test]
fn the_family_keeps_what_was_approved_and_the_token_what_was_asked_for() {
    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    let form = ApproveForm {
        scopes: &["orders.read"],
        acr: "mfa",
        ..approving()
    };
    let redirect = world.approve(lodged.request_uri.reveal(), &form).unwrap();
    let code = parameter(redirect.reveal(), "code").unwrap();
    let wider = CodeForm {
        scopes: &["orders.write"],
        ..redeeming(&code)
    };
    assert_eq!(
        outcome(world.redeem("checkout", &wider, KEY_A)),
        Some("scope_wider")
    );
    let issued = world.redeem("checkout", &redeeming(&code), KEY_A).unwrap();
    assert_eq!(issued.claims.scopes.to_string(), "orders.read");
    assert_eq!(issued.claims.acr.as_ref().unwrap().as_str(), "mfa");
    let approved = permissions(&[(crate::world::ORDERS, &["orders.read"])]);
    assert_eq!(world.family_of(&issued).permissions, approved);
}

#[test]
fn without_the_refresh_grant_there_is_a_family_and_no_refresh_token() {
    let mut world = World::new();
    world.change("checkout", |client| {
        client.grant_types = GrantTypes {
            refresh_token: false,
            ..all_grants()
        };
    });
    let code = world.code("checkout");
    let issued = world.redeem("checkout", &redeeming(&code), KEY_A).unwrap();
    assert!(issued.refresh_token.is_none() && issued.family.is_none());
    let access = world.sign(&issued);
    assert!(world.is_active(&access, "guard"));
    assert!(world.redeem("checkout", &redeeming(&code), KEY_A).is_err());
    assert!(
        !world.is_active(&access, "guard"),
        "its token dies with a second use"
    );
}

#[test]
fn what_is_no_longer_registered_is_not_redeemed() {
    let mut world = World::new();
    let code = world.code("checkout");
    world.change("checkout", |client| client.permissions = permissions(&[]));
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), Some("nothing_left"));
}

/// Whoever is registered under the identifier of a client that is gone has no claim to what a person
/// allowed to that one.
#[test]
fn a_code_of_an_earlier_client_of_the_same_identifier_is_not_redeemed() {
    let mut world = World::new();
    let code = world.code("checkout");
    world.register_again("checkout");
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), Some("grant_client_replaced"));
    assert!(world.families.is_empty());
    let code = world.code("checkout");
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), None);
}

#[test]
fn a_clock_that_was_set_back_makes_no_request_older_than_its_client() {
    let mut world = World::new();
    let later = world.now.plus(Duration::from_secs(60));
    world.change("checkout", |client| client.created_at = later);
    let code = world.code("checkout");
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), None);
    let device = world.device();
    let uri = world.uri_of(&device);
    let answer = world.approve_either(&uri, &approving());
    assert_eq!(outcome(answer), None);
}

#[test]
fn a_code_is_of_no_use_to_a_client_that_lost_the_grant() {
    let mut world = World::new();
    let code = world.code("checkout");
    world.change("checkout", |client| {
        client.grant_types.authorization_code = false;
    });
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), Some("grant_type_not_allowed"));
    assert!(world.families.is_empty());
    world.change("checkout", |client| {
        client.grant_types.authorization_code = true;
    });
    let answer = world.redeem("checkout", &redeeming(&code), KEY_A);
    assert_eq!(outcome(answer), None, "not consumed");
}
