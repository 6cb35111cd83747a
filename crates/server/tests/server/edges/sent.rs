//! How a wish is sent, by either protocol.

use countersign::authorization::v1 as authorization;
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::token::v1 as token;
use countersign::token::v1::client_authentication::Credential;
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::revoke_token_request::Target;
use countersign::token::v1::token_service_client::TokenServiceClient;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};

use super::reply::Given;
use super::{Asker, By, Wish};
use crate::harness::{CALLBACK, Client, ORDERS, inner, strings};
use crate::http::web::{Answer, Ask};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Asker<'_> {
    pub(super) async fn by_grpc(
        &self,
        by: By<'_>,
        wish: Wish<'_>,
        proofs: &[&str],
    ) -> Result<Given, Status> {
        let client = Some(match by {
            By::Client(client) => client.authentication().expect("a client"),
            By::Assertion(id, assertion) => token::ClientAuthentication {
                client_id: id.to_owned(),
                credential: Some(Credential::ClientAssertion(assertion.to_owned())),
            },
        });
        let mut tokens = TokenServiceClient::new(self.channel.clone());
        let (grant, scopes) = match wish {
            Wish::Own(scopes) => (
                Grant::ClientCredentials(token::ClientCredentials {}),
                scopes,
            ),
            Wish::Code {
                code,
                verifier,
                redirect_uri,
                scopes,
            } => (
                Grant::AuthorizationCode(token::AuthorizationCode {
                    code: code.to_owned(),
                    redirect_uri: redirect_uri.to_owned(),
                    code_verifier: verifier.to_owned(),
                }),
                scopes,
            ),
            Wish::Device { code, scopes } => (
                Grant::DeviceCode(token::DeviceCode {
                    device_code: code.to_owned(),
                }),
                scopes,
            ),
            Wish::Refresh { token, scopes } => {
                let rotation = token::RotateTokenRequest {
                    client,
                    refresh_token: token.to_owned(),
                    scopes: strings(scopes),
                    ..token::RotateTokenRequest::default()
                };
                let rotated = tokens.rotate_token(proven(rotation, proofs)).await;
                return inner(rotated).map(|given| Given {
                    access_token: given.access_token,
                    refresh_token: given.refresh_token,
                    ..Given::default()
                });
            }
            Wish::Push(challenge) => {
                let push = authorization::PushAuthorizationRequest {
                    client,
                    ..crate::flow::push_request(&nobody(), challenge)
                };
                let lodged = AuthorizationServiceClient::new(self.channel.clone())
                    .push_authorization(proven(push, proofs))
                    .await;
                return inner(lodged).map(|lodged| Given {
                    request_uri: lodged.request_uri,
                    ..Given::default()
                });
            }
            Wish::Revoke { token, hint } => {
                let revoke = token::RevokeTokenRequest {
                    client,
                    target: Some(Target::Token(token.to_owned())),
                    token_type_hint: hint.to_owned(),
                };
                let revoked = tokens.revoke_token(proven(revoke, proofs)).await;
                return inner(revoked).map(|_| Given::default());
            }
        };
        let issue = token::IssueTokenRequest {
            client,
            grant: Some(grant),
            scopes: strings(scopes),
            ..token::IssueTokenRequest::default()
        };
        let issued = tokens.issue_token(proven(issue, proofs)).await;
        inner(issued).map(|given| Given {
            access_token: given.access_token,
            refresh_token: given.refresh_token,
            ..Given::default()
        })
    }

    pub(super) async fn by_http(&self, by: By<'_>, wish: Wish<'_>, proofs: &[&str]) -> Answer {
        let (mut parameters, scopes) = match wish {
            Wish::Own(scopes) => (vec![("grant_type", "client_credentials")], scopes),
            Wish::Code {
                code,
                verifier,
                redirect_uri,
                scopes,
            } => (
                vec![
                    ("grant_type", "authorization_code"),
                    ("code", code),
                    ("redirect_uri", redirect_uri),
                    ("code_verifier", verifier),
                ],
                scopes,
            ),
            Wish::Device { code, scopes } => (
                vec![("grant_type", DEVICE_CODE), ("device_code", code)],
                scopes,
            ),
            Wish::Refresh { token, scopes } => (
                vec![("grant_type", "refresh_token"), ("refresh_token", token)],
                scopes,
            ),
            Wish::Push(challenge) => (
                vec![
                    ("response_type", "code"),
                    ("redirect_uri", CALLBACK),
                    ("resource", ORDERS),
                    ("state", "s-1"),
                    ("code_challenge", challenge),
                    ("code_challenge_method", "S256"),
                ],
                &["orders.read", "orders.write"][..],
            ),
            Wish::Revoke { token, hint } => {
                (vec![("token", token), ("token_type_hint", hint)], &[][..])
            }
        };
        let scope = scopes.join(" ");
        parameters.push(("scope", &scope));
        let basic = match by {
            By::Client(client) if client.secret.is_some() => Some(client),
            By::Client(client) => {
                parameters.push(("client_id", &client.id));
                None
            }
            By::Assertion(id, assertion) => {
                parameters.push(("client_id", id));
                parameters.push(("client_assertion", assertion));
                parameters.push(("client_assertion_type", JWT_BEARER));
                None
            }
        };
        let mut ask = Ask::post(self.path(wish), &parameters);
        if let Some(client) = basic {
            ask = ask.basic(client);
        }
        for proof in proofs {
            ask = ask.header("dpop", *proof);
        }
        self.web.send(ask).await
    }
}

fn proven<T>(message: T, proofs: &[&str]) -> Request<T> {
    let mut request = Request::new(message);
    for proof in proofs {
        let value = MetadataValue::try_from(*proof).expect("ASCII");
        request.metadata_mut().append("dpop", value);
    }
    request
}

/// Takes the place of a client that is set afterwards.
fn nobody() -> Client {
    Client {
        id: String::new(),
        secret: None,
    }
}
