//! Every operation, each with its event.

use std::time::Duration;

use countersign::admin::v1::{self as admin, AuditLog, AuthenticationMethod, Outcome};
use countersign::authorization::v1 as authorization;
use countersign::token::v1::revoke_token_request::Target;
use countersign_jose::base64url;

use super::{all, events, operator, raw, short, written};
use crate::comes::{Comes, check};
use crate::flow::{
    approved, pkce, push_request, redeem, redeem_request, revoke, rotate, signed_in, with_login,
};
use crate::harness::{Client, DENY, ISSUE, ORDERS, credentials, inner, person_client, with_proof};
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_leaves_its_event_and_nothing_secret() {
    let (mut service, login) = with_login().await;
    let operator = operator();
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    let other = service
        .add(person_client("other", AuthenticationMethod::ClientSecret))
        .await;
    let mut secrets: Vec<String> = Vec::new();
    for client in [&login, &shop, &other] {
        secrets.extend(client.secret.clone());
    }

    // What clients and resources go through.
    let mut clients = service.clients().await;
    let update = |disabled| admin::UpdateClientRequest {
        client: Some(admin::Client {
            client_id: "other".to_owned(),
            disabled,
            ..admin::Client::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["disabled".to_owned()],
        }),
    };
    inner(clients.update_client(update(true)).await).expect("switched off");
    inner(clients.update_client(update(false)).await).expect("switched on");
    let renewed = clients
        .rotate_client_secret(admin::RotateClientSecretRequest {
            client_id: "other".to_owned(),
        })
        .await;
    let other = Client {
        secret: Some(inner(renewed).expect("renewed").client_secret),
        ..other
    };
    secrets.extend(other.secret.clone());

    // A code: declined; in other hands; redeemed; again.
    let key = Key::new();
    let (verifier, challenge) = pkce();
    secrets.push(verifier.clone());
    let lodge = || async {
        let push = push_request(&shop, &challenge);
        let lodged = service
            .authorizations()
            .await
            .push_authorization(push)
            .await;
        inner(lodged).expect("lodged").request_uri
    };
    let declined = lodge().await;
    let deny = authorization::DenyAuthorizationRequest {
        request_uri: declined.clone(),
        ..authorization::DenyAuthorizationRequest::default()
    };
    let request = service.guarded(&login, DENY, deny).await;
    inner(
        service
            .authorizations()
            .await
            .deny_authorization(request)
            .await,
    )
    .expect("declined");
    let lodged = lodge().await;
    let code = approved(&service, &login, &lodged).await;
    secrets.extend([declined, lodged, code.clone()]);
    for (by, with, expected) in [
        (&other, &verifier, Comes::G),
        (&shop, &pkce().0, Comes::G),
        (&shop, &verifier, Comes::Ok),
        (&shop, &verifier, Comes::G),
    ] {
        let answer = redeem(&service, &key, redeem_request(by, &code, with)).await;
        check("a code", &answer, expected);
        if let Ok(issued) = answer {
            secrets.extend([issued.access_token, issued.refresh_token]);
        }
    }

    // A refresh token: rotated; its answer lost; in other hands; reused.
    let first = signed_in(&service, &login, &shop, &key).await;
    for (by, expected) in [(&shop, Comes::Ok), (&shop, Comes::Ok), (&other, Comes::G)] {
        let answer = rotate(&service, by, &key, &first.refresh_token, &[]).await;
        check("a refresh token", &answer, expected);
        if let Ok(issued) = answer {
            secrets.extend([issued.access_token, issued.refresh_token]);
        }
    }
    service.clock.advance(Duration::from_secs(60));
    let reused = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    check("reuse", &reused, Comes::G);
    secrets.extend([first.access_token, first.refresh_token]);

    // Given up: a family, and an access token alone.
    let second = signed_in(&service, &login, &shop, &key).await;
    let family = Target::FamilyId(second.family_id.clone());
    revoke(&service, &shop, family, "").await.expect("revoked");
    secrets.extend([second.access_token, second.refresh_token]);
    let third = service.issue(&login, &key).await.expect("issued");
    let token = Target::Token(third.access_token.clone());
    revoke(&service, &login, token, "").await.expect("revoked");
    secrets.push(third.access_token);

    // Refused: a wrong secret, a proof twice, what a client is not registered for.
    let wrong = Client {
        secret: Some("x".repeat(43)),
        ..shop.clone()
    };
    for _ in 0..3 {
        check("wrong secret", &service.issue(&wrong, &key).await, Comes::C);
    }
    let proof = service.proof(&key, ISSUE);
    secrets.push(proof.clone());
    for _ in 0..2 {
        let request = with_proof(credentials(&login), &proof);
        let _ = service.tokens().await.issue_token(request).await;
    }
    let answer = service.issue(&shop, &key).await;
    check("no such grant", &answer, Comes::NotAllowed);
    inner(
        clients
            .delete_client(admin::DeleteClientRequest {
                client_id: "other".to_owned(),
                etag: String::new(),
            })
            .await,
    )
    .expect("removed");
    let mut resources = service.resources().await;
    let orders = admin::Resource {
        uri: ORDERS.to_owned(),
        display_name: "Orders".to_owned(),
        ..admin::Resource::default()
    };
    let update = admin::UpdateResourceRequest {
        resource: Some(orders),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["display_name".to_owned()],
        }),
    };
    inner(resources.update_resource(update).await).expect("changed");
    let delete = admin::DeleteResourceRequest {
        uri: ORDERS.to_owned(),
        etag: String::new(),
    };
    inner(resources.delete_resource(delete).await).expect("removed");

    written(&mut service).await;
    let found = all(&service).await;
    use Outcome::{Done, Refused};
    let op = operator.as_str();
    let mut expected = vec![
        ("KEY_CREATED", "", "service", Outcome::Unspecified, ""),
        ("KEY_CREATED", "", "service", Outcome::Unspecified, ""),
        ("RESOURCE_CREATED", "", "service", Done, ""),
        ("RESOURCE_CREATED", "", op, Done, ""),
        ("CLIENT_CREATED", "login", op, Done, ""),
        ("CLIENT_CREATED", "shop", op, Done, ""),
        ("CLIENT_CREATED", "other", op, Done, ""),
        ("CLIENT_UPDATED", "other", op, Done, "disabled"),
        ("CLIENT_UPDATED", "other", op, Done, "enabled"),
        ("CLIENT_SECRET_ROTATED", "other", op, Done, ""),
        (
            "AUTHORIZATION_DENIED",
            "shop",
            "login",
            Done,
            "access_denied",
        ),
        ("AUTHORIZATION_APPROVED", "shop", "ann", Done, ""),
        (
            "CODE_MISPRESENTED",
            "shop",
            "other",
            Refused,
            "grant_other_client",
        ),
        (
            "CODE_MISPRESENTED",
            "shop",
            "shop",
            Refused,
            "grant_verifier_wrong",
        ),
        ("CODE_REDEEMED", "shop", "shop", Done, ""),
        ("CODE_REUSED", "shop", "shop", Refused, ""),
        ("AUTHORIZATION_APPROVED", "shop", "ann", Done, ""),
        ("CODE_REDEEMED", "shop", "shop", Done, ""),
        ("REFRESH_ROTATED", "shop", "shop", Done, ""),
        (
            "REFRESH_MISPRESENTED",
            "shop",
            "other",
            Refused,
            "grant_other_client",
        ),
        ("REFRESH_REUSED", "shop", "shop", Refused, "grant_reused"),
        ("AUTHORIZATION_APPROVED", "shop", "ann", Done, ""),
        ("CODE_REDEEMED", "shop", "shop", Done, ""),
        ("FAMILY_REVOKED", "shop", "shop", Done, ""),
        ("TOKEN_REVOKED", "login", "login", Done, ""),
        ("CLIENT_DELETED", "other", op, Done, ""),
        ("RESOURCE_UPDATED", "", op, Done, ""),
        ("RESOURCE_DELETED", "", op, Done, ""),
    ];
    let counted = [
        (
            "AUTHENTICATION_REFUSED",
            "shop",
            "",
            Refused,
            "client_wrong_secret",
        ),
        (
            "AUTHENTICATION_REFUSED",
            "login",
            "",
            Refused,
            "proof_replayed",
        ),
        (
            "REQUEST_REFUSED",
            "shop",
            "shop",
            Refused,
            "grant_type_not_allowed",
        ),
    ];
    let (rows, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|event| ["AUTHENTICATION_REFUSED", "REQUEST_REFUSED"].contains(&&*event.event));
    let mut short_rows = short(&rows);
    short_rows.sort_unstable_by_key(|row| (row.0, std::cmp::Reverse(row.4.len())));
    let mut counted = counted.to_vec();
    counted.sort_unstable_by_key(|row| (row.0, std::cmp::Reverse(row.4.len())));
    assert_eq!(short_rows, counted);
    let wrong = rows.iter().find(|row| row.reason == "client_wrong_secret");
    assert_eq!(wrong.map(|row| row.count), Some(3));
    // Keys are another story, told by as many events as there are keys.
    expected.retain(|row| row.0 != "KEY_CREATED");
    let short_others: Vec<_> = short(&others)
        .into_iter()
        .filter(|row| !row.0.starts_with("KEY_"))
        .collect();
    assert_eq!(short_others, expected);

    let rotated = others
        .iter()
        .find(|event| event.event == "REFRESH_ROTATED")
        .expect("one");
    assert_eq!(rotated.scopes, ["orders.read", "orders.write"]);
    assert_eq!(rotated.resources, [ORDERS]);
    assert_eq!(
        base64url::decode(&rotated.token_id).expect("a jti").len(),
        16
    );

    // Tokens that nothing else was written for: those of the login application, and the successor
    // that was asked for again.
    let issued = events(&service, AuditLog::Issuance, admin::EventFilter::default()).await;
    assert!(issued.iter().all(|event| event.event == "TOKEN_ISSUED"));
    let by_login = issued.iter().filter(|event| event.client_id == "login");
    // Four calls of the login application to decide, one of its own, one whose proof came again.
    assert_eq!(by_login.count(), 6);
    let again: Vec<_> = issued
        .iter()
        .filter(|event| event.client_id == "shop")
        .collect();
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].reason.as_str(), &again[0].object),
        ("answer_lost", &rotated.object)
    );

    // Neither as they are, nor as the bytes they stand for.
    let raw = raw(&service).await;
    assert!(raw.len() > 2_000, "{}", raw.len());
    for secret in &secrets {
        for part in secret.split(['.', ':']).filter(|part| part.len() >= 20) {
            // Of a handle, what its prefix stands before.
            let handle = part.starts_with("cs") && part.get(3..4) == Some("_");
            let bytes = base64url::decode(if handle { &part[4..] } else { part });
            for mark in [Some(part.as_bytes().to_vec()), bytes.ok()]
                .into_iter()
                .flatten()
            {
                let found = raw.windows(mark.len()).any(|window| window == mark);
                assert!(
                    !found,
                    "a secret of {} characters is in a log",
                    secret.len()
                );
            }
        }
    }
}
