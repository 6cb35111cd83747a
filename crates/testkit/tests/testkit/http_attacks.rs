//! The same attacks over HTTP, on axum routers.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::get;
use countersign::error::v1::Reason;
use countersign_testkit::{Attack, Attacks, Calls, Checkpoint, Failure, Platform, Unprotected};
use http::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tonic::body::Body;
use tower::ServiceExt as _;

type Answered = Result<Response<Body>, Box<dyn std::error::Error + Send + Sync>>;

const RULES: &str = r#"
["GET /orders/{id}"]
scopes = ["orders.read"]

["GET /health"]
public = true
"#;

fn router() -> Router {
    Router::new()
        .route("/orders/{id}", get(async || "tea"))
        .route("/health", get(async || "well"))
}

async fn ask(calls: Calls, path: &str) -> Answered {
    let request = Request::get(path).body(Body::empty())?;
    calls.oneshot(request).await
}

async fn in_memory() -> Attacks {
    let checkpoint = Checkpoint::with(|guard| guard.rules(RULES)).await.unwrap();
    let caller = checkpoint.caller("checkout").scopes(["orders.read"]);
    caller.http_attacks(router())
}

/// Without a guard, as the wire that the attacks go over; tokens come from the platform.
async fn over(platform: &Platform, router: Router) -> Attacks {
    let resource = "https://orders.test";
    platform
        .attacks_by(Calls::over(router), resource, resource, &["orders.read"])
        .await
        .unwrap()
}

#[tokio::test]
async fn a_checkpoint_repels_all_over_http() {
    let attacks = in_memory().await;
    for _ in 0..2 {
        let repelled = attacks.play_all(async |calls| ask(calls, "/orders/7").await);
        let repelled = repelled.await.unwrap_or_else(|error| panic!("{error}"));
        let played: Vec<Attack> = repelled.iter().map(|(attack, _)| *attack).collect();
        assert_eq!(played, Attack::ALL);
        for (attack, refused) in repelled {
            assert_eq!(refused.reason, attack.reason());
            assert!(!refused.message.is_empty(), "{attack}");
            let scopes: &[&str] = match attack {
                Attack::ScopeMissing => &["orders.read"],
                _ => &[],
            };
            assert_eq!(refused.scopes_missing, scopes, "{attack}");
        }
    }
}

/// Over a socket, with tokens of a token service. The guard has just begun, and asks for nonces.
#[tokio::test]
async fn a_router_that_listens_repels_all() {
    let platform = Platform::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let guard = platform.guard(&url).await.unwrap().rules(RULES);
    let guard = guard.connect().await.unwrap();
    let guarded = router().layer(guard.http_layer());
    tokio::spawn(async move { axum::serve(listener, guarded).await });
    let attacks = platform.attacks(&url, &["orders.read"]).await.unwrap();
    let at = format!("{url}/orders/7");
    let repelled = attacks.play_all(async |calls| ask(calls, &at).await).await;
    let repelled = repelled.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(repelled.len(), Attack::ALL.len());
}

#[tokio::test]
async fn without_a_guard_each_is_let_through_over_http() {
    let platform = Platform::start().await.unwrap();
    let attacks = over(&platform, router()).await;
    // The last two wait for a guard to hear of it, and move the clock.
    for attack in &Attack::ALL[..8] {
        let played = attacks
            .play(*attack, async |calls| ask(calls, "/orders/7").await)
            .await;
        match played {
            Err(Unprotected::LetThrough(through)) => assert_eq!(through, *attack),
            other => panic!("{attack}: {other:?}"),
        }
    }
}

/// A handler that answers with an error has run, whatever its answer looks like; so has a proxy.
#[tokio::test]
async fn an_answer_that_looks_like_a_refusal_is_none() {
    const REFUSES: [(&str, &str); 4] = [
        ("text/plain", "no"),
        (
            "application/problem+json",
            r#"{"title":"Unauthorized","status":401}"#,
        ),
        ("application/problem+json", r#"{"reason":"because"}"#),
        ("application/json", r#"{"reason":"REASON_TOKEN_INVALID"}"#),
    ];
    let platform = Platform::start().await.unwrap();
    for (media_type, body) in REFUSES {
        let asked = AtomicUsize::new(0);
        let handler = move || {
            // The honest call is answered; the attack meets an error.
            let honest = asked.fetch_add(1, Ordering::SeqCst) == 0;
            let code = if honest {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            };
            let answer = Response::builder().status(code);
            let answer = answer
                .header("content-type", media_type)
                .body(body.to_owned());
            std::future::ready(answer.unwrap())
        };
        let handler = std::sync::Arc::new(handler);
        let router = Router::new().route("/orders/{id}", get(move || handler()));
        let attacks = over(&platform, router).await;
        let played = attacks.play(Attack::StolenToken, async |calls| {
            ask(calls, "/orders/7").await
        });
        match played.await {
            Err(Unprotected::NotByGuard(Attack::StolenToken, Failure::Response(code))) => {
                assert_eq!(code, StatusCode::UNAUTHORIZED, "{body}");
            }
            other => panic!("{media_type}, {body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_public_route_and_one_without_a_rule_are_told() {
    let attacks = in_memory().await;
    let played = attacks.play(Attack::StolenToken, async |calls| {
        ask(calls, "/health").await
    });
    let error = played.await.unwrap_err();
    assert!(matches!(error, Unprotected::LetThrough(_)), "{error}");
    assert!(error.to_string().contains("http_layer()"), "{error}");

    let played = attacks.play(Attack::StolenToken, async |calls| {
        ask(calls, "/nowhere").await
    });
    let error = played.await.unwrap_err();
    match &error {
        Unprotected::HonestCall(Failure::Refused(refused)) => {
            assert_eq!(refused.reason, Reason::MethodNotAllowed);
        }
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("give the caller"), "{error}");
}

/// Nobody is there.
#[tokio::test]
async fn who_does_not_answer_repels_nothing() {
    let platform = Platform::start().await.unwrap();
    let resource = "https://orders.test";
    let nobody = tower::service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(std::io::Error::other("nobody is here"))
    });
    let attacks = platform
        .attacks_by(Calls::over(nobody), resource, resource, &["orders.read"])
        .await
        .unwrap();
    let played = attacks.play(Attack::NoCredentials, async |calls| {
        ask(calls, "/orders/7").await
    });
    let error = played.await.unwrap_err();
    let unanswered = matches!(&error, Unprotected::HonestCall(Failure::Unanswered(_)));
    assert!(
        unanswered && error.to_string().contains("nobody is here"),
        "{error}"
    );
}
