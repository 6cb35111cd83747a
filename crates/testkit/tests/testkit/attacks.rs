//! Attacks: repelled by a guard, and told when they are not.

use countersign::FILE_DESCRIPTOR_SET;
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::example::v1::{CreateOrderRequest, GetOrderRequest, PingRequest};
use countersign_guard::Builder;
use countersign_testkit::{Attack, Attacks, Calls, Checkpoint, Platform, Unprotected};
use tonic::Status;

use crate::orders::{Orders, guard_of, place, serve};

async fn create(calls: Calls) -> Result<(), Status> {
    let mut stub = OrderServiceClient::new(calls);
    stub.create_order(CreateOrderRequest::default())
        .await
        .map(drop)
}

async fn in_memory() -> Attacks {
    let checkpoint = Checkpoint::of(FILE_DESCRIPTOR_SET).await.unwrap();
    let caller = checkpoint.caller("checkout").scopes(["orders.write"]);
    caller.attacks(Orders::server())
}

/// A handler that answers everybody, with no guard in front; tokens come from the platform.
async fn unguarded() -> (Platform, Attacks) {
    let platform = Platform::start().await.unwrap();
    let resource = "https://orders.test";
    let wire = Calls::over(Orders::trusting());
    let attacks = platform
        .attacks_by(wire, resource, resource, &["orders.write"])
        .await
        .unwrap();
    (platform, attacks)
}

#[tokio::test]
async fn a_checkpoint_repels_all() {
    let attacks = in_memory().await;
    let repelled = attacks.play_all(async |calls| create(calls).await).await;
    let repelled = repelled.unwrap_or_else(|error| panic!("{error}"));
    let played: Vec<Attack> = repelled.iter().map(|(attack, _)| *attack).collect();
    assert_eq!(played, Attack::ALL);
    // The clock was moved and a token revoked, and it is played once more.
    let again = attacks.play_all(async |calls| create(calls).await).await;
    again.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn a_server_repels_all() {
    let platform = Platform::start().await.unwrap();
    let (incoming, url) = place();
    let guard = guard_of(&platform, &url).await.unwrap();
    serve(incoming, &guard);
    let attacks = platform.attacks(&url, &["orders.write"]).await.unwrap();
    let repelled = attacks.play_all(async |calls| create(calls).await).await;
    assert_eq!(
        repelled.unwrap_or_else(|error| panic!("{error}")).len(),
        Attack::ALL.len()
    );
}

/// A handler without a guard answers everybody: each attack is let through, and
/// the report says so.
#[tokio::test]
async fn without_a_guard_each_is_let_through() {
    let (_platform, attacks) = unguarded().await;
    // The last two wait for a guard to hear of it, and move the clock.
    for attack in &Attack::ALL[..8] {
        let played = attacks
            .play(*attack, async |calls| create(calls).await)
            .await;
        match played {
            Err(Unprotected::LetThrough(through)) => assert_eq!(through, *attack),
            other => panic!("{attack}: {other:?}"),
        }
    }
}

/// An error of the handler's own is no protection: it has run.
#[tokio::test]
async fn a_refusal_by_the_handler_does_not_count() {
    let (_platform, attacks) = unguarded().await;
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let played = attacks
        .play(Attack::Replay, async |wire| {
            // The honest call is answered; the attack meets an error.
            if calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                return create(wire).await;
            }
            Err(Status::not_found("no such order"))
        })
        .await;
    assert!(
        matches!(played, Err(Unprotected::NotByGuard(Attack::Replay, _))),
        "{played:?}"
    );
}

/// A public method is open to everybody, and an attack on it shows that.
#[tokio::test]
async fn a_public_method_is_not_protected() {
    let played = in_memory()
        .await
        .play(Attack::NoCredentials, async |calls| {
            OrderServiceClient::new(calls).ping(PingRequest {}).await
        })
        .await;
    let error = played.unwrap_err();
    assert!(matches!(error, Unprotected::LetThrough(_)), "{error}");
    assert!(
        error.to_string().contains("neither public nor exempt"),
        "{error}"
    );
}

/// Where nobody gets through, no attack shows anything.
#[tokio::test]
async fn an_honest_call_comes_first() {
    let played = in_memory()
        .await
        .play(Attack::NoCredentials, async |calls| {
            OrderServiceClient::new(calls)
                .get_order(GetOrderRequest::default())
                .await
        })
        .await;
    let error = played.unwrap_err();
    assert!(matches!(error, Unprotected::HonestCall(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains("give the caller the method's scopes"),
        "{error}"
    );
}

/// A guard that does not go by the platform's clock takes a token for live.
#[tokio::test]
async fn a_guard_by_another_clock_is_told() {
    let platform = Platform::start().await.unwrap();
    let (incoming, url) = place();
    let guard = Builder::new(platform.url())
        .serve(&url)
        .descriptors(FILE_DESCRIPTOR_SET)
        .connect()
        .await
        .unwrap();
    serve(incoming, &guard);
    let attacks = platform.attacks(&url, &["orders.write"]).await.unwrap();
    let played = attacks
        .play(Attack::ExpiredToken, async |calls| create(calls).await)
        .await;
    let error = played.unwrap_err();
    assert!(
        matches!(error, Unprotected::LetThrough(Attack::ExpiredToken)),
        "{error}"
    );
    assert!(error.to_string().contains("Call clock(…)"), "{error}");
}

/// Every way to be unprotected says where to look.
#[test]
fn every_report_says_what_to_do() {
    for attack in Attack::ALL {
        let text = Unprotected::LetThrough(attack).to_string();
        assert!(text.starts_with(&attack.to_string()), "{text}");
        assert!(text.contains('?'), "{text}");
    }
    let preparation = Unprotected::Preparation("no such place".into());
    assert_eq!(
        preparation.to_string(),
        "the attack could not be prepared: no such place"
    );
}
