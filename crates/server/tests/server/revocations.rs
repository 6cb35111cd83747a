//! What was revoked is told at once to those who watch, and to nobody else.

mod places;
mod signers;

use std::time::Duration;

use countersign::admin::v1::revocation_service_client::RevocationServiceClient as AdminClient;
use countersign::admin::v1::revoke_tokens_request::Target;
use countersign::admin::v1::{
    self as admin, AuthenticationMethod, RevokeTokensRequest, RevokeTokensResponse,
    SigningKeyPurpose,
};
use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::keys::v1::key_service_client::KeyServiceClient;
use countersign::keys::v1::{WatchKeysRequest, WatchKeysResponse};
use countersign::revocation::v1::revocation::Target as Told;
use countersign::revocation::v1::revocation_service_client::RevocationServiceClient;
use countersign::revocation::v1::{Revocation, WatchRevocationsRequest, WatchRevocationsResponse};
use countersign::token::v1::revoke_token_request::Target as OwnTarget;
use countersign_client::clock::Clock as _;
use countersign_client::outcome::Refused;
use tonic::{Status, Streaming};

use crate::comes::{Comes, check};
use crate::flow::{
    code, pkce, push_request, redeem, redeem_request, revoke, rotate, signed_in, with_login,
};
use crate::harness::{
    Client, INTROSPECT, ORDERS, Service, inner, person_client, service_client, strings,
};
use crate::introspection::is_active;
use crate::proof::Key;

const WATCH: &str = "/countersign.revocation.v1.RevocationService/WatchRevocations";

/// Longer than anything here takes on a busy machine.
const SOON: Duration = Duration::from_secs(30);

async fn watcher(service: &Service) -> Client {
    let issuer = service.issuer().to_owned();
    service
        .add(service_client(
            "watcher",
            &[(issuer.as_str(), &["revocations.watch"])],
        ))
        .await
}

async fn watch(
    service: &Service,
    watcher: &Client,
    cursor: &str,
) -> Result<Streaming<WatchRevocationsResponse>, Status> {
    let cursor = cursor.to_owned();
    let request = service
        .guarded(watcher, WATCH, WatchRevocationsRequest { cursor })
        .await;
    let mut revocations = RevocationServiceClient::new(service.public().await);
    inner(revocations.watch_revocations(request).await)
}

/// The next word.
async fn next(told: &mut Streaming<WatchRevocationsResponse>) -> WatchRevocationsResponse {
    let next = tokio::time::timeout(SOON, told.message()).await;
    next.expect("soon").expect("it goes on").expect("a word")
}

/// The next revocation; signs of life are passed over.
async fn told(stream: &mut Streaming<WatchRevocationsResponse>) -> (Revocation, String) {
    loop {
        let word = next(stream).await;
        assert!(word.complete);
        if let [revocation] = &word.revocations[..] {
            return (revocation.clone(), word.cursor);
        }
        assert!(word.revocations.is_empty(), "one after the other");
    }
}

async fn revoke_all(
    service: &Service,
    target: Option<Target>,
) -> Result<RevokeTokensResponse, Status> {
    let mut revocations = AdminClient::new(service.admin().await);
    inner(
        revocations
            .revoke_tokens(RevokeTokensRequest { target })
            .await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_watch_is_told() {
    let service = Service::start().await;
    let issuer = service.issuer().to_owned();
    let mut stranger = RevocationServiceClient::new(service.public().await);
    let refused = stranger
        .watch_revocations(WatchRevocationsRequest::default())
        .await;
    check("nobody", &inner(refused).map(|_| ()), Comes::Credentials);
    let other = service
        .add(service_client(
            "other",
            &[(issuer.as_str(), &["introspect"])],
        ))
        .await;
    let refused = watch(&service, &other, "").await.map(|_| ());
    check("another scope", &refused, Comes::ScopeInsufficient);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_revocation_is_told_once_and_from_a_cursor_on() {
    let (service, login) = with_login().await;
    let watcher = watcher(&service).await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let mut stream = watch(&service, &watcher, "").await.expect("it begins");
    let opening = next(&mut stream).await;
    assert!(opening.complete && opening.revocations.is_empty());
    let interval = opening.heartbeat_interval.expect("an interval");
    assert_eq!((interval.seconds, interval.nanos), (5, 0));

    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let token = OwnTarget::Token(first.access_token.clone());
    revoke(&service, &shop, token, "").await.expect("revoked");
    let (one, cursor) = told(&mut stream).await;
    assert!(matches!(one.target, Some(Told::TokenId(_))));
    assert!(one.forget_time.expect("an end").seconds > one.revoke_time.expect("a time").seconds);

    let refresh = OwnTarget::Token(first.refresh_token);
    revoke(&service, &shop, refresh, "").await.expect("revoked");
    let (two, _) = told(&mut stream).await;
    assert_eq!(two.target, Some(Told::FamilyId(first.family_id)));
    assert_eq!(two.number, one.number + 1);

    // A reused refresh token revokes its family, too.
    let again = signed_in(&service, &login, &shop, &key).await;
    rotate(&service, &shop, &key, &again.refresh_token, &[])
        .await
        .expect("rotated");
    service.clock.advance(Duration::from_secs(11));
    let reused = rotate(&service, &shop, &key, &again.refresh_token, &[]).await;
    check("reuse", &reused, Comes::G);
    let (three, _) = told(&mut stream).await;
    assert_eq!(three.target, Some(Told::FamilyId(again.family_id)));

    // From the beginning, and from a cursor on.
    let mut anew = watch(&service, &watcher, "").await.expect("it begins");
    assert_eq!(
        next(&mut anew).await.revocations,
        [one, two.clone(), three.clone()]
    );
    let mut rest = watch(&service, &watcher, &cursor).await.expect("it begins");
    assert_eq!(next(&mut rest).await.revocations, [two, three]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_holds_across_a_restart_and_no_other_is_taken() {
    let mut service = Service::start().await;
    let watcher = watcher(&service).await;
    let subject = |name: &str| Some(Target::Subject(name.to_owned()));
    revoke_all(&service, subject("ann")).await.expect("revoked");
    let mut stream = watch(&service, &watcher, "").await.expect("it begins");
    // It may come a moment after the first word: it is told once it is read from the log.
    let (_, cursor) = told(&mut stream).await;
    drop(stream);

    service.restart().await;
    service.clock.advance(crate::harness::WARM);
    revoke_all(&service, subject("bob")).await.expect("revoked");
    let mut rest = watch(&service, &watcher, &cursor).await.expect("it begins");
    let (bob, _) = told(&mut rest).await;
    assert_eq!(bob.target, Some(Told::Subject("bob".to_owned())));
    let mut all = watch(&service, &watcher, "").await.expect("it begins");
    assert_eq!(
        next(&mut all).await.revocations.len(),
        2,
        "what was revoked before the restart"
    );

    let refused = watch(&service, &watcher, "nonsense").await.map(|_| ());
    check("no cursor", &refused, Comes::R("cursor"));
    for unknown in ["7.0", "0.99"] {
        let refused = watch(&service, &watcher, unknown)
            .await
            .expect_err("refused");
        assert_eq!(refused.code(), tonic::Code::OutOfRange, "{unknown}");
        let reason = Refused::of(&refused)
            .expect("a reason")
            .reason
            .as_str_name();
        assert_eq!(reason, "REASON_CURSOR_TOO_OLD", "{unknown}");
    }

    // When no clock could bring its tokens back, a cursor from before is too old.
    service.clock.advance(Duration::from_secs(10_000));
    service.restart().await;
    service.clock.advance(crate::harness::WARM);
    let mut all = watch(&service, &watcher, "").await.expect("it begins");
    assert!(next(&mut all).await.revocations.is_empty());
    let refused = watch(&service, &watcher, &cursor)
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::OutOfRange);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_revokes_what_somebody_holds() {
    let (service, login) = with_login().await;
    let watcher = watcher(&service).await;
    let mut stream = watch(&service, &watcher, "").await.expect("it begins");
    next(&mut stream).await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let jkt = key.jkt().to_string();
    for (row, target, expected) in [
        (
            "client",
            Target::ClientId("shop".to_owned()),
            Told::ClientId("shop".to_owned()),
        ),
        (
            "subject",
            Target::Subject("ann".to_owned()),
            Told::Subject("ann".to_owned()),
        ),
        ("key", Target::Jkt(jkt.clone()), Told::Jkt(jkt)),
    ] {
        let issued = signed_in(&service, &login, &shop, &key).await;
        assert!(is_active(&service, &issued.access_token).await, "{row}");
        let until = revoke_all(&service, Some(target)).await.expect("revoked");
        let until = until.revoke_time.expect("a time");
        assert!(
            until.seconds > service.now().as_secs().cast_signed(),
            "{row}"
        );
        let (revocation, _) = told(&mut stream).await;
        assert_eq!(revocation.target, Some(expected), "{row}");
        assert_eq!(revocation.revoke_time, Some(until), "{row}");
        assert!(!is_active(&service, &issued.access_token).await, "{row}");
        let refused = rotate(&service, &shop, &key, &issued.refresh_token, &[]).await;
        check(row, &refused, Comes::G);
        service.clock.advance(Duration::from_secs(3));
    }

    let issued = signed_in(&service, &login, &shop, &key).await;
    let family = Target::FamilyId(issued.family_id.clone());
    revoke_all(&service, Some(family)).await.expect("revoked");
    let (revocation, _) = told(&mut stream).await;
    assert_eq!(revocation.target, Some(Told::FamilyId(issued.family_id)));
    assert!(!is_active(&service, &issued.access_token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_dies_with_the_key_that_has_it_now() {
    let (service, login) = with_login().await;
    let shop = admin::Client {
        refresh_key: admin::RefreshKey::Client.into(),
        ..person_client("shop", AuthenticationMethod::ClientSecret)
    };
    let shop = service.add(shop).await;
    let (first, second) = (Key::new(), Key::new());
    let issued = signed_in(&service, &login, &shop, &first).await;
    let rotated = rotate(&service, &shop, &second, &issued.refresh_token, &[]).await;
    let rotated = rotated.expect("another key may rotate it");
    for token in [&issued.access_token, &rotated.access_token] {
        assert!(is_active(&service, token).await);
    }
    let target = Target::Jkt(second.jkt().to_string());
    revoke_all(&service, Some(target)).await.expect("revoked");
    for token in [&issued.access_token, &rotated.access_token] {
        assert!(!is_active(&service, token).await);
    }
    for key in [&second, &Key::new()] {
        let refused = rotate(&service, &shop, key, &rotated.refresh_token, &[]).await;
        check("its family", &refused, Comes::G);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_cannot_mean_is_refused_naming_the_field() {
    let service = Service::start().await;
    let text = str::to_owned;
    for (target, expected) in [
        (None, Comes::R("target")),
        (Some(Target::TokenId(text("x"))), Comes::R("token_id")),
        (Some(Target::FamilyId(text("x"))), Comes::R("family_id")),
        (Some(Target::FamilyId("A".repeat(22))), Comes::NotFound),
        (Some(Target::ClientId(text(""))), Comes::R("client_id")),
        (Some(Target::Subject(text("a\nb"))), Comes::R("subject")),
        (Some(Target::Jkt(text("x"))), Comes::R("jkt")),
    ] {
        let row = format!("{target:?}");
        check(&row, &revoke_all(&service, target).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_switched_off_or_removed_loses_its_access_tokens() {
    let service = Service::start().await;
    service.add_orders().await;
    let watcher = watcher(&service).await;
    let mut stream = watch(&service, &watcher, "").await.expect("it begins");
    next(&mut stream).await;
    let client = service
        .add(service_client("checkout", &[(ORDERS, &["orders.read"])]))
        .await;
    let issued = service.issue(&client, &Key::new()).await.expect("issued");
    let disabled = |disabled| admin::UpdateClientRequest {
        client: Some(admin::Client {
            client_id: "checkout".to_owned(),
            disabled,
            ..admin::Client::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: strings(&["disabled"]),
        }),
    };
    let mut clients = service.clients().await;
    clients
        .update_client(disabled(true))
        .await
        .expect("switched off");
    let (off, _) = told(&mut stream).await;
    assert_eq!(off.target, Some(Told::ClientId("checkout".to_owned())));
    assert!(!is_active(&service, &issued.access_token).await);

    // Switching on says nothing; and what it had before is dead for guards.
    clients
        .update_client(disabled(false))
        .await
        .expect("switched on");
    clients
        .delete_client(admin::DeleteClientRequest {
            client_id: "checkout".to_owned(),
            etag: String::new(),
        })
        .await
        .expect("removed");
    let (gone, _) = told(&mut stream).await;
    assert_eq!(gone.target, Some(Told::ClientId("checkout".to_owned())));
    assert_eq!(gone.number, off.number + 1);
    assert!(!is_active(&service, &issued.access_token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_own_guard_goes_by_it_too() {
    let service = Service::start().await;
    let issuer = service.issuer().to_owned();
    let gateway = service
        .add(service_client(
            "gateway",
            &[(issuer.as_str(), &["introspect"])],
        ))
        .await;
    let introspect = || IntrospectTokenRequest {
        token: "anything".to_owned(),
        token_type_hint: String::new(),
    };
    let call = async || {
        let request = service.guarded(&gateway, INTROSPECT, introspect()).await;
        inner(
            service
                .introspections()
                .await
                .introspect_token(request)
                .await,
        )
    };
    call().await.expect("its token is good");
    let client = Target::ClientId("gateway".to_owned());
    revoke_all(&service, Some(client)).await.expect("revoked");
    // The clock stands still: each token is issued before what was revoked ends.
    let refused = async {
        loop {
            if let Err(refused) = call().await {
                return refused;
            }
        }
    };
    let refused = tokio::time::timeout(SOON, refused).await.expect("soon");
    let reason = Refused::of(&refused)
        .expect("a reason")
        .reason
        .as_str_name();
    assert_eq!(reason, "REASON_TOKEN_REVOKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_what_references_say_is_told_that_their_key_is_gone() {
    let service = Service::start().await;
    let watcher = watcher(&service).await;
    let mut stream = watch(&service, &watcher, "").await.expect("it begins");
    let opening = next(&mut stream).await;
    assert!(opening.complete && opening.revocations.is_empty());

    let active = crate::keys::active(&service, SigningKeyPurpose::Handles).await;
    crate::keys::revoke(&service, &active)
        .await
        .expect("revoked");
    let (one, cursor) = told(&mut stream).await;
    assert_eq!(one.target, Some(Told::References(true)));
    let until = one.revoke_time.expect("a time").seconds;
    let now = service.clock.now().as_secs();
    assert!(
        until > i64::try_from(now).expect("a time"),
        "also what is being made"
    );

    drop(stream);
    let mut anew = watch(&service, &watcher, "").await.expect("it begins");
    let opening = next(&mut anew).await;
    assert_eq!(
        opening.revocations,
        [one],
        "and whoever comes later is told"
    );
    assert_eq!(opening.cursor, cursor);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_keys_are_told_as_they_come() {
    let service = Service::start().await;
    let mut keys = KeyServiceClient::new(service.public().await);
    let mut stream = inner(keys.watch_keys(WatchKeysRequest {}).await).expect("it begins");
    let before = key_set(&mut stream).await;
    assert_eq!(before.len(), 2, "the active and the next one");
    crate::keys::revoke(&service, &before[0])
        .await
        .expect("revoked");
    let told = async { while key_set(&mut stream).await.contains(&before[0]) {} };
    tokio::time::timeout(SOON, told).await.expect("told");
}

/// The names of the keys in the next word that has any.
async fn key_set(stream: &mut Streaming<WatchKeysResponse>) -> Vec<String> {
    loop {
        let next = tokio::time::timeout(SOON, stream.message()).await;
        let word = next.expect("soon").expect("it goes on").expect("a word");
        assert!(word.heartbeat_interval.is_some());
        if let Some(set) = word.key_set {
            return set.keys.into_iter().map(|key| key.kid).collect();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_out_dies_with_what_its_holders_have() {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    for (row, target, dies) in [
        ("another", Target::Subject("bob".to_owned()), false),
        ("subject", Target::Subject("ann".to_owned()), true),
        ("client", Target::ClientId("shop".to_owned()), true),
    ] {
        let (verifier, challenge) = pkce();
        let code = code(&service, &login, push_request(&shop, &challenge)).await;
        service.clock.advance(Duration::from_secs(5));
        revoke_all(&service, Some(target)).await.expect("revoked");
        let request = redeem_request(&shop, &code, &verifier);
        let redeemed = redeem(&service, &Key::new(), request).await;
        check(row, &redeemed, if dies { Comes::G } else { Comes::Ok });
        service.clock.advance(Duration::from_secs(3));
    }
    let issued = signed_in(&service, &login, &shop, &Key::new()).await;
    assert!(
        is_active(&service, &issued.access_token).await,
        "a later one"
    );
}
