//! Attacks on refresh tokens, and on their revocation.

use std::collections::HashSet;
use std::time::Duration;

use countersign::admin::v1::{self as admin, AuthenticationMethod};
use countersign::token::v1::revoke_token_request::Target;

use super::{Asker, By, Edge, Wish, refresh_of};
use crate::comes::{Comes, check};
use crate::flow::{revoke, shop, with_login};
use crate::harness::{Client, person_client};
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn reuse_revokes_the_family_and_its_access_tokens() {
    for edge in Edge::BOTH {
        let (service, login, shop) = shop().await;
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let rotate =
            async |token: &str| asker.ask(By::Client(&shop), refresh_of(token), &key).await;
        let first = asker.signed_in(&login, &shop, &key).await;
        let second = rotate(&first.refresh_token).await.given();
        let third = rotate(&second.refresh_token).await.given();
        let access = [&first, &second, &third].map(|given| &given.access_token);
        for token in access {
            assert!(asker.is_active(token).await);
        }
        // Two generations behind is never a lost answer.
        let reused = rotate(&first.refresh_token).await;
        reused.check("reuse", Comes::G);
        let dead = rotate(&third.refresh_token).await;
        dead.check("the newest is dead too", Comes::G);
        for token in access {
            assert!(!asker.is_active(token).await, "{edge:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_gets_the_same_successor_for_a_while() {
    for edge in Edge::BOTH {
        let (service, login, shop) = shop().await;
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let rotate =
            async |token: &str| asker.ask(By::Client(&shop), refresh_of(token), &key).await;
        let first = asker.signed_in(&login, &shop, &key).await;
        let second = rotate(&first.refresh_token).await.given();
        service.clock.advance(Duration::from_secs(9));
        let lost = rotate(&first.refresh_token).await.given();
        assert_eq!(lost.refresh_token, second.refresh_token, "{edge:?}");

        service.clock.advance(Duration::from_secs(2));
        let late = rotate(&first.refresh_token).await;
        late.check("too late", Comes::G);
        let dead = rotate(&second.refresh_token).await;
        dead.check("dead now", Comes::G);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_at_once_all_get_one_successor() {
    for edge in Edge::BOTH {
        let (service, login, shop) = shop().await;
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let first = asker.signed_in(&login, &shop, &key).await;
        let wish = refresh_of(&first.refresh_token);
        let racers = (0..50).map(|_| asker.ask(By::Client(&shop), wish, &key));
        let mut successors = HashSet::new();
        for answer in futures_util::future::join_all(racers).await {
            match answer.is_refused() {
                true => answer.check("a racer", Comes::G),
                false => _ = successors.insert(answer.given().refresh_token),
            }
        }
        assert_eq!(successors.len(), 1, "{edge:?}");
    }
}

/// What was spent stays spent, and who brings it after a restart ends the family.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_no_reuse() {
    for edge in Edge::BOTH {
        let (mut service, login, shop) = shop().await;
        let key = Key::new();
        let asker = Asker::of(&service, edge).await;
        let first = asker.signed_in(&login, &shop, &key).await;
        let wish = refresh_of(&first.refresh_token);
        let second = asker.ask(By::Client(&shop), wish, &key).await.given();

        service.restart().await;
        service.clock.advance(Duration::from_secs(80));
        let asker = Asker::of(&service, edge).await;
        assert!(asker.is_active(&second.access_token).await, "{edge:?}");
        for (what, token) in [
            ("reuse after a restart", &first.refresh_token),
            ("its family is dead", &second.refresh_token),
        ] {
            let answer = asker.ask(By::Client(&shop), refresh_of(token), &key).await;
            answer.check(what, Comes::G);
        }
        assert!(!asker.is_active(&second.access_token).await, "{edge:?}");
    }
}

/// The answer is lost with the process; the same token brings the same successor, and no other
/// branch lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_commit_and_answer_makes_no_second_branch() {
    for edge in Edge::BOTH {
        let (mut service, login, shop) = shop().await;
        let key = Key::new();
        let by = By::Client(&shop);
        let asker = Asker::of(&service, edge).await;
        let first = asker.signed_in(&login, &shop, &key).await;
        let wish = refresh_of(&first.refresh_token);
        let lost = asker.ask(by, wish, &key).await.given();

        service.restart().await;
        let asker = Asker::of(&service, edge).await;
        let challenged = asker.ask(by, wish, &key).await;
        challenged.check("a cold start", Comes::N);
        let htu = service.htu(asker.path(wish));
        let proof = key.mint(&htu, service.now(), Some(&challenged.nonce()));
        let again = asker.send(by, wish, &[&proof]).await;
        again.check("the answer that was lost", Comes::Ok);
        assert_eq!(again.given().refresh_token, lost.refresh_token, "{edge:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_consumes_nothing() {
    for edge in Edge::BOTH {
        let (service, login, shop) = shop().await;
        let other = service
            .add(person_client("other", AuthenticationMethod::ClientSecret))
            .await;
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let first = asker.signed_in(&login, &shop, &key).await;
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
                &["a\\b"],
                Comes::Scope,
            ),
        ] {
            let wish = Wish::Refresh {
                token: presented,
                scopes,
            };
            let answer = asker.ask(By::Client(client), wish, by).await;
            answer.check(what, expected);
        }
        let right = asker.ask(By::Client(&shop), refresh_of(token), &key).await;
        right.check("still good", Comes::Ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_be_registered_to_bring_new_keys() {
    for edge in Edge::BOTH {
        let (service, login) = with_login().await;
        let shop = service
            .add(admin::Client {
                refresh_key: admin::RefreshKey::Client.into(),
                ..person_client("shop", AuthenticationMethod::ClientSecret)
            })
            .await;
        let asker = Asker::of(&service, edge).await;
        let first = asker.signed_in(&login, &shop, &Key::new()).await;
        let wish = refresh_of(&first.refresh_token);
        let answer = asker.ask(By::Client(&shop), wish, &Key::new()).await;
        answer.check("a new key", Comes::Ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_old_families_end() {
    for edge in Edge::BOTH {
        let (service, login, shop) = shop().await;
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let first = asker.signed_in(&login, &shop, &key).await;
        service.clock.advance(Duration::from_secs(8 * 86_400));
        let wish = refresh_of(&first.refresh_token);
        let idle = asker.ask(By::Client(&shop), wish, &key).await;
        idle.check("idle for eight days", Comes::G);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_finds_tokens_whatever_the_hint() {
    for edge in Edge::BOTH {
        let (service, login, shop) = shop().await;
        let other = service
            .add(person_client("other", AuthenticationMethod::ClientSecret))
            .await;
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let issued = asker.signed_in(&login, &shop, &key).await;
        let (access, refresh) = (issued.access_token.as_str(), issued.refresh_token.as_str());
        let revoke = async |client: &Client, token: &str, hint: &str| {
            let wish = Wish::Revoke { token, hint };
            asker.ask(By::Client(client), wish, &Key::new()).await
        };
        for (what, client, token, expected) in [
            ("another's access token", &other, access, Comes::NotAllowed),
            (
                "another's refresh token",
                &other,
                refresh,
                Comes::NotAllowed,
            ),
            ("unknown", &shop, "garbage", Comes::Ok),
            ("empty", &shop, "", Comes::R("token")),
        ] {
            revoke(client, token, "").await.check(what, expected);
        }
        assert!(asker.is_active(access).await, "untouched, {edge:?}");

        let hinted = revoke(&shop, access, "refresh_token").await;
        hinted.check("a wrong hint", Comes::Ok);
        assert!(!asker.is_active(access).await, "{edge:?}");
        let second = asker
            .ask(By::Client(&shop), refresh_of(refresh), &key)
            .await;
        second.check("the family lives", Comes::Ok);
        let second = second.given();
        assert!(asker.is_active(&second.access_token).await);
        let hinted = revoke(&shop, &second.refresh_token, "access_token").await;
        hinted.check("a wrong hint", Comes::Ok);
        assert!(
            !asker.is_active(&second.access_token).await,
            "dies with its family, {edge:?}"
        );
    }
}

/// Only gRPC has a name for a whole family.
#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_revoked_by_whose_it_is() {
    let (service, login, shop) = shop().await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let issued = crate::flow::signed_in(&service, &login, &shop, &Key::new()).await;
    let family = || Target::FamilyId(issued.family_id.clone());
    let malformed = Target::FamilyId("x".to_owned());
    for (what, client, target, expected) in [
        ("another's family", &other, family(), Comes::NotAllowed),
        ("not a family", &shop, malformed, Comes::R("family_id")),
        ("its own", &shop, family(), Comes::Ok),
    ] {
        check(what, &revoke(&service, client, target, "").await, expected);
    }
}
