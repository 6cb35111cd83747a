//! Refresh tokens that are bound to a certificate (RFC 8705 §4): a public client's, over both edges.

use countersign::admin::v1 as admin;
use countersign::admin::v1::AuthenticationMethod;
use countersign::authorization::v1 as authorization;
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::token::v1 as token;
use countersign::token::v1::token_service_client::TokenServiceClient;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::certificates::{Identity, client};
use super::stand::{Answered, ISSUER, MTLS, Stand};
use crate::flow::{add_login, pkce, push_request, redeem_request};
use crate::harness::{
    APPROVE, Client, ISSUE, PUSH, ROTATE, credentials, inner, person_client, strings, with_proof,
};
use crate::http::web::TOKEN;
use crate::proof::{Draft, Key};

/// A public client whose tokens are bound to the certificate that each instance makes for itself.
async fn app(stand: &Stand) -> Client {
    let app = admin::Client {
        tls_client_certificate_bound_access_tokens: true,
        ..person_client("app", AuthenticationMethod::None)
    };
    stand.service.add(app).await
}

/// Where a request goes, over which connection, and with which key.
#[derive(Copy, Clone)]
struct Way<'a> {
    port: u16,
    identity: Option<&'a Identity>,
    key: &'a Key,
}

impl Stand {
    fn proof_of(&self, way: &Way<'_>, path: &str) -> String {
        let base = if way.port == self.mutual() {
            MTLS
        } else {
            ISSUER
        };
        way.key
            .mint(&format!("{base}{path}"), self.service.now(), None)
    }

    /// The login application's approval of what `app` has pushed there: a code.
    async fn approved(&self, login: &Client, request_uri: &str) -> String {
        let channel = self.channel(self.ordinary(), None).await;
        let key = Key::new();
        let request = token::IssueTokenRequest {
            resources: vec![ISSUER.to_owned()],
            ..credentials(login)
        };
        let proof = key.mint(&format!("{ISSUER}{ISSUE}"), self.service.now(), None);
        let mut tokens = TokenServiceClient::new(channel.clone());
        let issued = inner(tokens.issue_token(with_proof(request, &proof)).await);
        let token = issued.expect("issued").access_token;
        let approve = authorization::ApproveAuthorizationRequest {
            request_uri: request_uri.to_owned(),
            subject: "ann".to_owned(),
            ..authorization::ApproveAuthorizationRequest::default()
        };
        let proof = Draft::new(&key, &format!("{ISSUER}{APPROVE}"), self.service.now())
            .ath(&token)
            .sign(&key);
        let mut request: Request<_> = with_proof(approve, &proof);
        let value = format!("DPoP {token}").parse().expect("ASCII");
        request.metadata_mut().insert("authorization", value);
        let mut desk = AuthorizationServiceClient::new(channel);
        let approved = inner(desk.approve_authorization(request).await);
        let redirect = approved.expect("approved").redirect_to;
        let redirect = url::Url::parse(&redirect).expect("a URL");
        let code = redirect.query_pairs().find(|(name, _)| name == "code");
        code.expect("a code").1.into_owned()
    }

    /// What a person's approval leads to over that way.
    async fn signed_in(
        &self,
        login: &Client,
        app: &Client,
        way: &Way<'_>,
    ) -> Result<token::IssueTokenResponse, Status> {
        let (verifier, challenge) = pkce();
        let channel = self.channel(way.port, way.identity).await;
        let mut desk = AuthorizationServiceClient::new(channel.clone());
        let request = with_proof(push_request(app, &challenge), &self.proof_of(way, PUSH));
        let lodged = inner(desk.push_authorization(request).await)?;
        let code = self.approved(login, &lodged.request_uri).await;
        let request = redeem_request(app, &code, &verifier);
        let request = with_proof(request, &self.proof_of(way, ISSUE));
        inner(TokenServiceClient::new(channel).issue_token(request).await)
    }

    async fn rotated(
        &self,
        app: &Client,
        way: &Way<'_>,
        refresh_token: &str,
    ) -> Result<token::RotateTokenResponse, Status> {
        let request = token::RotateTokenRequest {
            client: app.authentication(),
            refresh_token: refresh_token.to_owned(),
            scopes: strings(&[]),
            ..token::RotateTokenRequest::default()
        };
        let request = with_proof(request, &self.proof_of(way, ROTATE));
        let channel: Channel = self.channel(way.port, way.identity).await;
        inner(TokenServiceClient::new(channel).rotate_token(request).await)
    }

    async fn rotated_over_http(&self, way: &Way<'_>, refresh_token: &str) -> Answered {
        let proof = self.proof_of(way, TOKEN);
        let parameters = [
            ("grant_type", "refresh_token"),
            ("client_id", "app"),
            ("refresh_token", refresh_token),
        ];
        let config = self.config(way.identity);
        let headers = [("dpop", proof.as_str())];
        self.post(way.port, config, TOKEN, &headers, &parameters)
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_of_a_public_client_is_refused_over_another_certificate_or_none() {
    let mut stand = Stand::start().await;
    let login = add_login(&stand.service).await;
    let app = app(&stand).await;
    let (own, other) = (
        Identity::by_itself(&client()),
        Identity::by_itself(&client()),
    );
    let key = Key::new();
    let way = Way {
        port: stand.mutual(),
        identity: Some(&own),
        key: &key,
    };
    // Without a certificate there is nothing to bind to.
    let bare = Way {
        identity: None,
        ..way
    };
    let refused = stand.signed_in(&login, &app, &bare).await;
    assert_eq!(refused.expect_err("nothing").code(), Code::PermissionDenied);

    let issued = stand.signed_in(&login, &app, &way).await.expect("issued");
    let mut newest = issued.refresh_token;
    // Also after a restart: it is on the disk.
    for round in 0..2 {
        let stolen = Key::new();
        let ports = (stand.mutual(), stand.ordinary());
        let way = |port, identity, key| Way {
            port,
            identity,
            key,
        };
        for (what, way) in [
            ("another certificate", way(ports.0, Some(&other), &key)),
            ("no certificate", way(ports.0, None, &key)),
            (
                "the listener that does not ask",
                way(ports.1, Some(&own), &key),
            ),
            ("another key", way(ports.0, Some(&own), &stolen)),
        ] {
            let what = format!("refresh token of a public client: {what}, round {round}");
            let refused = stand.rotated(&app, &way, &newest).await;
            let refused = refused.expect_err(&what);
            let code = refused.code();
            assert_eq!(code, Code::FailedPrecondition, "{what}: {refused}");
            let refused = stand.rotated_over_http(&way, &newest).await;
            assert_eq!(refused.status, 400, "{what}: {refused:?}");
            assert_eq!(refused.json["error"], "invalid_grant", "{what}");
        }
        // Nothing was consumed.
        let way = way(ports.0, Some(&own), &key);
        let rotated = stand.rotated(&app, &way, &newest).await.expect("rotated");
        let rotated = stand.rotated_over_http(&way, &rotated.refresh_token).await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let next = rotated.json["refresh_token"].as_str();
        newest = next.expect("a refresh token").to_owned();
        stand.service.restart().await;
        stand.service.clock.advance(crate::harness::WARM);
    }
}
