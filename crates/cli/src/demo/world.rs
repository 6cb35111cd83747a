//! The calls of the demonstration: each with a proof by somebody's key.

use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, ApproveAuthorizationResponse, GetAuthorizationRequest,
    GetAuthorizationResponse, PushAuthorizationRequest, PushAuthorizationResponse,
};
use countersign::example::v1::order_service_client::OrderServiceClient;
use countersign::introspection::v1::introspection_service_client::IntrospectionServiceClient;
use countersign::introspection::v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use countersign::token::v1::issue_token_request::Grant;
use countersign::token::v1::token_service_client::TokenServiceClient;
use countersign::token::v1::{
    ClientCredentials, IssueTokenRequest, IssueTokenResponse, RotateTokenRequest,
    RotateTokenResponse,
};
use countersign_dpop::Target;
use tonic::Status;
use tonic::transport::Channel;

use super::agent::Agent;
use super::platform::Platform;
use crate::dial;
use crate::exit::Failure;
use crate::proven::{self, Prover};

/// What a call brings: a failure of ours, or what the service answered.
pub(crate) type Answered<A> = Result<Result<A, Status>, Failure>;

/// The services, as they are seen from outside.
pub(crate) struct World {
    token_url: String,
    issuer: String,
    orders_url: String,
    token_channel: Channel,
    orders_channel: Channel,
}

impl World {
    /// Connects to both services.
    pub(crate) async fn enter(platform: &Platform) -> Result<Self, Failure> {
        let token_url = platform.token_service().to_owned();
        let orders_url = platform.order_service().to_owned();
        Ok(Self {
            token_channel: dial::server(&token_url, None, None).await?,
            orders_channel: dial::server(&orders_url, None, None).await?,
            issuer: platform.issuer().to_owned(),
            token_url,
            orders_url,
        })
    }

    /// The URL of the token service.
    pub(crate) fn token_service(&self) -> &str {
        &self.token_url
    }

    /// The URI of Countersign's own interface.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URI of the order service.
    pub(crate) fn order_service(&self) -> &str {
        &self.orders_url
    }

    /// A stub of the order service without anything attached.
    pub(crate) fn orders(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.orders_channel.clone())
    }

    /// What a proof for this method of the order service names.
    pub(crate) fn order_target(&self, method: &str) -> Result<Target, Failure> {
        let path = format!("/countersign.example.v1.OrderService/{method}");
        proven::target(&self.orders_url, &path)
    }

    fn token_target(&self, path: &str) -> Result<Target, Failure> {
        proven::target(&self.token_url, path)
    }

    /// Asks for a token in the client's own name.
    pub(crate) async fn issue_own(
        &self,
        agent: &Agent,
        scope: &str,
        resource: &str,
    ) -> Answered<IssueTokenResponse> {
        let grant = Grant::ClientCredentials(ClientCredentials {});
        self.issue(agent, grant, &[scope], &[resource]).await
    }

    /// Asks for a token.
    pub(crate) async fn issue(
        &self,
        agent: &Agent,
        grant: Grant,
        scopes: &[&str],
        resources: &[&str],
    ) -> Answered<IssueTokenResponse> {
        let target = self.token_target("/countersign.token.v1.TokenService/IssueToken")?;
        let request = IssueTokenRequest {
            client: Some(agent.authentication()),
            grant: Some(grant),
            scopes: owned(scopes),
            resources: owned(resources),
            authorization_details: String::new(),
        };
        let service = TokenServiceClient::new(self.token_channel.clone());
        agent
            .prover()
            .call(&target, None, &request, async |request| {
                service.clone().issue_token(request).await
            })
            .await
    }

    /// Presents a refresh token, with a proof by `prover`.
    pub(crate) async fn rotate(
        &self,
        agent: &Agent,
        prover: &Prover,
        refresh_token: &str,
    ) -> Answered<RotateTokenResponse> {
        let target = self.token_target("/countersign.token.v1.TokenService/RotateToken")?;
        let request = RotateTokenRequest {
            client: Some(agent.authentication()),
            refresh_token: refresh_token.to_owned(),
            scopes: Vec::new(),
            resources: Vec::new(),
            authorization_details: String::new(),
        };
        let service = TokenServiceClient::new(self.token_channel.clone());
        prover
            .call(&target, None, &request, async |request| {
                service.clone().rotate_token(request).await
            })
            .await
    }

    /// Asks what a token is worth; `own` is the asker's token.
    pub(crate) async fn introspect(
        &self,
        agent: &Agent,
        own: &str,
        token: &str,
    ) -> Answered<IntrospectTokenResponse> {
        let target = self
            .token_target("/countersign.introspection.v1.IntrospectionService/IntrospectToken")?;
        let request = IntrospectTokenRequest {
            token: token.to_owned(),
            token_type_hint: String::new(),
        };
        let service = IntrospectionServiceClient::new(self.token_channel.clone());
        agent
            .prover()
            .call(&target, Some(own), &request, async |request| {
                service.clone().introspect_token(request).await
            })
            .await
    }

    /// Lodges an authorization request.
    pub(crate) async fn push(
        &self,
        agent: &Agent,
        request: &PushAuthorizationRequest,
    ) -> Answered<PushAuthorizationResponse> {
        let target = self
            .token_target("/countersign.authorization.v1.AuthorizationService/PushAuthorization")?;
        let service = AuthorizationServiceClient::new(self.token_channel.clone());
        agent
            .prover()
            .call(&target, None, request, async |request| {
                service.clone().push_authorization(request).await
            })
            .await
    }

    /// Asks, as the login application, what there is to approve.
    pub(crate) async fn authorization(
        &self,
        login: &Agent,
        own: &str,
        request_uri: &str,
    ) -> Answered<GetAuthorizationResponse> {
        let target = self
            .token_target("/countersign.authorization.v1.AuthorizationService/GetAuthorization")?;
        let request = GetAuthorizationRequest {
            request_uri: request_uri.to_owned(),
        };
        let service = AuthorizationServiceClient::new(self.token_channel.clone());
        login
            .prover()
            .call(&target, Some(own), &request, async |request| {
                service.clone().get_authorization(request).await
            })
            .await
    }

    /// Says, as the login application, that a person approved.
    pub(crate) async fn approve(
        &self,
        login: &Agent,
        own: &str,
        request_uri: &str,
        subject: &str,
    ) -> Answered<ApproveAuthorizationResponse> {
        let target = self.token_target(
            "/countersign.authorization.v1.AuthorizationService/ApproveAuthorization",
        )?;
        let request = ApproveAuthorizationRequest {
            request_uri: request_uri.to_owned(),
            subject: subject.to_owned(),
            scopes: Vec::new(),
            auth_time: None,
            acr: "password".to_owned(),
            authorization_details: String::new(),
        };
        let service = AuthorizationServiceClient::new(self.token_channel.clone());
        login
            .prover()
            .call(&target, Some(own), &request, async |request| {
                service.clone().approve_authorization(request).await
            })
            .await
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
