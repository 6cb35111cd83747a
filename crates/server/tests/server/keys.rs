//! The service's own keys: replaced, revoked, and what becomes of what they made.

use std::time::Duration;

use countersign::admin::v1::signing_key_service_client::SigningKeyServiceClient;
use countersign::admin::v1::{
    AuthenticationMethod, ListSigningKeysRequest, RevokeSigningKeyRequest,
    RevokeSigningKeyResponse, RotateSigningKeyRequest, RotateSigningKeyResponse, SigningKey,
    SigningKeyPurpose, SigningKeyState,
};
use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::keys::v1::ListKeysRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use tonic::{Code, Status};

use crate::comes::{Comes, check};
use crate::flow::{rotate as refresh, signed_in, with_login};
use crate::harness::{INTROSPECT, Service, inner, person_client};
use crate::introspection::is_active;
use crate::proof::Key;

const SIGNING: SigningKeyPurpose = SigningKeyPurpose::AccessTokens;
pub(crate) const MAC: SigningKeyPurpose = SigningKeyPurpose::Handles;

/// A key set is kept for 300 s, and clocks may differ by 60.
const PUBLISHED: Duration = Duration::from_secs(360);
/// 15 minutes, a minute, and two hours in which clocks may be wrong.
const RETIRED: Duration = Duration::from_secs(900 + 60 + 7_200);

pub(crate) async fn listed(service: &Service) -> Vec<SigningKey> {
    let mut keys = SigningKeyServiceClient::new(service.admin().await);
    let listed = keys.list_signing_keys(ListSigningKeysRequest {}).await;
    listed.expect("listed").into_inner().signing_keys
}

/// The names of the keys of that purpose in that state.
pub(crate) async fn kids(
    service: &Service,
    purpose: SigningKeyPurpose,
    state: SigningKeyState,
) -> Vec<String> {
    let listed = listed(service).await.into_iter();
    listed
        .filter(|key| key.purpose() == purpose && key.state() == state)
        .map(|key| key.kid)
        .collect()
}

/// The only active key of that purpose.
pub(crate) async fn active(service: &Service, purpose: SigningKeyPurpose) -> String {
    let mut active = kids(service, purpose, SigningKeyState::Active).await;
    assert_eq!(active.len(), 1, "exactly one is active");
    active.remove(0)
}

pub(crate) async fn rotate(
    service: &Service,
    purpose: SigningKeyPurpose,
) -> RotateSigningKeyResponse {
    let mut keys = SigningKeyServiceClient::new(service.admin().await);
    let purpose = purpose.into();
    let rotated = keys
        .rotate_signing_key(RotateSigningKeyRequest { purpose })
        .await;
    rotated.expect("rotated").into_inner()
}

pub(crate) async fn revoke(
    service: &Service,
    kid: &str,
) -> Result<RevokeSigningKeyResponse, Status> {
    let mut keys = SigningKeyServiceClient::new(service.admin().await);
    let kid = kid.to_owned();
    inner(
        keys.revoke_signing_key(RevokeSigningKeyRequest { kid })
            .await,
    )
}

/// What everybody is told to verify with.
async fn published(service: &Service) -> Vec<String> {
    let mut keys = KeyServiceClient::new(service.public().await);
    let listed = keys.list_keys(ListKeysRequest {}).await.expect("listed");
    let keys = listed.into_inner().keys.into_iter();
    keys.map(|key| key.kid).collect()
}

/// Waits until a look at the keys has made a next one, and tells which: it comes after the last one
/// was taken into use.
async fn until_next(service: &Service, purpose: SigningKeyPurpose) -> String {
    loop {
        if let Some(next) = kids(service, purpose, SigningKeyState::Next).await.pop() {
            return next;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a look at the keys has made it so.
async fn until_active(service: &Service, purpose: SigningKeyPurpose, kid: &str) {
    while active(service, purpose).await != kid {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_always_a_next_key_and_it_is_published() {
    let service = Service::start().await;
    for purpose in [SIGNING, MAC] {
        let next = kids(&service, purpose, SigningKeyState::Next).await;
        assert_eq!(next.len(), 1);
    }
    let mut expected = kids(&service, SIGNING, SigningKeyState::Next).await;
    expected.push(active(&service, SIGNING).await);
    let mut published = published(&service).await;
    published.sort();
    expected.sort();
    assert_eq!(published, expected, "and no MAC key is");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_key_verifies_until_its_last_token_is_dead() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let old = active(&service, SIGNING).await;
    service.clock.advance(PUBLISHED);
    let first = signed_in(&service, &login, &shop, &Key::new()).await;
    let rotated = rotate(&service, SIGNING).await;
    let new = rotated.active_key.expect("a key").kid;
    assert_eq!(rotated.rotate_time, None, "at once");
    assert_ne!(new, old);
    assert!(is_active(&service, &first.access_token).await);
    assert!(published(&service).await.contains(&old));

    service.clock.advance(RETIRED - Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(published(&service).await.contains(&old), "not yet");
    service.clock.advance(Duration::from_secs(1));
    while published(&service).await.contains(&old) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        kids(&service, SIGNING, SigningKeyState::Retiring).await,
        [""; 0]
    );
}

/// A command that comes too early says when it will be done; a restart does not forget it.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_signs_only_when_every_key_set_has_it() {
    let mut service = Service::start().await;
    let old = active(&service, SIGNING).await;
    // The first next key has been there for longer than a cold start takes, and not long enough.
    let rotated = rotate(&service, SIGNING).await;
    let due = rotated.rotate_time.expect("not at once");
    let next = rotated.next_key.expect("a next key").kid;
    assert_eq!(rotated.active_key.expect("a key").kid, old);
    assert!(listed(&service).await.iter().any(|key| key.rotation_asked));

    service.restart().await;
    let left = u64::try_from(due.seconds).expect("later") - service.now().as_secs();
    service.clock.advance(Duration::from_secs(left - 1));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(active(&service, SIGNING).await, old, "not a second before");
    service.clock.advance(Duration::from_secs(2));
    until_active(&service, SIGNING, &next).await;

    // On schedule as well, without anybody asking.
    let next = until_next(&service, SIGNING).await;
    service.clock.advance(Duration::from_secs(30 * 86_400));
    until_active(&service, SIGNING, &next).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_key_signed_is_refused_at_once() {
    let (mut service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    assert!(is_active(&service, &first.access_token).await);
    let issuer = service.issuer().to_owned();
    let asks = crate::harness::service_client("asks", &[(issuer.as_str(), &["introspect"])]);
    let asks = service.add(asks).await;
    // Calls with tokens of the old key: one is seen before, by the service's own guard.
    let ask = || IntrospectTokenRequest {
        token: "x".to_owned(),
        ..IntrospectTokenRequest::default()
    };
    let late = service.guarded(&asks, INTROSPECT, ask()).await;

    let old = active(&service, SIGNING).await;
    let next = kids(&service, SIGNING, SigningKeyState::Next)
        .await
        .remove(0);
    let revoked = revoke(&service, &old).await.expect("revoked");
    assert_eq!(revoked.active_key.expect("a key").kid, next);

    assert!(!is_active(&service, &first.access_token).await);
    assert!(!published(&service).await.contains(&old));
    let refused = service.introspections().await.introspect_token(late).await;
    assert_eq!(refused.expect_err("refused").code(), Code::Unauthenticated);
    // Refresh tokens are no affair of the signing key: the client goes on.
    let second = refresh(&service, &shop, &key, &first.refresh_token, &[]).await;
    let second = second.expect("refreshed");
    assert!(is_active(&service, &second.access_token).await);
    assert_eq!(
        kids(&service, SIGNING, SigningKeyState::Next).await.len(),
        1
    );

    service.restart().await;
    assert_eq!(active(&service, SIGNING).await, next);
    assert!(!is_active_again(&service, &first.access_token).await);
    let unknown = revoke(&service, &old).await.expect_err("gone");
    assert_eq!(unknown.code(), Code::NotFound);
}

/// As [`is_active`], by another client: names are given once.
async fn is_active_again(service: &Service, token: &str) -> bool {
    service.clock.advance(crate::harness::WARM);
    is_active(service, token).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_mac_key_made_is_dead_at_once() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let old = active(&service, MAC).await;
    service.clock.advance(Duration::from_secs(60));
    let replaced = rotate(&service, MAC).await;
    assert_eq!(replaced.rotate_time, None, "nobody else has to know of it");
    // What the replaced key made is honoured, and replaced by what the new one makes.
    let second = refresh(&service, &shop, &key, &first.refresh_token, &[]).await;
    let second = second.expect("refreshed");
    assert!(is_active(&service, &first.access_token).await);

    revoke(&service, &old).await.expect("revoked");
    let dead = refresh(&service, &shop, &key, &first.refresh_token, &[]).await;
    check("of the revoked key", &dead, Comes::G);
    let third = refresh(&service, &shop, &key, &second.refresh_token, &[]).await;
    let third = third.expect("of the key that is not");
    let current = active(&service, MAC).await;
    revoke(&service, &current).await.expect("revoked");
    let dead = refresh(&service, &shop, &key, &third.refresh_token, &[]).await;
    check("of the active key", &dead, Comes::G);
    let again = signed_in(&service, &login, &shop, &key).await;
    let again = refresh(&service, &shop, &key, &again.refresh_token, &[]).await;
    assert!(again.is_ok(), "the next key makes handles");
}

/// The clock shows the wrong time for a while, by ten seconds or an hour, ahead and back: no key is
/// used or gone before its time, and none comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_moves_no_key() {
    let service = Service::start().await;
    service.clock.advance(PUBLISHED);
    let first = active(&service, SIGNING).await;
    rotate(&service, SIGNING).await;
    let second = active(&service, SIGNING).await;
    // Asked for, and due in six minutes.
    rotate(&service, SIGNING).await;
    // The first key would be gone with the jump alone: an hour is left.
    service.clock.advance(PUBLISHED - Duration::from_secs(5));
    for secs in [10, -10, 3_600, -3_600] {
        service.clock.jump(secs);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(active(&service, SIGNING).await, second, "{secs}");
        let published = published(&service).await;
        assert!(published.contains(&first), "{secs}");
        service.clock.jump(-secs);
    }
    service.clock.advance(Duration::from_secs(6));
    while active(&service, SIGNING).await == second {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Half an hour before the first key may go.
    let gone = RETIRED - PUBLISHED - Duration::from_secs(1_800);
    service.clock.advance(gone);
    for secs in [3_600, -3_600] {
        service.clock.jump(secs);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(published(&service).await.contains(&first), "{secs}");
        service.clock.jump(-secs);
    }
    service.clock.advance(Duration::from_secs(1_801));
    while published(&service).await.contains(&first) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.clock.jump(-3_600);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(
        !published(&service).await.contains(&first),
        "none comes back"
    );
}
