//! Reference tokens over the wire: for every grant, told like JWTs, and dead in every way.

use std::collections::HashSet;
use std::time::Duration;

use countersign::admin::v1::store_service_client::StoreServiceClient;
use countersign::admin::v1::{self as admin, AccessTokenFormat, AuthenticationMethod};
use countersign::introspection::v1::{
    BatchIntrospectTokensRequest, BatchIntrospectTokensResponse, IntrospectTokenResponse,
};
use countersign::token::v1::revoke_token_request::Target;
use countersign_server::set_back;
use prost_reflect::prost::Message as _;
use tokio::task::JoinSet;
use tonic::Status;

use crate::comes::{Comes, check};
use crate::flow::{revoke, rotate, signed_in, with_login};
use crate::harness::{
    BATCH, Client, ISSUE, ORDERS, Service, credentials, inner, person_client, service_client,
    strings, with_proof,
};
use crate::introspection::{gateway, introspect, is_active};
use crate::keys::{MAC, active, revoke as revoke_key, rotate as rotate_key};
use crate::proof::Key;

/// From now on tokens for the resource are these.
pub(crate) async fn have(service: &Service, uri: &str, format: AccessTokenFormat) {
    let request = admin::UpdateResourceRequest {
        resource: Some(admin::Resource {
            uri: uri.to_owned(),
            access_token_format: format.into(),
            ..admin::Resource::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: strings(&["access_token_format"]),
        }),
    };
    let updated = service.resources().await.update_resource(request).await;
    let resource = inner(updated).expect("changed").resource;
    assert_eq!(resource.expect("shown").access_token_format(), format);
}

/// The service with a login application, orders with references, and who may ask for them.
async fn shop() -> (Service, Client, Client) {
    let (service, login) = with_login().await;
    have(&service, ORDERS, AccessTokenFormat::Reference).await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    (service, login, shop)
}

async fn batch(
    service: &Service,
    caller: &Client,
    tokens: Vec<String>,
) -> Result<BatchIntrospectTokensResponse, Status> {
    let request = BatchIntrospectTokensRequest { tokens };
    let request = service.guarded(caller, BATCH, request).await;
    let mut introspections = service.introspections().await;
    inner(introspections.batch_introspect_tokens(request).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_told_like_a_jwt_in_its_place() {
    let (service, login, shop) = shop().await;
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    assert!(first.access_token.starts_with("csa_"));
    assert_eq!(first.token_type, "DPoP");
    assert_eq!(first.expires_in.as_ref().expect("said").seconds, 300);
    have(&service, ORDERS, AccessTokenFormat::Jwt).await;
    let second = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    let second = second.expect("rotated");
    assert!(second.access_token.starts_with("eyJ"));
    assert_eq!(first.scopes, second.scopes);

    let told = async |token: &str| {
        let told = introspect(&service, &gateway, token, "").await;
        told.expect("introspected")
    };
    let reference = told(&first.access_token).await;
    let jwt = told(&second.access_token).await;
    assert!(reference.active && jwt.active);
    assert_eq!(
        reference.cnf.as_ref().expect("bound").jkt,
        key.jkt().to_string()
    );
    assert_eq!(reference.family_id, first.family_id);
    assert!(reference.auth_time.is_some());
    let but_its_name = |told: IntrospectTokenResponse| IntrospectTokenResponse {
        jti: String::new(),
        ..told
    };
    assert_ne!(reference.jti, jwt.jti);
    assert_eq!(but_its_name(reference), but_its_name(jwt));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_references_in_its_own_name() {
    let (service, _, _) = shop().await;
    let client = service
        .add(service_client("checkout", &[(ORDERS, &["orders.read"])]))
        .await;
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let issued = service.issue(&client, &Key::new()).await.expect("issued");
        assert!(is_active(&service, &issued.access_token).await);
        assert!(seen.insert(issued.access_token), "each is another");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_of_both_formats_are_asked_for_one_by_one() {
    let (service, _, _) = shop().await;
    let billing = "https://billing.example.com";
    let created = admin::CreateResourceRequest {
        resource: Some(admin::Resource {
            uri: billing.to_owned(),
            scopes: strings(&["bills.read"]),
            ..admin::Resource::default()
        }),
    };
    inner(service.resources().await.create_resource(created).await).expect("registered");
    let client = service
        .add(service_client(
            "both",
            &[(ORDERS, &["orders.read"]), (billing, &["bills.read"])],
        ))
        .await;
    let ask = async |resources: &[&str]| {
        let mut request = credentials(&client);
        request.resources = strings(resources);
        let key = Key::new();
        let request = with_proof(request, &service.proof(&key, ISSUE));
        inner(service.tokens().await.issue_token(request).await)
    };
    check("both", &ask(&[ORDERS, billing]).await, Comes::Target);
    assert!(
        ask(&[ORDERS])
            .await
            .expect("issued")
            .access_token
            .starts_with("csa_")
    );
    assert!(
        ask(&[billing])
            .await
            .expect("issued")
            .access_token
            .starts_with("eyJ")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_reference_is_the_same_bytes_as_garbage() {
    let (service, login, shop) = shop().await;
    let serves = gateway(&service, "gateway", &[ORDERS]).await;
    let serves_none = gateway(&service, "nobody", &[]).await;
    let issued = signed_in(&service, &login, &shop, &Key::new()).await;
    let access = issued.access_token.as_str();
    let refresh = issued
        .refresh_token
        .strip_prefix("csr_")
        .expect("its prefix");
    let mut forged = access.to_owned();
    forged.replace_range(10..11, if &access[10..11] == "A" { "B" } else { "A" });
    let passed_off = format!("csa_{refresh}");
    for (what, caller, token) in [
        ("garbage", &serves, "csa_garbage"),
        ("a forged one", &serves, forged.as_str()),
        (
            "a refresh token passed off as one",
            &serves,
            passed_off.as_str(),
        ),
        ("a caller outside the audience", &serves_none, access),
    ] {
        let told = introspect(&service, caller, token, "").await;
        assert_eq!(told.expect(what).encode_to_vec(), b"", "{what}");
    }
    assert!(is_active(&service, access).await);
    service.clock.advance(Duration::from_secs(301));
    let expired = introspect(&service, &serves, access, "").await;
    assert_eq!(expired.expect("introspected").encode_to_vec(), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_revoked_at_once_alone_and_with_its_family() {
    let (service, login, shop) = shop().await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let second = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    let second = second.expect("rotated");
    let token = |text: &str| Target::Token(text.to_owned());

    let refused = revoke(&service, &other, token(&first.access_token), "").await;
    check("another client", &refused, Comes::NotAllowed);
    assert!(is_active(&service, &first.access_token).await);

    for hint in ["refresh_token", ""] {
        let revoked = revoke(&service, &shop, token(&first.access_token), hint).await;
        revoked.expect("revoked, and a success the second time");
        assert!(!is_active(&service, &first.access_token).await);
    }
    assert!(is_active(&service, &second.access_token).await);
    let garbage = revoke(&service, &shop, token("csa_garbage"), "").await;
    garbage.expect("nothing to do about it");

    let revoked = revoke(&service, &shop, Target::FamilyId(second.family_id), "").await;
    revoked.expect("revoked");
    assert!(!is_active(&service, &second.access_token).await);
}

/// Whoever asks after a revocation was answered is told of it, whoever asked before.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_that_a_revoked_reference_is_active() {
    let (service, login, shop) = shop().await;
    let service = std::sync::Arc::new(service);
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let issued = signed_in(&service, &login, &shop, &Key::new()).await;
    let (revoked, is_revoked) = tokio::sync::watch::channel(false);
    let mut askers = JoinSet::new();
    for _ in 0..8 {
        let (service, gateway) = (std::sync::Arc::clone(&service), gateway.clone());
        let (token, is_revoked) = (issued.access_token.clone(), is_revoked.clone());
        askers.spawn(async move {
            loop {
                let before = *is_revoked.borrow();
                let told = introspect(&service, &gateway, &token, "").await;
                let active = told.expect("introspected").active;
                assert!(!(before && active), "it was revoked before");
                if before {
                    return;
                }
            }
        });
    }
    let target = Target::Token(issued.access_token);
    revoke(&service, &shop, target, "").await.expect("revoked");
    revoked.send_replace(true);
    while let Some(asker) = askers.join_next().await {
        asker.expect("an asker that was never told wrongly");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_outlives_a_restart_and_a_mac_key_but_not_its_revocation() {
    let (mut service, login, shop) = shop().await;
    let issued = signed_in(&service, &login, &shop, &Key::new()).await;
    let token = issued.access_token.as_str();
    service.restart().await;
    service.clock.advance(crate::harness::WARM);
    assert!(is_active(&service, token).await, "after a restart");

    let made_by = active(&service, MAC).await;
    rotate_key(&service, MAC).await;
    assert_ne!(active(&service, MAC).await, made_by);
    assert!(is_active(&service, token).await, "its key still verifies");
    revoke_key(&service, &made_by).await.expect("revoked");
    assert!(!is_active(&service, token).await, "its key is dropped");
}

/// As guards do that were told when it was disabled.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_had_when_it_was_disabled_stays_dead_when_it_is_enabled() {
    let (service, login, shop) = shop().await;
    let switch = async |disabled| {
        let update = admin::UpdateClientRequest {
            client: Some(admin::Client {
                client_id: "shop".to_owned(),
                disabled,
                ..admin::Client::default()
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: strings(&["disabled"]),
            }),
        };
        let updated = service.clients().await.update_client(update).await;
        inner(updated).expect("switched");
    };
    for format in [AccessTokenFormat::Reference, AccessTokenFormat::Jwt] {
        have(&service, ORDERS, format).await;
        let key = Key::new();
        let before = signed_in(&service, &login, &shop, &key).await;
        assert!(
            is_active(&service, &before.access_token).await,
            "{format:?}"
        );
        switch(true).await;
        assert!(
            !is_active(&service, &before.access_token).await,
            "{format:?}"
        );
        switch(false).await;
        assert!(
            !is_active(&service, &before.access_token).await,
            "{format:?}"
        );

        service.clock.advance(Duration::from_secs(3));
        let after = rotate(&service, &shop, &key, &before.refresh_token, &[]).await;
        let after = after.expect("its families waited");
        assert!(is_active(&service, &after.access_token).await, "{format:?}");
        assert!(
            !is_active(&service, &before.access_token).await,
            "{format:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_honours_no_reference_from_before() {
    let (mut service, _, _) = shop().await;
    let client = service
        .add(service_client("checkout", &[(ORDERS, &["orders.read"])]))
        .await;
    // Only its own record says what it is: no family, no signature.
    let issued = service.issue(&client, &Key::new()).await.expect("issued");
    assert!(is_active(&service, &issued.access_token).await);

    let mut stores = StoreServiceClient::new(service.admin().await);
    let backup = stores.backup_store(admin::BackupStoreRequest {}).await;
    let mut chunks = backup.expect("begun").into_inner();
    let mut copy = Vec::new();
    while let Some(piece) = chunks.message().await.expect("whole") {
        copy.extend_from_slice(&piece.chunk);
    }
    service.stop().await;
    let data = service.config.store.directory.clone();
    std::fs::remove_dir_all(&data).expect("lost");
    set_back::restore(&copy[..], &data, 0).expect("restored");
    service.run().await;
    service.clock.advance(crate::harness::WARM);
    assert!(!is_active(&service, &issued.access_token).await);
    let after = service.issue(&client, &Key::new()).await.expect("issued");
    assert!(is_active(&service, &after.access_token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_in_order() {
    let (service, login, shop) = shop().await;
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    have(&service, ORDERS, AccessTokenFormat::Jwt).await;
    let second = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    let second = second.expect("rotated");
    let tokens = [
        first.access_token.as_str(),
        "csa_garbage",
        &second.access_token,
        &second.refresh_token,
        &first.access_token,
        "x",
    ];
    let answers = batch(&service, &gateway, strings(&tokens)).await;
    let answers = answers.expect("introspected").answers;
    let mut alone = Vec::new();
    for token in tokens {
        alone.push(
            introspect(&service, &gateway, token, "")
                .await
                .expect("introspected"),
        );
    }
    assert_eq!(answers, alone);
    let active: Vec<_> = answers.iter().map(|answer| answer.active).collect();
    assert_eq!(active, [true, false, true, false, true, false]);
    assert_ne!(answers[0].jti, answers[2].jti);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_one_to_a_hundred_tokens() {
    let (service, login, shop) = shop().await;
    let gateway = gateway(&service, "gateway", &[ORDERS]).await;
    let issued = signed_in(&service, &login, &shop, &Key::new()).await;
    let many = |count: usize| vec![issued.access_token.clone(); count];
    check(
        "none",
        &batch(&service, &gateway, many(0)).await,
        Comes::R("tokens"),
    );
    check(
        "too many",
        &batch(&service, &gateway, many(101)).await,
        Comes::R("tokens"),
    );
    let mut with_gap = many(3);
    with_gap[1].clear();
    check(
        "an empty one",
        &batch(&service, &gateway, with_gap).await,
        Comes::R("tokens[1]"),
    );
    let answers = batch(&service, &gateway, many(100))
        .await
        .expect("introspected")
        .answers;
    assert_eq!(answers.len(), 100);
    assert!(
        answers
            .iter()
            .all(|answer| answer.active && *answer == answers[0])
    );
    // As long as a token can be, each of them.
    let long = vec!["A".repeat(8 * 1024); 100];
    let answers = batch(&service, &gateway, long).await.expect("read").answers;
    assert!(answers.iter().all(|answer| !answer.active));

    let request = BatchIntrospectTokensRequest { tokens: many(1) };
    let bare = service
        .introspections()
        .await
        .batch_introspect_tokens(request.clone())
        .await;
    check("no credentials", &bare, Comes::Credentials);
    let request = service.guarded(&login, BATCH, request).await;
    let refused = service
        .introspections()
        .await
        .batch_introspect_tokens(request)
        .await;
    check("another scope", &refused, Comes::ScopeInsufficient);
}
