//! Attacks on the presentation of proofs, at the token service.

use countersign::introspection::v1::IntrospectTokenRequest;
use countersign::token::v1::IssueTokenRequest;
use tonic::{Request, Status};

use crate::comes::{Comes, check, nonce_of};
use crate::harness::{
    Client, INTROSPECT, ISSUE, ORDERS, Service, credentials, inner, service_client, with_proof,
};
use crate::proof::Key;

async fn service() -> (Service, Client) {
    let service = Service::start().await;
    let client = registered(&service).await;
    (service, client)
}

async fn registered(service: &Service) -> Client {
    service.add_orders().await;
    service
        .add(service_client("batch", &[(ORDERS, &["orders.read"])]))
        .await
}

async fn send(service: &Service, request: Request<IssueTokenRequest>) -> Result<(), Status> {
    inner(service.tokens().await.issue_token(request).await).map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_proof_is_no_proof() {
    let (service, client) = service().await;
    let proof = service.proof(&Key::new(), ISSUE);
    let mut request = Request::new(credentials(&client));
    let value = tonic::metadata::MetadataValue::from_bytes(proof.as_bytes());
    request.metadata_mut().insert_bin("dpop-bin", value.clone());
    check("only dpop-bin", &send(&service, request).await, Comes::P);

    let mut request = with_proof(credentials(&client), &proof);
    request.metadata_mut().insert_bin("dpop-bin", value);
    check(
        "dpop and dpop-bin",
        &send(&service, request).await,
        Comes::P,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_of_the_token_service_is_good_for_its_guarded_methods_too() {
    let service = Service::start_cold(|_| {}).await;
    let issuer = service.issuer().to_owned();
    let reader = service
        .add(service_client("reader", &[(&issuer, &["introspect"])]))
        .await;
    let key = Key::new();
    let challenged = service.issue(&reader, &key).await;
    check("a cold start", &challenged, Comes::N);
    let nonce = nonce_of(&challenged.expect_err("challenged"));
    let with_nonce = |draft: crate::proof::Draft| draft.claim("nonce", nonce.clone());

    let proof = with_nonce(service.draft(&key, ISSUE)).sign(&key);
    let issued = inner(
        service
            .tokens()
            .await
            .issue_token(with_proof(credentials(&reader), &proof))
            .await,
    )
    .expect("issued");
    let ask = |proof: &str| {
        let message = IntrospectTokenRequest {
            token: "x".to_owned(),
            token_type_hint: String::new(),
        };
        let mut request = with_proof(message, proof);
        let token = format!("DPoP {}", issued.access_token);
        let token = token.parse().expect("ASCII");
        request.metadata_mut().insert("authorization", token);
        request
    };
    let mut introspections = service.introspections().await;
    let bare = service
        .draft(&key, INTROSPECT)
        .ath(&issued.access_token)
        .sign(&key);
    let answer = introspections.introspect_token(ask(&bare)).await;
    check("without it", &answer, Comes::N);
    let fresh = with_nonce(service.draft(&key, INTROSPECT))
        .ath(&issued.access_token)
        .sign(&key);
    let answer = introspections.introspect_token(ask(&fresh)).await;
    check("with it", &answer, Comes::Ok);
}
