//! How long records are kept: as long as anything is decided by them, and a minute for clocks.

use countersign_issuer::model::TokenId;
use countersign_issuer::{Record, RevokedToken, SpentAssertion};

use crate::world::{KEY_A, START, World, approving, parameter, pushing, redeeming, refresh_token};

/// Seconds after the start of the world.
#[track_caller]
fn check(record: &Record, secs: Option<u64>) {
    let ends_at = record.ends_at().map(|at| at.as_secs() - START.as_secs());
    assert_eq!(ends_at, secs, "{record:?}");
}

fn family_of(world: &World) -> Record {
    let (id, known) = world.families.iter().next().unwrap();
    Record::Family(*id, known.value.clone())
}

fn authorization_of(world: &World) -> Record {
    let (id, known) = world.authorizations.iter().next().unwrap();
    Record::Authorization(*id, known.value.clone())
}

#[test]
fn what_is_registered_is_kept() {
    let world = World::new();
    check(&Record::Client(world.client("checkout")), None);
    let resource = world.resources.values().next().unwrap().value.clone();
    check(&Record::Resource(resource), None);
}

#[test]
fn a_family_is_kept_until_its_last_access_token_is_dead() {
    const DAY: u64 = 86_400;
    let mut world = World::new();
    let issued = world.grant("checkout");
    check(&family_of(&world), Some(7 * DAY + 900 + 60));
    // Rotated on day 24, it would idle until day 31; it ends on day 30.
    let mut token = refresh_token(&issued);
    for _ in 0..4 {
        world.pass(6 * DAY);
        token = refresh_token(&world.rotate("checkout", &token, &[], KEY_A).unwrap());
    }
    check(&family_of(&world), Some(30 * DAY + 900 + 60));

    // Without a refresh token it is there to be revoked, as long as there is a token to revoke.
    let mut world = World::new();
    world.change("checkout", |client| {
        client.grant_types.refresh_token = false
    });
    world.grant("checkout");
    check(&family_of(&world), Some(300 + 900 + 60));
}

#[test]
fn a_redeemed_code_is_remembered_for_a_day() {
    let mut world = World::new();
    let lodged = world.push("checkout", &pushing()).unwrap();
    check(&authorization_of(&world), Some(600 + 60));

    world.pass(590);
    let redirect = world
        .approve(lodged.request_uri.reveal(), &approving())
        .unwrap();
    check(&authorization_of(&world), Some(590 + 60 + 60));

    let code = parameter(redirect.reveal(), "code").unwrap();
    world.redeem("checkout", &redeeming(&code), KEY_A).unwrap();
    check(&authorization_of(&world), Some(590 + 60 + 24 * 3600 + 60));
}

#[test]
fn what_is_spent_or_revoked_is_remembered_until_it_is_dead_anyway() {
    let world = World::new();
    let until = world.now.plus(std::time::Duration::from_secs(70));
    check(
        &Record::SpentAssertion(SpentAssertion {
            client: world.client("signer").id,
            jti: "j-1".into(),
            until,
        }),
        Some(70),
    );
    check(
        &Record::RevokedToken(RevokedToken {
            token: TokenId::from_bytes([1; 16]),
            at: world.now,
            until,
        }),
        Some(70),
    );
}
