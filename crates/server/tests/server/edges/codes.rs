//! Attacks on codes.

use std::time::Duration;

use countersign::admin::v1::AuthenticationMethod;

use super::{Asker, By, Edge, Wish, code_of, refresh_of};
use crate::comes::{Comes, check};
use crate::flow::{pkce, push_request, redeem, redeem_request, shop};
use crate::harness::{CALLBACK, Client, person_client};
use crate::proof::Key;

/// What a code is redeemed with, as it was asked for; rows change it.
#[derive(Copy, Clone)]
struct Row<'a> {
    client: &'a Client,
    code: &'a str,
    verifier: &'a str,
    redirect_uri: &'a str,
    scopes: &'a [&'a str],
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_redeemed_by_whom_they_are_for_as_they_were_asked_for() {
    let (service, login, shop) = shop().await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let repeated = |text: &str, times| text.repeat(times);
    let [fits, short, long] = [43, 42, 129].map(|length| repeated("a", length));
    let [plus, space] = ["a+", "a "].map(|text| repeated(text, 22));
    let field = "authorization_code.code_verifier";
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let (verifier, code) = asker.code(&login, &shop).await;
        let right = Row {
            client: &shop,
            code: &code,
            verifier: &verifier,
            redirect_uri: CALLBACK,
            scopes: &[],
        };
        let with = |verifier| Row { verifier, ..right };
        for (what, row, expected) in [
            ("verifier absent", with(""), Comes::G),
            ("another verifier", with(&fits), Comes::G),
            ("verifier of 42", with(&short), Comes::R(field)),
            ("verifier of 129", with(&long), Comes::R(field)),
            ("verifier with a plus", with(&plus), Comes::R(field)),
            ("verifier with a space", with(&space), Comes::R(field)),
            (
                "another redirect URI",
                Row {
                    redirect_uri: "https://shop.example.com/other",
                    ..right
                },
                Comes::G,
            ),
            (
                "no redirect URI and another verifier",
                Row {
                    redirect_uri: "",
                    verifier: &fits,
                    ..right
                },
                Comes::G,
            ),
            (
                "no code",
                Row { code: "", ..right },
                Comes::R("authorization_code.code"),
            ),
            (
                "garbage",
                Row {
                    code: "csc_AAAA",
                    ..right
                },
                Comes::G,
            ),
            (
                "another client",
                Row {
                    client: &other,
                    ..right
                },
                Comes::G,
            ),
            (
                "wider scope",
                Row {
                    scopes: &["orders.admin"],
                    ..right
                },
                Comes::Scope,
            ),
            // OAuth 2.1 §10.2.
            (
                "right, without the redirect URI",
                Row {
                    redirect_uri: "",
                    ..right
                },
                Comes::Ok,
            ),
        ] {
            let wish = Wish::Code {
                code: row.code,
                verifier: row.verifier,
                redirect_uri: row.redirect_uri,
                scopes: row.scopes,
            };
            let answer = asker.ask(By::Client(row.client), wish, &Key::new()).await;
            answer.check(what, expected);
        }
    }
}

/// Only the messages of gRPC can be of no grant at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_no_grant_is_of_none_that_there_is() {
    let (service, _, shop) = shop().await;
    let mut request = redeem_request(&shop, "csc_AAAA", &pkce().0);
    request.grant = None;
    let answer = redeem(&service, &Key::new(), request).await;
    check("no grant", &answer, Comes::GrantType);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_use_of_a_code_revokes_what_the_first_led_to() {
    for edge in Edge::BOTH {
        let (service, login, shop) = shop().await;
        let asker = Asker::of(&service, edge).await;
        let (verifier, code) = asker.code(&login, &shop).await;
        let key = Key::new();
        let (by, wish) = (By::Client(&shop), code_of(&code, &verifier));
        let first = asker.ask(by, wish, &key).await.given();
        assert!(asker.is_active(&first.access_token).await, "{edge:?}");

        asker.ask(by, wish, &key).await.check("again", Comes::G);
        assert!(!asker.is_active(&first.access_token).await, "{edge:?}");
        let rotated = asker.ask(by, refresh_of(&first.refresh_token), &key).await;
        rotated.check("its refresh token", Comes::G);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_uses_at_once_one_succeeds() {
    let (service, login, shop) = shop().await;
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        for _ in 0..5 {
            let (verifier, code) = asker.code(&login, &shop).await;
            let (by, wish) = (By::Client(&shop), code_of(&code, &verifier));
            let (one, two) = (Key::new(), Key::new());
            let (first, second) =
                tokio::join!(asker.ask(by, wish, &one), asker.ask(by, wish, &two));
            let (late, won) = match first.is_refused() {
                true => (first, second),
                false => (second, first),
            };
            late.check("the other", Comes::G);
            won.check("the first", Comes::Ok);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_ends_after_sixty_seconds() {
    let (service, login, shop) = shop().await;
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let (verifier, code) = asker.code(&login, &shop).await;
        service.clock.advance(Duration::from_secs(61));
        let (by, wish) = (By::Client(&shop), code_of(&code, &verifier));
        let answer = asker.ask(by, wish, &Key::new()).await;
        answer.check("a code after 60 s", Comes::G);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_for_the_key_that_the_request_named() {
    let (service, login, shop) = shop().await;
    for edge in Edge::BOTH {
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let (verifier, challenge) = pkce();
        let mut request = push_request(&shop, &challenge);
        request.dpop_jkt = key.jkt().to_string();
        let code = crate::flow::code(&service, &login, request).await;
        for (what, by, expected) in [
            ("dpop_jkt of another key", &Key::new(), Comes::G),
            ("the key that was named", &key, Comes::Ok),
        ] {
            let wish = code_of(&code, &verifier);
            let answer = asker.ask(By::Client(&shop), wish, by).await;
            answer.check(what, expected);
        }
    }
}
