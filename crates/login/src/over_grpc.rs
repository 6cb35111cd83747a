//! The token service over gRPC, called as any guarded service is.

use std::time::Duration;

use async_trait::async_trait;
use countersign::authorization::v1::authorization_service_client::AuthorizationServiceClient;
use countersign::authorization::v1::{
    ApproveAuthorizationRequest, Authorization, DenialReason, DenyAuthorizationRequest,
    FindAuthorizationRequest, GetAuthorizationRequest,
};
use countersign::error::v1::Reason;
use countersign_client::outcome::Refused;
use countersign_client::{ConnectError, Countersign, GuardedChannel};
use countersign_jose::UnixTime;
use tonic::Status;

use crate::token_service::{Approval, Asked, Denial, ScopeAt, TokenService, Trouble, Typed};

/// The fields that name a request.
const NAMES: [&str; 2] = ["request_uri", "user_code"];

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

impl From<Authorization> for Asked {
    fn from(asked: Authorization) -> Self {
        let prompts = |prompt: &str| asked.prompts.iter().any(|said| said == prompt);
        let scopes_at = asked.scopes_at_resources.into_iter().map(|at| ScopeAt {
            scope: at.scope,
            resource: at.resource,
            description: at.description,
        });
        Self {
            client_id: asked.client_id,
            client_created_at: asked.client_create_time.as_ref().map(unix_time),
            client_display_name: asked.client_display_name,
            redirect_uri: asked.redirect_uri,
            scopes: asked.scopes,
            resources: asked.resources,
            scopes_at: scopes_at.collect(),
            details: asked.authorization_details,
            device: asked.device,
            acr_values: asked.acr_values,
            authenticated_since: asked.authenticated_since.as_ref().map(unix_time),
            login_again: prompts("login"),
            name_again: prompts("select_account"),
            ask_again: prompts("consent"),
            silently: prompts("none"),
        }
    }
}

impl Typed<'_> {
    /// The message that asks for it.
    pub fn said(&self) -> FindAuthorizationRequest {
        FindAuthorizationRequest {
            user_code: self.user_code.to_owned(),
            subject: self.subject.unwrap_or_default().to_owned(),
            source: self.source.to_owned(),
        }
    }
}

impl Approval {
    /// The message that says so of a request.
    pub fn said_of(&self, handle: &str) -> ApproveAuthorizationRequest {
        ApproveAuthorizationRequest {
            request_uri: handle.to_owned(),
            subject: self.subject.clone(),
            scopes: self.scopes.clone(),
            auth_time: Some(timestamp(self.auth_time)),
            acr: self.acr.to_owned(),
            // All that was asked for: the page offers no choice among them.
            authorization_details: String::new(),
        }
    }
}

impl Denial {
    /// The message that says so of a request.
    pub fn said_of(self, handle: &str) -> DenyAuthorizationRequest {
        let reason = match self {
            Self::Declined => DenialReason::AccessDenied,
            Self::LoginRequired => DenialReason::LoginRequired,
            Self::ConsentRequired => DenialReason::ConsentRequired,
            Self::Unmet => DenialReason::UnmetAuthenticationRequirements,
        };
        DenyAuthorizationRequest {
            request_uri: handle.to_owned(),
            reason: reason.into(),
        }
    }
}

impl Trouble {
    /// What the token service refuses for that reason, where it names these fields.
    pub fn of<'a>(
        reason: Reason,
        fields: impl IntoIterator<Item = &'a str>,
        retry_after: Option<Duration>,
    ) -> Self {
        let fields: Vec<_> = fields.into_iter().collect();
        match reason {
            // One answer for a request that is over and one that never was: its name is wrong.
            Reason::InvalidRequest if fields.iter().any(|field| NAMES.contains(field)) => {
                Self::Gone
            }
            Reason::RateLimited | Reason::Overloaded => Self::Busy(retry_after),
            reason => Self::Away(format!("{} {}", reason.as_str_name(), fields.join(" "))),
        }
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

fn unix_time(timestamp: &prost_types::Timestamp) -> UnixTime {
    let secs = u64::try_from(timestamp.seconds).unwrap_or_default();
    let nanos = u32::try_from(timestamp.nanos).unwrap_or_default();
    UnixTime::from_secs(secs).plus(Duration::from_nanos(nanos.into()))
}

fn timestamp(time: UnixTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        // Whole seconds: `auth_time` has no fractions.
        nanos: 0,
    }
}
