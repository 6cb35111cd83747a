//! What is told of tokens, and what is not.

use std::time::Duration;

use countersign::admin::v1::{self as admin};
use countersign::authorization::v1::ApproveAuthorizationRequest;

use super::{Asker, By, Edge, Wish, code_of, refresh_of};
use crate::comes::Comes;
use crate::flow::{pkce, shop};
use crate::harness::{APPROVE, ORDERS, inner};
use crate::introspection::gateway;
use crate::proof::Key;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_active_is_the_same_bytes() {
    for (edge, inactive) in [
        (Edge::Grpc, &b""[..]),
        (Edge::Http, &br#"{"active":false}"#[..]),
    ] {
        let (service, login, shop) = shop().await;
        let elsewhere = "https://billing.example.com";
        inner(
            service
                .resources()
                .await
                .create_resource(admin::CreateResourceRequest {
                    resource: Some(admin::Resource {
                        uri: elsewhere.to_owned(),
                        ..admin::Resource::default()
                    }),
                })
                .await,
        )
        .expect("registered");
        let serves = gateway(&service, "gateway", &[ORDERS]).await;
        let serves_another = gateway(&service, "billing", &[elsewhere]).await;
        let serves_none = gateway(&service, "nobody", &[]).await;
        let asker = Asker::of(&service, edge).await;
        let key = Key::new();
        let issued = asker.signed_in(&login, &shop, &key).await;
        let access = issued.access_token.as_str();
        let told = asker.told(&serves, access, "").await;
        assert_eq!(told.says["active"], true, "{edge:?}");
        let (signed, _) = access.rsplit_once('.').expect("three segments");
        let forged = format!("{signed}.{}", "A".repeat(86));
        let dead = asker.signed_in(&login, &shop, &key).await;
        let revoke = Wish::Revoke {
            token: &dead.access_token,
            hint: "",
        };
        let revoked = asker.ask(By::Client(&shop), revoke, &key).await;
        revoked.check("revoked", Comes::Ok);

        for (what, caller, token) in [
            ("unknown", &serves, "x"),
            ("garbage", &serves, "garbage"),
            ("a forged token", &serves, forged.as_str()),
            ("a revoked token", &serves, dead.access_token.as_str()),
            ("a caller outside the audience", &serves_another, access),
            ("a caller that serves nothing", &serves_none, access),
            (
                "a refresh token shown by a resource server",
                &serves,
                issued.refresh_token.as_str(),
            ),
            ("a code", &serves, "csc_AAAA"),
        ] {
            for hint in ["", "access_token", "refresh_token", "nonsense"] {
                let told = asker.told(caller, token, hint).await;
                assert_eq!(told.bytes, inactive, "{what}, {hint:?}, {edge:?}");
            }
        }
        service.clock.advance(Duration::from_secs(301));
        let told = asker.told(&serves, access, "").await;
        assert_eq!(told.bytes, inactive, "expired, {edge:?}");
    }
}

/// RFC 7662 §2.2, RFC 9470 §6.2: who proved themselves, when and how, is told by both protocols,
/// whatever hint is given, and in the same words.
#[tokio::test(flavor = "multi_thread")]
async fn both_protocols_tell_the_same_of_a_token() {
    let (service, login, shop) = shop().await;
    let serves = gateway(&service, "gateway", &[ORDERS]).await;
    let key = Key::new();
    let [grpc, http] = [
        Asker::of(&service, Edge::Grpc).await,
        Asker::of(&service, Edge::Http).await,
    ];
    let logged_in = service.now().minus(Duration::from_secs(40));
    let (verifier, challenge) = pkce();
    let lodged = http
        .send(By::Client(&shop), Wish::Push(&challenge), &[])
        .await
        .given();
    let approve = ApproveAuthorizationRequest {
        request_uri: lodged.request_uri,
        subject: "ann".to_owned(),
        auth_time: Some(prost_types::Timestamp {
            seconds: i64::try_from(logged_in.as_secs()).expect("not that late"),
            nanos: 0,
        }),
        acr: "urn:example:hardware".to_owned(),
        ..ApproveAuthorizationRequest::default()
    };
    let request = service.guarded(&login, APPROVE, approve).await;
    let approved = service.authorizations().await;
    let approved = inner({ approved }.approve_authorization(request).await).expect("approved");
    let url = url::Url::parse(&approved.redirect_to).expect("a URL");
    let code = url.query_pairs().find(|(name, _)| name == "code");
    let (_, code) = code.expect("a code");
    let first = http
        .ask(By::Client(&shop), code_of(&code, &verifier), &key)
        .await
        .given();
    let next = grpc
        .ask(By::Client(&shop), refresh_of(&first.refresh_token), &key)
        .await
        .given();
    for (what, token) in [("issued", &first), ("rotated", &next)] {
        for hint in ["", "access_token", "refresh_token", "nonsense"] {
            let told = http.told(&serves, &token.access_token, hint).await.says;
            let same = grpc.told(&serves, &token.access_token, hint).await.says;
            assert_eq!(told, same, "{what}, {hint:?}");
            for (member, expected) in [
                ("active", true.into()),
                ("iss", service.issuer().into()),
                ("sub", "ann".into()),
                ("aud", serde_json::json!([ORDERS])),
                ("client_id", "shop".into()),
                ("scope", "orders.read orders.write".into()),
                ("token_type", "DPoP".into()),
                ("iat", service.now().as_secs().into()),
                ("exp", (service.now().as_secs() + 300).into()),
                ("auth_time", logged_in.as_secs().into()),
                ("acr", "urn:example:hardware".into()),
                ("cnf", serde_json::json!({"jkt": key.jkt().to_string()})),
            ] {
                assert_eq!(told[member], expected, "{what}, {hint:?}, {member}");
            }
            assert!(told["jti"].is_string(), "{what}, {hint:?}");
        }
    }
    // Nobody said when and how: nothing is told of it.
    let plain = http.signed_in(&login, &shop, &key).await;
    for asker in [&grpc, &http] {
        let told = asker.told(&serves, &plain.access_token, "").await.says;
        assert_eq!(
            (told.get("acr"), told["active"].as_bool()),
            (None, Some(true))
        );
    }
}
