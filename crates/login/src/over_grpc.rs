//! The token service over gRPC, called as any guarded service is.

use async_trait::async_trait;
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, DenyAuthorizationRequest, GetAuthorizationRequest,
};
use countersign::error::v1::Reason;
use countersign_client::outcome::Refused;
use countersign_client::{ConnectError, Countersign, GuardedChannel};
use countersign_jose::UnixTime;
use tonic::Status;

use crate::token_service::{Approval, Asked, TokenService, Trouble};

/// The scope that the application's client needs.
const SCOPE: &str = "authorizations.decide";

/// The token service behind a channel.
pub struct OverGrpc(AuthorizationServiceClient<GuardedChannel>);

impl OverGrpc {
    /// Calls the service at `url` in the name of that client.
    ///
    /// # Errors
    /// The configuration is wrong.
    pub async fn connect(client: &Countersign, url: &str) -> Result<Self, ConnectError> {
        let channel = client.channel(url).scopes([SCOPE]).connect().await?;
        Ok(Self(AuthorizationServiceClient::new(channel)))
    }
}

#[async_trait]
impl TokenService for OverGrpc {
    async fn show(&self, handle: &str) -> Result<Asked, Trouble> {
        let request = GetAuthorizationRequest {
            request_uri: handle.to_owned(),
        };
        let answer = self.0.clone().get_authorization(request).await;
        let answer = answer.map_err(|status| trouble(&status))?.into_inner();
        let asked = answer.authorization.unwrap_or_default();
        Ok(Asked {
            client_id: asked.client_id,
            client_display_name: asked.client_display_name,
            redirect_uri: asked.redirect_uri,
            scopes: asked.scopes,
            resources: asked.resources,
            ..Asked::default()
        })
    }

    async fn approve(&self, handle: &str, approval: &Approval) -> Result<String, Trouble> {
        let request = ApproveAuthorizationRequest {
            request_uri: handle.to_owned(),
            subject: approval.subject.clone(),
            scopes: approval.scopes.clone(),
            auth_time: Some(timestamp(approval.auth_time)),
            acr: approval.acr.to_owned(),
        };
        let answer = self.0.clone().approve_authorization(request).await;
        Ok(answer
            .map_err(|status| trouble(&status))?
            .into_inner()
            .redirect_to)
    }

    async fn deny(&self, handle: &str) -> Result<String, Trouble> {
        let request = DenyAuthorizationRequest {
            request_uri: handle.to_owned(),
        };
        let answer = self.0.clone().deny_authorization(request).await;
        Ok(answer
            .map_err(|status| trouble(&status))?
            .into_inner()
            .redirect_to)
    }
}

fn trouble(status: &Status) -> Trouble {
    match Refused::of(status) {
        Some(refused) => match refused.reason {
            // One answer for a request that is over and one that never was: its name is wrong.
            Reason::InvalidRequest | Reason::GrantInvalid => Trouble::Gone,
            Reason::RateLimited | Reason::Overloaded => Trouble::Busy(refused.retry_after),
            reason => Trouble::Away(reason.as_str_name().to_owned()),
        },
        None => Trouble::Away(status.message().to_owned()),
    }
}

fn timestamp(time: UnixTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        // Whole seconds: `auth_time` has no fractions.
        nanos: 0,
    }
}
