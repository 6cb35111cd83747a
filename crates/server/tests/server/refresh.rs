//! Attacks on refresh tokens.

use std::collections::HashSet;
use std::time::Duration;

use countersign::admin::v1::{self as admin, AuthenticationMethod};
use countersign::token::v1::revoke_token_request::Target;

use crate::comes::{Comes, check};
use crate::flow::{revoke, rotate, signed_in, with_login};
use crate::harness::{Client, Service, person_client};
use crate::introspection::is_active;
use crate::proof::Key;

async fn shop() -> (Service, Client, Client) {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    (service, login, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn reuse_revokes_the_family_and_its_access_tokens() {
    let (service, login, shop) = shop().await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let second = rotate(&service, &shop, &key, &first.refresh_token, &[])
        .await
        .expect("rotated");
    let third = rotate(&service, &shop, &key, &second.refresh_token, &[])
        .await
        .expect("rotated");
    assert!(is_active(&service, &third.access_token).await);

    // Two generations behind is never a lost answer.
    let reused = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    check("reuse", &reused, Comes::G);
    let dead = rotate(&service, &shop, &key, &third.refresh_token, &[]).await;
    check("the newest is dead too", &dead, Comes::G);
    for token in [&first.access_token, &third.access_token] {
        assert!(!is_active(&service, token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_gets_the_same_successor_for_a_while() {
    let (service, login, shop) = shop().await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let again = |token: String| {
        let (service, shop, key) = (&service, &shop, &key);
        async move { rotate(service, shop, key, &token, &[]).await }
    };
    let second = again(first.refresh_token.clone()).await.expect("rotated");
    service.clock.advance(Duration::from_secs(9));
    let lost = again(first.refresh_token.clone())
        .await
        .expect("asked again");
    assert_eq!(lost.refresh_token, second.refresh_token);

    service.clock.advance(Duration::from_secs(2));
    check("too late", &again(first.refresh_token).await, Comes::G);
    check("dead now", &again(second.refresh_token).await, Comes::G);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_at_once_all_get_one_successor() {
    let (service, login, shop) = shop().await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let answers = futures_util::future::join_all(
        (0..50).map(|_| rotate(&service, &shop, &key, &first.refresh_token, &[])),
    )
    .await;
    let successors: HashSet<&str> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().ok())
        .map(|answer| answer.refresh_token.as_str())
        .collect();
    assert_eq!(successors.len(), 1);
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        check("a racer", answer, Comes::G);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_consumes_nothing() {
    let (service, login, shop) = shop().await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let token = first.refresh_token.as_str();
    let cut = &token[..token.len() - 1];
    let mut forged = token.to_owned();
    forged.replace_range(10..12, if &forged[10..12] == "AA" { "BB" } else { "AA" });

    for (what, client, by, presented, scopes, expected) in [
        ("another client", &other, &key, token, &[][..], Comes::G),
        ("another key", &shop, &Key::new(), token, &[], Comes::G),
        (
            "wider scope",
            &shop,
            &key,
            token,
            &["orders.read", "orders.admin"],
            Comes::Scope,
        ),
        ("empty", &shop, &key, "", &[], Comes::R("refresh_token")),
        ("garbage", &shop, &key, "csr_AAAA", &[], Comes::G),
        ("cut", &shop, &key, cut, &[], Comes::G),
        ("forged", &shop, &key, &forged, &[], Comes::G),
        (
            "an access token",
            &shop,
            &key,
            &first.access_token,
            &[],
            Comes::G,
        ),
        (
            "malformed scope",
            &shop,
            &key,
            token,
            &["a b"],
            Comes::Scope,
        ),
    ] {
        let answer = rotate(&service, client, by, presented, scopes).await;
        check(what, &answer, expected);
    }
    rotate(&service, &shop, &key, token, &[])
        .await
        .expect("still good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_be_registered_to_bring_new_keys() {
    let (service, login) = with_login().await;
    let shop = service
        .add(admin::Client {
            refresh_key: admin::RefreshKey::Client.into(),
            ..person_client("shop", AuthenticationMethod::ClientSecret)
        })
        .await;
    let first = signed_in(&service, &login, &shop, &Key::new()).await;
    rotate(&service, &shop, &Key::new(), &first.refresh_token, &[])
        .await
        .expect("a new key");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_old_families_end() {
    let (service, login, shop) = shop().await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    service.clock.advance(Duration::from_secs(8 * 86_400));
    let idle = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    check("idle for eight days", &idle, Comes::G);
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_finds_tokens_whatever_the_hint() {
    let (service, login, shop) = shop().await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let issued = signed_in(&service, &login, &shop, &key).await;
    let access = || Target::Token(issued.access_token.clone());
    let refresh = || Target::Token(issued.refresh_token.clone());

    for (what, client, target, hint, expected) in [
        (
            "another's access token",
            &other,
            access(),
            "",
            Comes::NotAllowed,
        ),
        (
            "another's refresh token",
            &other,
            refresh(),
            "",
            Comes::NotAllowed,
        ),
        (
            "another's family",
            &other,
            Target::FamilyId(issued.family_id.clone()),
            "",
            Comes::NotAllowed,
        ),
        (
            "unknown",
            &shop,
            Target::Token("garbage".to_owned()),
            "",
            Comes::Ok,
        ),
        (
            "empty",
            &shop,
            Target::Token(String::new()),
            "",
            Comes::R("token"),
        ),
        (
            "not a family",
            &shop,
            Target::FamilyId("x".to_owned()),
            "",
            Comes::R("family_id"),
        ),
    ] {
        check(
            what,
            &revoke(&service, client, target, hint).await,
            expected,
        );
    }
    assert!(is_active(&service, &issued.access_token).await, "untouched");

    revoke(&service, &shop, access(), "refresh_token")
        .await
        .expect("a wrong hint");
    assert!(!is_active(&service, &issued.access_token).await);
    let second = rotate(&service, &shop, &key, &issued.refresh_token, &[])
        .await
        .expect("the family lives");
    assert!(is_active(&service, &second.access_token).await);
    revoke(
        &service,
        &shop,
        Target::Token(second.refresh_token),
        "access_token",
    )
    .await
    .expect("a wrong hint");
    assert!(
        !is_active(&service, &second.access_token).await,
        "dies with its family"
    );
}
