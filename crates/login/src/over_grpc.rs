//! The token service over gRPC, called as any guarded service is.

use async_trait::async_trait;
use countersign::authorization::v1::GetAuthorizationRequest;
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign_client::outcome::Refused;
use countersign_client::{ConnectError, Countersign, GuardedChannel};
use tonic::Status;

use crate::token_service::{Approval, Asked, Denial, TokenService, Trouble, Typed};

/// The scope that the application's client needs.
const SCOPE: &str = "authorizations.decide";

/// The token service behind a channel.
pub struct OverGrpc(AuthorizationServiceClient<GuardedChannel>);

impl OverGrpc {
    /// Calls the service at `url` in the name of that client, with tokens for its issuer: where it
    /// asks for certificates, for one, is another address.
    ///
    /// # Errors
    /// The configuration is wrong.
    pub async fn connect(client: &Countersign, url: &str) -> Result<Self, ConnectError> {
        let tokens = client.token_service();
        let channel = client.channel(url).resource(tokens.client().issuer());
        let channel = channel.scopes([SCOPE]).connect().await?;
        Ok(Self(AuthorizationServiceClient::new(channel)))
    }

    /// Whether the application could decide anything: it asks about a request that nobody made, and
    /// who may ask is told that there is none.
    ///
    /// # Errors
    /// What the service answers instead.
    pub async fn check(&self) -> Result<(), Status> {
        let request = GetAuthorizationRequest {
            request_uri: "nobody made this request".to_owned(),
        };
        let answer = self.0.clone().get_authorization(request).await;
        match answer {
            Err(status) if !matches!(trouble(&status), Trouble::Gone) => Err(status),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl TokenService for OverGrpc {
    async fn find(&self, typed: &Typed<'_>) -> Result<(String, Asked), Trouble> {
        let answer = self.0.clone().find_authorization(typed.said()).await;
        let found = answer.map_err(|status| trouble(&status))?.into_inner();
        let asked = found.authorization.unwrap_or_default().into();
        Ok((found.request_uri, asked))
    }

    async fn show(&self, handle: &str) -> Result<Asked, Trouble> {
        let request = GetAuthorizationRequest {
            request_uri: handle.to_owned(),
        };
        let answer = self.0.clone().get_authorization(request).await;
        let answer = answer.map_err(|status| trouble(&status))?.into_inner();
        Ok(answer.authorization.unwrap_or_default().into())
    }

    async fn approve(&self, handle: &str, approval: &Approval) -> Result<String, Trouble> {
        let request = approval.said_of(handle);
        let answer = self.0.clone().approve_authorization(request).await;
        Ok(answer
            .map_err(|status| trouble(&status))?
            .into_inner()
            .redirect_to)
    }

    async fn deny(&self, handle: &str, why: Denial) -> Result<String, Trouble> {
        let answer = self.0.clone().deny_authorization(why.said_of(handle)).await;
        Ok(answer
            .map_err(|status| trouble(&status))?
            .into_inner()
            .redirect_to)
    }
}

fn trouble(status: &Status) -> Trouble {
    match Refused::of(status) {
        Some(refused) => {
            let fields = refused.fields.iter().map(|(field, _)| field.as_str());
            Trouble::of(refused.reason, fields, refused.retry_after)
        }
        None => Trouble::Away(status.message().to_owned()),
    }
}
