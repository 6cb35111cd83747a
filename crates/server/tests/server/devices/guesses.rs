//! Those who have no user code, and try many.

use countersign::authorization::v1 as authorization;

use super::{begin, find, television};
use crate::comes::{Comes, check};
use crate::harness::{FIND, Service, service_client};
use crate::proof::Key;

/// RFC 8628 §5.1: whoever guesses is stopped, by the subject, by the source, and in all; and who
/// types the right code is not in anybody's way.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_user_codes_is_stopped() {
    let (service, login, tv) = television().await;
    let device = begin(&service, &tv, &Key::new()).await;
    // None of them is the device's: it differs in its first letter.
    let wrong = |last: &str| {
        let first = if device.user_code.starts_with('B') {
            'C'
        } else {
            'B'
        };
        format!("{first}{}{last}", &device.user_code[1..8])
    };
    for round in 0..3 {
        for attempt in 0..8 {
            let right = find(&service, &login, &device.user_code, "ann", "192.0.2.1").await;
            check(&format!("right, {round}.{attempt}"), &right, Comes::Ok);
        }
    }
    for (attempt, letter) in ["B", "C", "D", "F", "G"].into_iter().enumerate() {
        let answer = find(&service, &login, &wrong(letter), "eve", "192.0.2.2").await;
        check(
            &format!("wrong user code {attempt}"),
            &answer,
            Comes::R("user_code"),
        );
    }
    for (what, code, subject, source, expected) in [
        (
            "sixth wrong user code",
            wrong("H"),
            "eve",
            "192.0.2.2",
            Comes::Limited,
        ),
        (
            "by the same subject elsewhere",
            wrong("H"),
            "eve",
            "192.0.2.3",
            Comes::Limited,
        ),
        (
            "from the same source",
            wrong("H"),
            "",
            "192.0.2.2",
            Comes::Limited,
        ),
        (
            "even the right one",
            device.user_code.clone(),
            "eve",
            "",
            Comes::Limited,
        ),
        (
            "somebody else",
            device.user_code.clone(),
            "ann",
            "192.0.2.1",
            Comes::Ok,
        ),
        (
            "nobody",
            device.user_code.clone(),
            "",
            "",
            Comes::R("source"),
        ),
        (
            "not a code",
            "WDJB-MJH1".to_owned(),
            "ann",
            "",
            Comes::R("user_code"),
        ),
        ("no code", String::new(), "ann", "", Comes::R("user_code")),
    ] {
        let answer = find(&service, &login, &code, subject, source).await;
        check(what, &answer, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_guesses_together_are_few_wherever_they_come_from() {
    let service = Service::start_cold(|config| config.limits.wrong_user_codes_per_min = 3).await;
    service.clock.advance(crate::harness::WARM);
    service.add_orders().await;
    let issuer = service.issuer().to_owned();
    let decides: &[(&str, &[&str])] = &[(&issuer, &["authorizations.decide"])];
    let login = service.add(service_client("login", decides)).await;
    for source in 0..3 {
        let answer = find(
            &service,
            &login,
            "BBBB-BBBB",
            "",
            &format!("192.0.2.{source}"),
        )
        .await;
        check("guessed from everywhere", &answer, Comes::R("user_code"));
    }
    let answer = find(&service, &login, "BBBB-BBBB", "", "192.0.2.9").await;
    check(
        "user codes guessed from many sources",
        &answer,
        Comes::Limited,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_login_application_looks_for_codes() {
    let (service, _, tv) = television().await;
    let device = begin(&service, &tv, &Key::new()).await;
    let message = authorization::FindAuthorizationRequest {
        user_code: device.user_code,
        subject: "eve".to_owned(),
        source: String::new(),
    };
    let mut authorizations = service.authorizations().await;
    let answer = authorizations.find_authorization(message.clone()).await;
    check(
        "user code of somebody without a token",
        &answer,
        Comes::Credentials,
    );
    let issuer = service.issuer().to_owned();
    let asks: &[(&str, &[&str])] = &[(&issuer, &["introspect"])];
    let gateway = service.add(service_client("gateway", asks)).await;
    let request = service.guarded(&gateway, FIND, message).await;
    let answer = authorizations.find_authorization(request).await;
    check(
        "user code with another scope",
        &answer,
        Comes::ScopeInsufficient,
    );
}
