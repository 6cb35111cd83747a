//! Access tokens that are bound to a certificate (RFC 8705 §3), as they are made and introspected.

use countersign::admin::v1 as admin;
use countersign_jose::base64url;
use serde_json::Value;

use super::certificates::{Identity, client};
use super::stand::{Stand, by_itself};
use crate::harness::{Client, ORDERS, service_client, strings};
use crate::http::web::{INTROSPECT, basic};

const BILLS: &str = "https://bills.example.com";

fn bound(client: admin::Client) -> admin::Client {
    admin::Client {
        tls_client_certificate_bound_access_tokens: true,
        permissions: [ORDERS, BILLS]
            .map(|resource| admin::Permission {
                resource: resource.to_owned(),
                scopes: strings(&["orders.read"]),
                ..admin::Permission::default()
            })
            .to_vec(),
        ..client
    }
}

impl Stand {
    /// Beside orders, bills: its tokens are references.
    async fn add_bills(&self) {
        let resource = admin::Resource {
            uri: BILLS.to_owned(),
            scopes: strings(&["orders.read"]),
            access_token_format: admin::AccessTokenFormat::Reference.into(),
            ..admin::Resource::default()
        };
        let request = admin::CreateResourceRequest {
            resource: Some(resource),
        };
        let mut resources = self.service.resources().await;
        resources
            .create_resource(request)
            .await
            .expect("registered");
    }

    /// What HTTP says of a token to who serves both resources.
    async fn introspected(&self, gateway: &Client, token: &str) -> Value {
        let basic = basic(
            &gateway.id,
            gateway.secret.as_deref().expect("it has a secret"),
        );
        let headers = [("authorization", basic.as_str())];
        let form = [("token", token)];
        let config = self.config(None);
        let answered = self.post(self.ordinary(), config, INTROSPECT, &headers, &form);
        answered.await.json
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_which_certificate_it_is_bound_to_and_none_is_made_without() {
    let stand = Stand::start().await;
    stand.add_bills().await;
    let issuer = stand.service.issuer().to_owned();
    let gateway = admin::Client {
        serves: strings(&[ORDERS, BILLS]),
        ..service_client("gateway", &[(issuer.as_str(), &["introspect"])])
    };
    let gateway = stand.service.add(gateway).await;
    let own = Identity::by_itself(&client());
    let other = Identity::by_itself(&client());
    let pinned = bound(by_itself("pinned", &[&own]));
    let pinned = stand.service.add(pinned).await;
    // Another method, and the certificate only to be bound to: whoever has made it.
    let secret = bound(service_client("secret", &[]));
    let secret = stand.service.add(secret).await;
    let mutual = stand.mutual();

    for (client, identity) in [(&pinned, &own), (&secret, &own), (&secret, &other)] {
        for resource in [ORDERS, BILLS] {
            let what = format!("{} {resource}", client.id);
            let mut parameters = vec![("client_id", client.id.as_str()), ("resource", resource)];
            parameters.extend(client.secret.as_deref().map(|it| ("client_secret", it)));
            let http = stand.token(mutual, Some(identity), &[], &parameters).await;
            assert_eq!(http.status, 200, "{what}: {http:?}");
            let token = http.json["access_token"].as_str().expect("a token");
            let said = stand.introspected(&gateway, token).await;
            assert_eq!(said["active"], true, "{what}: {said}");
            assert_eq!(said["cnf"]["x5t#S256"], identity.thumbprint(), "{what}");
            assert!(said["cnf"]["jkt"].is_string(), "the proof key, too: {said}");
            if resource == ORDERS {
                let payload = token.split('.').nth(1).expect("a payload");
                let payload = base64url::decode(payload).expect("base64url");
                let payload: Value = serde_json::from_slice(&payload).expect("JSON");
                assert_eq!(payload["cnf"], said["cnf"], "{what}");
            }
            // Without a certificate there is none, at either listener.
            let bare = [(stand.ordinary(), None), (mutual, None)];
            for (port, identity) in bare.into_iter().filter(|_| client.secret.is_some()) {
                let http = stand.token(port, identity, &[], &parameters).await;
                assert_eq!(http.status, 400, "{what}: {http:?}");
                assert_eq!(http.json["error"], "unauthorized_client", "{what}");
            }
        }
    }
    // Over gRPC the same.
    let bare = Client {
        secret: None,
        ..pinned
    };
    let request = countersign::token::v1::IssueTokenRequest {
        resources: strings(&[ORDERS]),
        ..crate::harness::credentials(&bare)
    };
    let issued = stand.issue_as(mutual, Some(&own), request).await;
    let token = issued.expect("issued").access_token;
    let said = stand.introspected(&gateway, &token).await;
    assert_eq!(said["cnf"]["x5t#S256"], own.thumbprint(), "{said}");
    // Who is not registered so has tokens that are bound to the proof key alone.
    let plain = stand.pinned("plain", &[&own]).await;
    let issued = stand.issue(mutual, Some(&own), &plain).await;
    let said = stand
        .introspected(&gateway, &issued.expect("issued").access_token)
        .await;
    assert_eq!(said["cnf"].get("x5t#S256"), None, "{said}");
    assert!(said["cnf"]["jkt"].is_string(), "{said}");
}
