//! Attacks on grants that need more than one step to set up.

use countersign::admin::v1::AuthenticationMethod;
use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::token::v1 as token;
use countersign::token::v1::revoke_token_request::Target;
use prost_reflect::prost::Message as _;

use crate::comes::{Comes, check, nonce_of};
use crate::flow::with_login;
use crate::flow::{code, pkce, push_request, redeem, redeem_request, revoke, rotate, signed_in};
use crate::harness::{
    Client, INTROSPECT, ORDERS, ROTATE, Service, inner, person_client, service_client, strings,
    with_proof,
};
use crate::proof::Key;

async fn shop() -> (Service, Client, Client) {
    let (service, login) = with_login().await;
    let shop = service
        .add(person_client("shop", AuthenticationMethod::ClientSecret))
        .await;
    (service, login, shop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_for_the_key_that_the_request_named() {
    let (service, login, shop) = shop().await;
    let key = Key::new();
    let (verifier, challenge) = pkce();
    let mut request = push_request(&shop, &challenge);
    request.dpop_jkt = key.jkt().to_string();
    let code = code(&service, &login, request).await;
    for (what, by, expected) in [
        ("dpop_jkt of another key", &Key::new(), Comes::G),
        ("the key that was named", &key, Comes::Ok),
    ] {
        let answer = redeem(&service, by, redeem_request(&shop, &code, &verifier)).await;
        check(what, &answer, expected);
    }
}

/// The answer is lost with the process; the same token brings the same successor, and no other
/// branch lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_commit_and_answer_makes_no_second_branch() {
    let (mut service, login, shop) = shop().await;
    let key = Key::new();
    let first = signed_in(&service, &login, &shop, &key).await;
    let lost = rotate(&service, &shop, &key, &first.refresh_token, &[])
        .await
        .expect("committed");

    service.restart().await;
    let challenged = rotate(&service, &shop, &key, &first.refresh_token, &[]).await;
    check("a cold start", &challenged, Comes::N);
    let nonce = nonce_of(&challenged.expect_err("challenged"));
    let request = token::RotateTokenRequest {
        client: shop.authentication(),
        refresh_token: first.refresh_token.clone(),
        scopes: strings(&[]),
        resources: Vec::new(),
        authorization_details: String::new(),
    };
    let proof = key.mint(&service.htu(ROTATE), service.now(), Some(&nonce));
    let again = service
        .tokens()
        .await
        .rotate_token(with_proof(request, &proof))
        .await;
    let again = inner(again).expect("the answer that was lost");
    assert_eq!(again.refresh_token, lost.refresh_token);
}

/// The remaining rows are with introspection's other attacks.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_the_same_bytes_as_garbage() {
    let (service, login, shop) = shop().await;
    let issuer = service.issuer().to_owned();
    let mut gateway = service_client("gateway", &[(issuer.as_str(), &["introspect"])]);
    gateway.serves = strings(&[ORDERS]);
    let gateway = service.add(gateway).await;
    let issued = signed_in(&service, &login, &shop, &Key::new()).await;
    let show = async |token: &str| {
        let request = IntrospectTokenRequest {
            token: token.to_owned(),
            token_type_hint: String::new(),
        };
        let request = service.guarded(&gateway, INTROSPECT, request).await;
        let shown = service
            .introspections()
            .await
            .introspect_token(request)
            .await;
        inner(shown).expect("introspected")
    };
    assert!(show(&issued.access_token).await.active);
    let target = Target::Token(issued.access_token.clone());
    revoke(&service, &shop, target, "").await.expect("revoked");
    for (what, token) in [("revoked", issued.access_token.as_str()), ("unknown", "x")] {
        assert_eq!(show(token).await.encode_to_vec(), b"", "{what}");
    }
}
