//! Bearer tokens, for named methods, until a date.

use countersign_guard::{NonceMode, UnixTime};
use serde_json::Value;
use std::time::Duration;

use crate::stand::{Expected, ISSUER, SERVICE, Shown, Stand, es256, sign};

/// The test's clock begins here.
const START: u64 = 1_760_000_000;

pub(crate) async fn stand() -> Stand {
    Stand::with(|builder| {
        builder.nonces(NonceMode::Off).accept_bearer(
            format!("{SERVICE}CreateOrder"),
            UnixTime::from_secs(START + 100),
        )
    })
    .await
}

pub(crate) fn unbound(stand: &Stand, change: impl FnOnce(&mut Value)) -> String {
    let mut claims = stand.claims();
    claims.as_object_mut().unwrap().remove("cnf");
    change(&mut claims);
    stand.token_of(&claims)
}

pub(crate) fn bearer(token: &str) -> Shown {
    Shown::default().and("authorization", &format!("Bearer {token}"))
}

#[tokio::test]
async fn a_bearer_token_is_accepted_until_the_date_and_counted() {
    let stand = stand().await;
    let token = unbound(&stand, |_| {});
    stand.check("in time", &bearer(&token), Expected::Ok).await;
    stand.check("again", &bearer(&token), Expected::Ok).await;
    assert_eq!(stand.guard.counts().bearer_tokens_accepted, 2);
    stand.clock.advance(Duration::from_millis(99_999));
    stand
        .check("the last moment", &bearer(&token), Expected::Ok)
        .await;
    stand.clock.advance(Duration::from_millis(1));
    stand.check("over", &bearer(&token), Expected::T).await;
    assert_eq!(stand.guard.counts().bearer_tokens_accepted, 3);
    assert_eq!(stand.guard.counts().bound_tokens_as_bearer, 0);
}

/// The grace waives the key and nothing else.
#[tokio::test]
async fn everything_else_is_checked() {
    let stand = stand().await;
    let with = |change: &dyn Fn(&mut Value)| bearer(&unbound(&stand, change));
    let header = serde_json::json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k1" });
    let forged = sign(&es256(9), &header, &{
        let mut claims = stand.claims();
        claims.as_object_mut().unwrap().remove("cnf");
        claims
    });
    let now = stand.now();
    use Expected::{Expired, Scope, T};
    let rows = [
        ("forged", bearer(&forged), T),
        (
            "expired",
            with(&|claims| claims["exp"] = now.into()),
            Expired,
        ),
        (
            "not yet",
            with(&|claims| claims["nbf"] = (now + 60).into()),
            T,
        ),
        (
            "for another",
            with(&|claims| claims["aud"] = "https://x.test".into()),
            T,
        ),
        (
            "of another",
            with(&|claims| claims["iss"] = format!("{ISSUER}/").into()),
            T,
        ),
        (
            "without scope",
            with(&|claims| claims["scope"] = "orders.read".into()),
            Scope,
        ),
        (
            "bound to a certificate",
            with(&|claims| {
                claims["cnf"] = serde_json::json!({ "x5t#S256": "AAAA" });
            }),
            T,
        ),
    ];
    for (row, shown, expected) in rows {
        stand.check(row, &shown, expected).await;
    }
    let token = unbound(&stand, |_| {});
    let as_dpop = Shown::new(&token, &stand.proof("CreateOrder", &token));
    stand.check("as DPoP", &as_dpop, T).await;
    let twice = bearer(&token).and("authorization", &format!("Bearer {token}"));
    stand.check("twice", &twice, Expected::R).await;
    assert_eq!(stand.guard.counts().bearer_tokens_accepted, 0);

    // Somebody may have stolen it.
    let bound = bearer(&stand.token());
    stand.check("a bound one", &bound, T).await;
    let proof = stand.proof("CreateOrder", &stand.token());
    stand
        .check("and its proof", &bound.and("dpop", &proof), T)
        .await;
    assert_eq!(stand.guard.counts().bound_tokens_as_bearer, 2);
    // And callers with a key are served as ever.
    stand
        .check("bound, as DPoP", &stand.good(), Expected::Ok)
        .await;
}

#[tokio::test]
async fn no_other_method_and_no_other_guard_accepts_one() {
    let graceful = stand().await;
    let token = unbound(&graceful, |_| {});
    let mut request = tonic::Request::new(countersign::example::v1::GetOrderRequest {
        order_id: "owner:checkout".to_owned(),
    });
    bearer(&token).onto(request.metadata_mut());
    let outcome = graceful.client().get_order(request).await;
    Expected::T.check("another method", outcome);

    let strict = Stand::start().await;
    let token = unbound(&strict, |_| {});
    strict
        .check("by default", &bearer(&token), Expected::T)
        .await;
}
