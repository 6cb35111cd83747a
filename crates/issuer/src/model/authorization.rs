//! Authorization requests, from their lodging to the redemption of their code.

use std::time::Duration;

use countersign_jose::{Thumbprint, UnixTime};

use crate::holder::Holder;

use super::{
    Acr, Client, ClientId, CodeChallenge, Denial, Epoch, FamilyId, GrantedDetails, Permissions,
    RedirectUri, SecretHash, State, Subject, Wishes,
};

/// An authorization request. Its `request_uri` and its code are two handles of this one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorization {
    /// The client that lodged it.
    pub client: ClientId,
    /// What was asked for.
    pub permissions: Permissions,
    /// What was asked for beyond scopes (RFC 9396).
    pub details: GrantedDetails,
    /// The key that will redeem the code, if the client said so.
    pub dpop_jkt: Option<Thumbprint>,
    /// When it was lodged: another client may have its identifier since.
    pub lodged_at: UnixTime,
    /// When the request ends.
    pub expires_at: UnixTime,
    /// The epoch of the store that it was made in.
    pub epoch: Epoch,
    /// How the client learns what the person decided.
    pub way: Way,
    /// How far it has come.
    pub stage: Stage,
}

/// How a client learns what a person decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// The browser takes a code to it (RFC 6749 §4.1).
    Redirect(Redirect),
    /// It asks again and again, with its device code (RFC 8628 §3.4).
    Device(Polling),
}

/// Where a browser takes a code, and what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redirect {
    /// Where the code goes.
    pub uri: RedirectUri,
    /// Returned with the code.
    pub state: Option<State>,
    /// The PKCE challenge.
    pub challenge: CodeChallenge,
    /// What the client wants of the login.
    pub wishes: Wishes,
    /// What the browser has that the request began in; none where no browser has come yet.
    pub browser: Option<SecretHash>,
}

/// How often a device may ask.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Polling {
    /// The least time between two questions.
    pub interval: Duration,
    /// When it last asked, if it did.
    pub polled_at: Option<UnixTime>,
}

/// How far an authorization request has come. It only ever goes forward.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Waits for the person.
    Pending,
    /// Decided, and the browser that it began in has not come back: what was approved, or why it was
    /// declined.
    Returning(Result<Approval, Denial>),
    /// The code is out; a device code can be redeemed.
    Approved(Approval),
    /// The person declined.
    Denied,
    /// The code was redeemed.
    Redeemed {
        /// What it was redeemed for.
        approval: Approval,
        /// The family that began with it.
        family: FamilyId,
    },
}

/// What a person approved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Who approved.
    pub subject: Subject,
    /// What was approved: some of what was asked for.
    pub permissions: Permissions,
    /// When.
    pub approved_at: UnixTime,
    /// The same beyond scopes.
    pub details: GrantedDetails,
    /// When the person last proved who they are.
    pub auth_time: UnixTime,
    /// How they proved it.
    pub acr: Option<Acr>,
    /// When the code ends.
    pub code_expires_at: UnixTime,
}

impl Way {
    /// Whether the client may get tokens this way.
    pub const fn is_granted_to(&self, client: &Client) -> bool {
        match self {
            Self::Redirect(_) => client.grant_types.authorization_code,
            Self::Device(_) => client.grant_types.device_code,
        }
    }

    /// The stable name, for events; none for the usual way.
    pub const fn label(&self) -> Option<&'static str> {
        match self {
            Self::Redirect(_) => None,
            Self::Device(_) => Some("device_code"),
        }
    }
}

impl Authorization {
    /// Whether this client lodged it, as it is registered now: not one that was registered under the
    /// same identifier later.
    pub fn is_of(&self, client: &Client) -> bool {
        self.client == client.id && self.lodged_at >= client.created_at
    }

    /// Those whose code it is, once somebody has approved.
    pub fn holders(&self) -> Vec<Holder> {
        match &self.stage {
            Stage::Approved(approval) => {
                let client = Holder::Client(self.client.clone());
                let subject = Holder::Subject(approval.subject.clone());
                let key = self.dpop_jkt.map(Holder::Key);
                [client, subject].into_iter().chain(key).collect()
            }
            Stage::Pending | Stage::Returning(_) | Stage::Denied | Stage::Redeemed { .. } => {
                Vec::new()
            }
        }
    }

    /// The same authorization, when all that its holders had at that time was revoked: a code that
    /// was out then is worth no more than one that was declined.
    #[must_use]
    pub fn revoked_until(self, at: UnixTime) -> Self {
        match &self.stage {
            Stage::Approved(approval) if approval.approved_at <= at => Self {
                stage: Stage::Denied,
                ..self
            },
            _ => self,
        }
    }
}
