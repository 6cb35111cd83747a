//! Authorization requests, from their lodging to the redemption of their code.

use std::time::Duration;

use countersign_jose::{Thumbprint, UnixTime};

use crate::holder::Holder;

use super::{
    Acr, ClientId, CodeChallenge, Epoch, FamilyId, Permissions, RedirectUri, State, Subject,
};

/// An authorization request. Its `request_uri` and its code are two handles of this one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Authorization {
    /// The client that lodged it.
    pub client: ClientId,
    /// Where its code goes.
    pub redirect_uri: RedirectUri,
    /// What was asked for.
    pub permissions: Permissions,
    /// Returned with the code.
    pub state: Option<State>,
    /// The PKCE challenge.
    pub challenge: CodeChallenge,
    /// The key that will redeem the code, if the client said so.
    pub dpop_jkt: Option<Thumbprint>,
    /// When the request ends.
    pub expires_at: UnixTime,
    /// The epoch of the store that it was made in.
    pub epoch: Epoch,
    /// How far it has come.
    pub stage: Stage,
}

/// How far an authorization request has come. It only ever goes forward.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Waits for the person.
    Pending,
    /// The code is out.
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
    /// When the person last proved who they are.
    pub auth_time: UnixTime,
    /// How they proved it.
    pub acr: Option<Acr>,
    /// When the code ends.
    pub code_expires_at: UnixTime,
}

impl Authorization {
    /// Those whose code it is, once somebody has approved.
    pub fn holders(&self) -> Vec<Holder> {
        match &self.stage {
            Stage::Approved(approval) => {
                let client = Holder::Client(self.client.clone());
                let subject = Holder::Subject(approval.subject.clone());
                let key = self.dpop_jkt.map(Holder::Key);
                [client, subject].into_iter().chain(key).collect()
            }
            Stage::Pending | Stage::Denied | Stage::Redeemed { .. } => Vec::new(),
        }
    }

    /// The same authorization, when all that its holders had at that time was revoked: a code that
    /// was out then is worth no more than one that was declined. `code_lifetime` tells when it was
    /// approved.
    #[must_use]
    pub fn revoked_until(self, at: UnixTime, code_lifetime: Duration) -> Self {
        match &self.stage {
            Stage::Approved(approval) if approval.code_expires_at.minus(code_lifetime) <= at => {
                Self {
                    stage: Stage::Denied,
                    ..self
                }
            }
            _ => self,
        }
    }
}
