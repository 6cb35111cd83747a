//! A guard that refuses nothing, and tells what it would have refused.

use countersign::error::v1::Reason;
use countersign::example::v1::{PurgeOrdersRequest, PurgeOrdersResponse, WatchOrdersRequest};
use countersign_client::outcome::Refused;
use countersign_client::source::BoxFuture;
use countersign_guard::{Introspected, IntrospectionUnavailable, Introspector, NonceMode};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

use crate::references::TOKEN;
use crate::stand::{Expected, SERVICE, Shown, Stand};

async fn observing(nonces: NonceMode) -> Stand {
    let admin = format!("[\"{SERVICE}PurgeOrders\"]\nscopes = [\"orders.write\"]");
    Stand::with(|builder| builder.nonces(nonces).rules(admin).observe()).await
}

/// The handler of this one asks for nothing.
async fn purge(stand: &Stand, shown: &Shown) -> Result<Response<PurgeOrdersResponse>, Status> {
    let mut request = Request::new(PurgeOrdersRequest {});
    shown.onto(request.metadata_mut());
    stand.client().purge_orders(request).await
}

fn said<'a>(response: &'a Response<PurgeOrdersResponse>, name: &str) -> Option<&'a str> {
    let value = response.metadata().get(name)?;
    Some(value.to_str().unwrap())
}

#[tokio::test]
async fn every_call_goes_on_and_is_counted_by_reason() {
    let stand = observing(NonceMode::Off).await;
    let token = stand.token();
    let good = Shown::new(&token, &stand.proof("PurgeOrders", &token));
    let response = purge(&stand, &good).await.unwrap();
    assert_eq!(said(&response, "permitted"), Some("true"));
    assert_eq!(said(&response, "would-refuse"), None);
    assert_eq!(stand.guard.counts().would_have_refused, 0);

    let narrow = {
        let mut claims = stand.claims();
        claims["scope"] = "orders.read".into();
        let token = stand.token_of(&claims);
        Shown::new(&token, &stand.proof("PurgeOrders", &token))
    };
    let bearer = Shown::default().and("authorization", &format!("Bearer {token}"));
    let rows = [
        (
            "nothing",
            Shown::default(),
            Reason::CredentialsMissing,
            "credentials_missing",
        ),
        (
            "the same again",
            good.clone(),
            Reason::DpopProofReplayed,
            "proof_replayed",
        ),
        (
            "a narrow token",
            narrow,
            Reason::ScopeInsufficient,
            "scope_insufficient",
        ),
        (
            "no token",
            Shown::new("x", good.of("dpop")),
            Reason::DpopProofInvalid,
            "ath_mismatch",
        ),
        (
            "a bound one as bearer",
            bearer,
            Reason::TokenInvalid,
            "bound_token_as_bearer",
        ),
    ];
    for (row, shown, reason, cause) in rows {
        let response = purge(&stand, &shown)
            .await
            .unwrap_or_else(|status| panic!("{row}: {status:?}"));
        assert_eq!(said(&response, "permitted"), Some("false"), "{row}");
        assert_eq!(
            said(&response, "would-refuse"),
            Some(reason.as_str_name()),
            "{row}"
        );
        assert_eq!(said(&response, "cause"), Some(cause), "{row}");
        assert!(
            response.metadata().get("www-authenticate").is_none(),
            "{row}"
        );
    }
    assert_eq!(stand.guard.counts().would_have_refused, 5);
    assert_eq!(
        stand.guard.would_have_refused(),
        [
            (Reason::TokenInvalid, 1),
            (Reason::DpopProofInvalid, 1),
            (Reason::DpopProofReplayed, 1),
            (Reason::ScopeInsufficient, 1),
            (Reason::CredentialsMissing, 1),
        ]
    );
    // A stolen token is told apart as ever.
    assert_eq!(stand.guard.counts().bound_tokens_as_bearer, 1);
}

/// A handler that asks for a permit does not get one: it refuses as the guard
/// would have, without the challenge that makes clients call again.
#[tokio::test]
async fn a_handler_that_needs_a_permit_refuses_by_itself() {
    let stand = observing(NonceMode::Off).await;
    let status = stand.create(&Shown::default()).await.unwrap_err();
    let refused = Refused::of(&status).unwrap();
    assert_eq!(refused.reason, Reason::CredentialsMissing);
    assert!(status.metadata().get("www-authenticate").is_none());
    stand
        .check("with all of it", &stand.good(), Expected::Ok)
        .await;
    assert_eq!(stand.guard.counts().would_have_refused, 1);
}

/// So that clients are ready when the guard begins to refuse.
#[tokio::test]
async fn a_client_gets_the_nonce_that_it_lacked() {
    let stand = observing(NonceMode::Always).await;
    let token = stand.token();
    let response = purge(
        &stand,
        &Shown::new(&token, &stand.proof("PurgeOrders", &token)),
    )
    .await
    .unwrap();
    let reason = Reason::DpopNonceRequired.as_str_name();
    assert_eq!(said(&response, "would-refuse"), Some(reason));
    let nonce = said(&response, "dpop-nonce").unwrap();
    let mut claims = stand.proof_claims("PurgeOrders", &token);
    claims["nonce"] = nonce.into();
    let proof = crate::stand::proof_of(&stand.caller_key, &claims);
    let response = purge(&stand, &Shown::new(&token, &proof)).await.unwrap();
    assert_eq!(said(&response, "permitted"), Some("true"));
}

/// Also where the key set has to be looked at first.
#[tokio::test]
async fn a_token_of_an_unknown_key_goes_on_too() {
    let stand = observing(NonceMode::Off).await;
    let header = serde_json::json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k9" });
    let token = crate::stand::sign(&stand.issuer_key, &header, &stand.claims());
    let shown = Shown::new(&token, &stand.proof("PurgeOrders", &token));
    let response = purge(&stand, &shown).await.unwrap();
    assert_eq!(said(&response, "cause"), Some("token_unknown_key"));
    assert_eq!(stand.guard.counts().would_have_refused, 1);
}

#[tokio::test]
async fn a_stream_goes_on_after_its_token() {
    let stand = observing(NonceMode::Off).await;
    let mut claims = stand.claims();
    claims["exp"] = (stand.now() + 1).into();
    let token = stand.token_of(&claims);
    let mut request = Request::new(WatchOrdersRequest {});
    Shown::new(&token, &stand.proof("WatchOrders", &token)).onto(request.metadata_mut());
    let mut stream = stand
        .client()
        .watch_orders(request)
        .await
        .unwrap()
        .into_inner();
    assert!(stream.message().await.unwrap().is_some());
    // One that refuses would have ended it after a second.
    let more = tokio::time::timeout(Duration::from_secs(2), stream.message()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn a_guard_that_refuses_observes_nothing() {
    let stand = Stand::start().await;
    stand
        .check("nothing", &Shown::default(), Expected::Missing)
        .await;
    assert_eq!(stand.guard.counts().would_have_refused, 0);
    assert_eq!(stand.guard.would_have_refused(), []);
}

/// Says nothing.
struct Silent;

impl Introspector for Silent {
    fn introspect<'a>(
        &'a self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>> {
        Box::pin(std::future::pending())
    }
}

/// Nobody waits for a guard that only looks, beyond a moment: one that refuses would have waited
/// until there is no answer, and said so.
#[tokio::test]
async fn a_token_service_that_does_not_answer_holds_up_no_call() {
    let stand = Stand::with(|builder| {
        let admin = format!("[\"{SERVICE}PurgeOrders\"]\nscopes = [\"orders.write\"]");
        let builder = builder.nonces(NonceMode::Off).rules(admin).observe();
        builder.introspector(Arc::new(Silent))
    })
    .await;
    // An issuer that does not answer, either.
    *stand.keys.takes.lock() = Duration::from_secs(3_600);
    let header = serde_json::json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k9" });
    let unknown_key = crate::stand::sign(&stand.issuer_key, &header, &stand.claims());
    for (nth, token) in [TOKEN, TOKEN, &unknown_key].into_iter().enumerate() {
        let shown = Shown::new(token, &stand.proof("PurgeOrders", token));
        let response = purge(&stand, &shown).await.unwrap();
        assert_eq!(said(&response, "permitted"), Some("false"), "{nth}");
        let cause = said(&response, "cause");
        assert_eq!(cause, Some("observer_did_not_wait"), "{nth}");
        let reason = Reason::AuthorityUnreachable.as_str_name();
        assert_eq!(said(&response, "would-refuse"), Some(reason));
    }
    assert_eq!(
        stand.guard.would_have_refused(),
        [(Reason::AuthorityUnreachable, 3)]
    );
    assert_eq!(stand.guard.counts().ledger_entries, 0);
}
