//! Attacks on device codes. How the request begins does not matter: it does so over gRPC.

use std::time::Duration;

use countersign_client::outcome::Refused;

use super::{Asker, By, Edge, Reply, device_of, refresh_of};
use crate::comes::Comes;
use crate::devices::{approve_by, begin, television};
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_use_of_a_device_code_revokes_what_the_first_led_to() {
    for edge in Edge::BOTH {
        let (mut service, login, tv) = television().await;
        let key = Key::new();
        let device = begin(&service, &tv, &key).await;
        approve_by(&service, &login, &device.user_code).await;
        let (by, wish) = (By::Client(&tv), device_of(&device.device_code));
        let asker = Asker::of(&service, edge).await;
        let issued = asker.ask(by, wish, &key).await.given();
        assert!(asker.is_active(&issued.access_token).await, "{edge:?}");
        // Spent and issued are one commit: a restart knows both, or neither.
        service.restart().await;
        service.clock.advance(Duration::from_secs(80));
        let asker = Asker::of(&service, edge).await;
        let again = asker.ask(by, wish, &key).await;
        again.check("device code used twice", Comes::G);
        let dead = asker.ask(by, refresh_of(&issued.refresh_token), &key).await;
        dead.check("its family is dead", Comes::G);
        assert!(!asker.is_active(&issued.access_token).await, "{edge:?}");
    }
}

/// Of fifty questions at once one is answered with tokens, and what it got is dead by then: one of
/// them was a second use.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_uses_of_a_device_code_at_once_one_succeeds() {
    for edge in Edge::BOTH {
        let (service, login, tv) = television().await;
        let key = Key::new();
        let device = begin(&service, &tv, &key).await;
        approve_by(&service, &login, &device.user_code).await;
        let asker = Asker::of(&service, edge).await;
        let (by, wish) = (By::Client(&tv), device_of(&device.device_code));
        let polls = (0..50).map(|_| asker.ask(by, wish, &key));
        let mut issued = Vec::new();
        for answer in futures_util::future::join_all(polls).await {
            match answer.is_refused() {
                true => answer.check("at once", Comes::G),
                false => issued.push(answer.given()),
            }
        }
        let [only] = &issued[..] else {
            panic!("{} were answered, {edge:?}", issued.len());
        };
        let dead = asker.ask(by, refresh_of(&only.refresh_token), &key).await;
        dead.check("a second use is theft", Comes::G);
        assert!(!asker.is_active(&only.access_token).await, "{edge:?}");
    }
}

/// While the person has not decided, of many questions at once one is in time.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_questions_at_once_one_is_in_time() {
    for edge in Edge::BOTH {
        let (service, _, tv) = television().await;
        let key = Key::new();
        let device = begin(&service, &tv, &key).await;
        let asker = Asker::of(&service, edge).await;
        let (by, wish) = (By::Client(&tv), device_of(&device.device_code));
        let polls = (0..5).map(|_| asker.ask(by, wish, &key));
        let answers = futures_util::future::join_all(polls).await;
        let mut told: Vec<_> = answers.iter().map(told_to_wait).collect();
        told.sort();
        let slow = |secs| ("slow_down".to_owned(), secs);
        let pending = ("authorization_pending".to_owned(), 5);
        let expected = [pending, slow(10), slow(15), slow(20), slow(25)];
        assert_eq!(told, expected, "{edge:?}");
    }
}

/// The error, and after how many seconds to ask again.
#[track_caller]
fn told_to_wait(reply: &Reply) -> (String, u64) {
    match reply {
        Reply::Grpc(answer) => {
            let status = answer.as_ref().expect_err("nobody decided");
            let refused = Refused::of(status).expect("a refusal of ours");
            let after = refused.retry_after.expect("a time").as_secs();
            (refused.oauth_error.expect("an error"), after)
        }
        Reply::Http(answer) => {
            let after = answer.header("retry-after").expect("a time");
            (answer.text("error"), after.parse().expect("seconds"))
        }
    }
}
