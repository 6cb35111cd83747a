//! What the application and the token service say to each other, as messages: over gRPC, and in one
//! process with it.

use std::time::Duration;

use countersign::authorization::v1::{
    ApproveAuthorizationRequest, Authorization, DenialReason, DenyAuthorizationRequest,
    FindAuthorizationRequest,
};
use countersign::error::v1::Reason;
use countersign_jose::UnixTime;

use crate::token_service::{Approval, Asked, Denial, ScopeAt, Trouble, Typed};

/// The fields that name a request.
const NAMES: [&str; 2] = ["request_uri", "user_code"];

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
            reason => Self::Away([&[reason.as_str_name()], &fields[..]].concat().join(" ")),
        }
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
