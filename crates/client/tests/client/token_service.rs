//! Calling the token service by hand.

use countersign::error::v1::Reason;
use countersign::token::v1::ClientAuthentication;
use countersign::token::v1::client_authentication::Credential as Shown;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::revoke_token_request::Target;
use countersign_client::{AssertionKey, Code, ConnectError, Credential, Secret, TokenError};
use countersign_jose::{Algorithms, CompactJws, SigningKey};
use serde_json::Value;

use crate::stand::{Stand, Step};

fn shown(stand: &Stand) -> Vec<ClientAuthentication> {
    let issued = stand.tokens.issue.lock();
    issued
        .iter()
        .map(|asked| asked.client.clone().unwrap())
        .collect()
}

#[tokio::test]
async fn a_challenge_of_its_own_nonce() {
    let stand = Stand::start().await;
    let service = stand.countersign.token_service();
    stand
        .tokens
        .script
        .then([Step::Refuse(Reason::DpopNonceRequired, Some("t1"))]);
    service.issue(&[], &[]).await.unwrap();
    service.issue(&[], &[]).await.unwrap();
    let sent = stand.tokens.script.sent.lock().clone();
    let nonces: Vec<_> = sent
        .iter()
        .map(|sent| sent.proof["nonce"].as_str())
        .collect();
    assert_eq!(nonces, [None, Some("t1"), Some("t1")]);
    stand.create().await.unwrap();
    assert_eq!(stand.orders.last().proof.get("nonce"), None);
}

#[tokio::test]
async fn a_secret() {
    let stand = Stand::start().await;
    stand
        .countersign
        .token_service()
        .issue(&[], &[])
        .await
        .unwrap();
    let client = shown(&stand).remove(0);
    assert_eq!(client.client_id, "checkout");
    assert!(matches!(client.credential, Some(Shown::ClientSecret(secret)) if secret == "s3cret"));
}

#[tokio::test]
async fn nothing() {
    let stand = Stand::of(Credential::Public).await;
    stand
        .countersign
        .token_service()
        .issue(&[], &[])
        .await
        .unwrap();
    assert_eq!(shown(&stand).remove(0).credential, None);
}

#[tokio::test]
async fn an_assertion_for_each_request() {
    let key = SigningKey::generate_es256([3; 32]).unwrap();
    let public = key.public().clone();
    let credential = Credential::PrivateKeyJwt(AssertionKey::new(key).kid("c1"));
    let stand = Stand::of(credential).await;
    let service = stand.countersign.token_service();
    service.issue(&[], &[]).await.unwrap();
    service.issue(&[], &[]).await.unwrap();
    let claims: Vec<Value> = shown(&stand)
        .into_iter()
        .map(|client| {
            let Some(Shown::ClientAssertion(assertion)) = client.credential else {
                panic!("an assertion was expected");
            };
            let jws = CompactJws::parse(&assertion, 4096).unwrap();
            jws.verify(&public, Algorithms::DEFAULT).unwrap();
            assert_eq!(jws.header().kid.as_deref(), Some("c1"));
            assert_eq!(
                jws.header().typ.as_deref(),
                Some("client-authentication+jwt")
            );
            serde_json::from_slice(jws.payload()).unwrap()
        })
        .collect();
    for claims in &claims {
        assert_eq!(claims["iss"], "checkout");
        assert_eq!(claims["sub"], "checkout");
        assert_eq!(claims["aud"], "https://tokens.test");
        let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(life, 60);
    }
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
}

#[tokio::test]
async fn redeem_and_revoke() {
    let stand = Stand::start().await;
    let service = stand.countersign.token_service();
    let code = Code {
        code: "csc_x".into(),
        redirect_uri: "https://app.test/back".to_owned(),
        verifier: "v".repeat(43).into(),
    };
    assert!(!format!("{code:?}").contains("csc_x"));
    service.redeem(&code, &[], &[]).await.unwrap();
    let asked = stand.tokens.issue.lock()[0].grant.clone();
    let Some(Grant::AuthorizationCode(sent)) = asked else {
        panic!("a code was expected");
    };
    assert_eq!(
        (sent.code.as_str(), sent.redirect_uri.as_str()),
        ("csc_x", "https://app.test/back")
    );

    service.revoke(&"csr_x".into()).await.unwrap();
    service.revoke_family("family").await.unwrap();
    let targets: Vec<_> = stand
        .tokens
        .revoke
        .lock()
        .iter()
        .map(|r| r.target.clone().unwrap())
        .collect();
    assert!(matches!(&targets[0], Target::Token(token) if token == "csr_x"));
    assert!(matches!(&targets[1], Target::FamilyId(family) if family == "family"));

    stand.tokens.script.then([Step::Fail(Reason::GrantInvalid)]);
    let refused = service.redeem(&code, &[], &[]).await.unwrap_err();
    assert!(matches!(refused, TokenError::Refused(why, _) if why.reason == Reason::GrantInvalid));
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_what_would_be_right() {
    let stand = Stand::start().await;
    let builder = |url: &str| countersign_client::Builder::new(url);
    let check = async |builder: countersign_client::Builder, says: &str| {
        let error = builder.connect().await.err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    };
    check(builder("https://tokens.test"), "client(").await;
    let public = |url: &str| builder(url).client("c", Credential::Public);
    check(public("tokens.test:7443"), "https://orders.internal:8443").await;
    check(public("http://tokens.test"), "allow_plaintext()").await;
    check(
        public("https://tokens.test").trust_ca("not PEM"),
        "certificate",
    )
    .await;
    check(
        public("http://127.0.0.1:1").origin("https://t.test#f"),
        "is not an origin",
    )
    .await;
    public("http://tokens.test")
        .allow_plaintext()
        .connect()
        .await
        .unwrap();
    let plaintext = stand
        .countersign
        .channel("http://orders.test")
        .connect()
        .await;
    assert!(matches!(plaintext, Err(ConnectError::Plaintext { .. })));
}

#[tokio::test]
async fn authorization_details_are_asked_for_and_told() {
    let stand = Stand::start().await;
    let plain = stand.countersign.token_service();
    let details = r#"[{"type":"account","identifier":"acc-17"}]"#;
    let service = plain.clone().with_details(details);
    let code = Code {
        code: Secret::from("code"),
        redirect_uri: "http://127.0.0.1/back".to_owned(),
        verifier: Secret::from("verifier"),
    };
    let refresh_token = Secret::from("refresh");
    let told = [
        service.issue(&[], &[]).await.unwrap(),
        service.redeem(&code, &[], &[]).await.unwrap(),
        service.rotate(&refresh_token, &[], &[]).await.unwrap(),
    ];
    for issued in told {
        assert_eq!(issued.authorization_details.as_deref(), Some(details));
    }
    let issued = plain.issue(&[], &[]).await.unwrap();
    assert_eq!(issued.authorization_details, None);
}
