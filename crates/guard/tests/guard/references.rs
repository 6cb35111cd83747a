//! Reference tokens in front of a guard: told apart from JWTs by their form, asked about once their
//! proof was verified, and checked like JWTs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign::example::v1::GetOrderRequest;
use countersign_client::source::BoxFuture;
use countersign_guard::{
    Introspected, IntrospectionUnavailable, Introspector, NonceMode, RevocationSource,
    RevokedTarget,
};
use countersign_jose::UnixTime;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tonic::Request;

use crate::revocation::{TestRevocations, until};
use crate::stand::{Edge, Expected, ISSUER, ORIGIN, Shown, Stand, es256, proof_of};

pub(crate) const TOKEN: &str =
    "csa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAone";

/// The text of a reference, as the token service makes them.
pub(crate) fn reference(nth: usize) -> String {
    format!("csa_{nth:A>75}")
}

/// Says what it was told to say, and counts.
#[derive(Default)]
pub(crate) struct Told {
    tokens: Mutex<HashMap<String, Introspected>>,
    /// It answers nobody.
    away: Mutex<bool>,
    asked: AtomicU32,
}

impl Introspector for Told {
    fn introspect<'a>(
        &'a self,
        token: &'a str,
    ) -> BoxFuture<'a, Result<Option<Introspected>, IntrospectionUnavailable>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let said = match *self.away.lock() {
            true => Err(IntrospectionUnavailable::new("the test says so")),
            false => Ok(self.tokens.lock().get(token).cloned()),
        };
        Box::pin(std::future::ready(said))
    }
}

impl Told {
    pub(crate) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn says(&self, stand: &Stand, token: &str, change: impl FnOnce(&mut Introspected)) {
        let mut said = Introspected {
            issuer: ISSUER.to_owned(),
            subject: "checkout".to_owned(),
            client_id: "checkout".to_owned(),
            audience: vec![ORIGIN.to_owned()],
            scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
            token_id: "t1".to_owned(),
            family: None,
            issued_at: UnixTime::from_secs(stand.now()),
            expires_at: UnixTime::from_secs(stand.now() + 300),
            jkt: Some(stand.caller_key.public().thumbprint()),
            certificate: None,
            auth_time: None,
            acr: None,
            authorization_details: String::new(),
        };
        change(&mut said);
        self.tokens.lock().insert(token.to_owned(), said);
    }
}

async fn stand() -> (Stand, Arc<Told>) {
    stand_at(Edge::Grpc).await
}

async fn stand_at(edge: Edge) -> (Stand, Arc<Told>) {
    let told = Arc::<Told>::default();
    let asked = Arc::clone(&told) as Arc<dyn Introspector>;
    let stand = Stand::with_at(edge, |builder| {
        builder.nonces(NonceMode::Off).introspector(asked)
    })
    .await;
    told.says(&stand, TOKEN, |_| {});
    (stand, told)
}

fn shown(stand: &Stand, token: &str) -> Shown {
    Shown::new(token, &stand.proof("CreateOrder", token))
}

#[tokio::test]
async fn one_guard_takes_both_formats_and_knows_them_by_their_form() {
    let (stand, told) = stand().await;
    let answer = stand.create(&shown(&stand, TOKEN)).await.unwrap();
    let order = answer.into_inner().order.unwrap();
    assert_eq!(
        (order.order_id.as_str(), order.owner.as_str()),
        ("t1", "checkout")
    );
    assert_eq!(order.item, ORIGIN);
    assert_eq!(told.asked(), 1);
    for token in [
        stand.token(),
        "garbage".to_owned(),
        format!("x{TOKEN}"),
        TOKEN.replace("csa", "CSA"),
    ] {
        let expected = if token.starts_with("ey") {
            Expected::Ok
        } else {
            Expected::T
        };
        stand.check(&token, &shown(&stand, &token), expected).await;
    }
    assert_eq!(
        told.asked(),
        1,
        "nobody is asked about what is no reference"
    );
}

#[tokio::test]
async fn what_is_said_is_checked_like_a_jwt() {
    for edge in Edge::BOTH {
        type Change = fn(&mut Introspected);
        let rows: [(&str, Change, Expected); 10] = [
            ("as it should be", |_| {}, Expected::Ok),
            (
                "of another key",
                |said| said.jkt = Some(es256(9).public().thumbprint()),
                Expected::T,
            ),
            ("of no key", |said| said.jkt = None, Expected::T),
            (
                "of another issuer",
                |said| said.issuer.push('/'),
                Expected::T,
            ),
            (
                "for another resource",
                |said| said.audience = vec!["https://billing.test".to_owned()],
                Expected::T,
            ),
            ("for nobody", |said| said.audience.clear(), Expected::T),
            ("of nobody", |said| said.subject.clear(), Expected::T),
            (
                "ended",
                |said| said.expires_at = said.issued_at,
                Expected::Expired,
            ),
            (
                "not begun",
                |said| said.issued_at = said.issued_at.plus(Duration::from_secs(60)),
                Expected::T,
            ),
            (
                "without the scope",
                |said| said.scopes = vec!["orders.read".to_owned()],
                Expected::Scope,
            ),
        ];
        let (stand, told) = stand_at(edge).await;
        for (nth, (row, change, expected)) in rows.into_iter().enumerate() {
            let token = reference(nth);
            told.says(&stand, &token, change);
            stand.check(row, &shown(&stand, &token), expected).await;
        }
        let unsaid = shown(&stand, &reference(99));
        stand.check("nothing is said", &unsaid, Expected::T).await;
    }
}

#[tokio::test]
async fn nobody_is_asked_about_what_does_not_look_like_a_reference() {
    for edge in Edge::BOTH {
        let (stand, told) = stand_at(edge).await;
        let handle = TOKEN.strip_prefix("csa_").unwrap();
        for (row, token) in [
            ("a prefix alone", "csa_".to_owned()),
            ("a short reference", format!("csa_{}", &handle[1..])),
            ("a long reference", format!("csa_A{handle}")),
            ("of 8,000 characters", format!("csa_{}", "A".repeat(8_000))),
            ("not base64url", format!("csa_~{}", &handle[1..])),
            ("padded", format!("csa_{}=", &handle[1..])),
            ("a JWT behind the prefix", format!("csa_{}", stand.token())),
        ] {
            told.says(&stand, &token, |_| {});
            stand.check(row, &shown(&stand, &token), Expected::T).await;
        }
        assert_eq!(told.asked(), 0);
        stand
            .check("as it should be", &shown(&stand, TOKEN), Expected::Ok)
            .await;
    }
}

#[tokio::test]
async fn nobody_is_asked_before_the_proof_was_verified() {
    for edge in Edge::BOTH {
        let (stand, told) = stand_at(edge).await;
        let good = shown(&stand, TOKEN);
        let proof = good.of("dpop").to_owned();
        let other = stand.proof("CreateOrder", "csa_two");
        let mut late = stand.proof_claims("CreateOrder", TOKEN);
        late["iat"] = (stand.now() - 100).into();
        let late = proof_of(&stand.caller_key, &late);
        let bearer = Shown::default().and("authorization", &format!("Bearer {TOKEN}"));
        for (row, shown, expected) in [
            ("no proof", good.clone().without("dpop"), Expected::P),
            (
                "a proof for another token",
                Shown::new(TOKEN, &other),
                Expected::P,
            ),
            (
                "a proof for another method",
                Shown::new(TOKEN, &stand.proof("GetOrder", TOKEN)),
                Expected::P,
            ),
            ("an old proof", Shown::new(TOKEN, &late), Expected::P),
            (
                "a broken proof",
                Shown::new(TOKEN, &proof[1..]),
                Expected::P,
            ),
            ("as Bearer", bearer.clone(), Expected::T),
            (
                "as Bearer, with a proof",
                bearer.clone().and("dpop", &proof),
                Expected::T,
            ),
        ] {
            stand.check(row, &shown, expected).await;
        }
        assert_eq!(told.asked(), 0);
        // Strangers can show anything as Bearer: only a token that was good is worth a thought.
        assert_eq!(stand.guard.counts().bound_tokens_as_bearer, 0);
        stand.check("at last", &good, Expected::Ok).await;
        stand.check("stolen", &bearer, Expected::T).await;
        assert_eq!(stand.guard.counts().bound_tokens_as_bearer, 1);
        assert_eq!(told.asked(), 1);
    }
}

#[tokio::test]
async fn a_proof_is_spent_once_the_token_was_found_good() {
    for edge in Edge::BOTH {
        let (stand, told) = stand_at(edge).await;
        let good = shown(&stand, TOKEN);
        *told.away.lock() = true;
        stand
            .check("nobody answers", &good, Expected::Unreachable)
            .await;
        assert_eq!(stand.guard.counts().ledger_entries, 0);
        *told.away.lock() = false;
        stand.check("the same proof", &good, Expected::Ok).await;
        stand.check("and again", &good, Expected::Spent).await;
    }
}

#[tokio::test]
async fn fifty_callers_at_once_ask_once() {
    let (stand, told) = stand().await;
    let stand = Arc::new(stand);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let stand = Arc::clone(&stand);
        calls.spawn(async move { stand.create(&shown(&stand, TOKEN)).await.is_ok() });
    }
    while let Some(accepted) = calls.join_next().await {
        assert!(accepted.unwrap());
    }
    assert_eq!(told.asked(), 1);
}

#[tokio::test]
async fn a_revocation_is_felt_within_five_seconds() {
    let (stand, told) = stand().await;
    for passed in [0, 4_999] {
        stand.clock.advance(Duration::from_millis(passed));
        stand
            .check("good", &shown(&stand, TOKEN), Expected::Ok)
            .await;
        told.tokens.lock().clear();
    }
    assert_eq!(told.asked(), 1);
    stand.clock.advance(Duration::from_millis(1));
    for asked in 2..4 {
        stand
            .check("revoked", &shown(&stand, TOKEN), Expected::Revoked)
            .await;
        assert_eq!(told.asked(), asked, "a refusal is not kept");
    }
    told.says(&stand, TOKEN, |_| {});
    stand
        .check("good again", &shown(&stand, TOKEN), Expected::Ok)
        .await;
}

/// Who is told of revocations asks once: so it must be told of references whose key is gone.
#[tokio::test]
async fn references_whose_key_is_gone_are_refused_and_jwts_are_not() {
    let (told, source) = (Arc::<Told>::default(), Arc::<TestRevocations>::default());
    let (asked, shared) = (
        Arc::clone(&told) as Arc<dyn Introspector>,
        Arc::clone(&source) as Arc<dyn RevocationSource>,
    );
    let stand = Stand::with(|builder| {
        let builder = builder.nonces(NonceMode::Off).introspector(asked);
        builder.revocation_source(shared)
    });
    let stand = stand.await;
    told.says(&stand, TOKEN, |_| {});
    until("it watches", || stand.guard.knowledge().unwrap().live).await;
    for row in ["asked about", "remembered"] {
        stand.check(row, &shown(&stand, TOKEN), Expected::Ok).await;
        stand.clock.advance(Duration::from_secs(6));
    }
    assert_eq!(told.asked(), 1, "what was said is kept");

    let now = UnixTime::from_secs(stand.now());
    source.revoke(RevokedTarget::References, now);
    until("it is told", || stand.guard.counts().revocations > 0).await;
    stand
        .check("its key is gone", &shown(&stand, TOKEN), Expected::Revoked)
        .await;
    stand.check("a JWT", &stand.good(), Expected::Ok).await;
}

#[tokio::test]
async fn nobody_is_asked_about_a_token_that_has_ended() {
    let (stand, told) = stand().await;
    told.says(&stand, TOKEN, |said| {
        said.expires_at = said.issued_at.plus(Duration::from_secs(3));
    });
    stand
        .check("good", &shown(&stand, TOKEN), Expected::Ok)
        .await;
    stand.clock.advance(Duration::from_secs(3));
    stand
        .check("ended", &shown(&stand, TOKEN), Expected::Expired)
        .await;
    assert_eq!(told.asked(), 1);
}

#[tokio::test]
async fn while_nobody_answers_what_was_said_holds_for_its_five_seconds() {
    let (stand, told) = stand().await;
    stand
        .check("good", &shown(&stand, TOKEN), Expected::Ok)
        .await;
    *told.away.lock() = true;
    stand.clock.advance(Duration::from_millis(4_999));
    stand
        .check("still good", &shown(&stand, TOKEN), Expected::Ok)
        .await;
    stand.clock.advance(Duration::from_millis(1));
    stand
        .check("nobody knows", &shown(&stand, TOKEN), Expected::Unreachable)
        .await;
    stand
        .check("a JWT does not care", &stand.good(), Expected::Ok)
        .await;
}

#[tokio::test]
async fn without_anybody_to_ask_a_reference_is_not_taken() {
    let stand = Stand::start().await;
    stand
        .check("a reference", &shown(&stand, TOKEN), Expected::T)
        .await;
    stand.check("a JWT", &stand.good(), Expected::Ok).await;
}

/// The key set is for JWTs.
#[tokio::test]
async fn a_reference_needs_no_key_set() {
    let (mut stand, told) = stand().await;
    *stand.keys.published.lock() = None;
    let asked = Arc::clone(&told) as Arc<dyn Introspector>;
    stand
        .restart(|builder| builder.nonces(NonceMode::Off).introspector(asked))
        .await;
    stand
        .check("a JWT", &stand.good(), Expected::Unreachable)
        .await;
    stand
        .check("a reference", &shown(&stand, TOKEN), Expected::Ok)
        .await;
}

/// As a JWT is read: `ownership.rs` has the same rows.
#[tokio::test]
async fn a_reference_is_for_the_account_that_it_names_and_for_no_other() {
    use Expected::{NotOwner, Ok, T};
    let seven = r#"{"type":"account","identifier":"7"}"#;
    let at = |location: &str| {
        format!(r#"[{{"type":"account","identifier":"7","locations":["{location}"]}}]"#)
    };
    let rows = [
        ("this one", format!("[{seven}]"), Ok),
        ("meant for here", at(ORIGIN), Ok),
        ("meant for elsewhere", at("https://else.test"), NotOwner),
        ("nothing said", String::new(), NotOwner),
        ("none", "[]".to_owned(), NotOwner),
        (
            "another",
            r#"[{"type":"account","identifier":"8"}]"#.to_owned(),
            NotOwner,
        ),
        (
            "of another type",
            r#"[{"type":"card","identifier":"7"}]"#.to_owned(),
            NotOwner,
        ),
        ("not a list", seven.to_owned(), T),
        ("one good, one broken", format!("[{seven},1]"), T),
        ("without a type", r#"[{"identifier":"7"}]"#.to_owned(), T),
        (
            "a member twice",
            r#"[{"type":"account","identifier":"8","identifier":"7"}]"#.to_owned(),
            T,
        ),
        ("not JSON", format!("[{seven}"), T),
        ("something after it", format!("[{seven}] []"), T),
    ];
    let (stand, told) = stand().await;
    for (nth, (row, details, expected)) in rows.into_iter().enumerate() {
        let token = reference(nth);
        told.says(&stand, &token, |said| said.authorization_details = details);
        let mut request = Request::new(GetOrderRequest {
            order_id: "account:7".to_owned(),
        });
        Shown::new(&token, &stand.proof("GetOrder", &token)).onto(request.metadata_mut());
        expected.check(row, stand.client().get_order(request).await);
    }
}
