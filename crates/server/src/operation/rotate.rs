//! Refresh tokens (RFC 6749 §6).

use countersign_issuer::model::{ClientId, TokenId};
use countersign_issuer::{Decision, Issued, Rotation, rotate};
use countersign_jose::Thumbprint;

use super::Caller;
use crate::engine::{Moment, Operation};
use crate::records::Records;
use crate::refused::Refused;

/// A client presents a refresh token for its successor.
pub(crate) struct Rotate<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) rotation: Rotation,
    pub(crate) proof: Thumbprint,
    pub(crate) token: TokenId,
}

#[tonic::async_trait]
impl Operation for Rotate<'_> {
    type Answer = Issued;

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.caller.id)
    }

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Issued>, Refused> {
        let known = self.caller.load(records).await?;
        let client = self.caller.authenticate(known.as_ref(), at)?;
        let family = records.family(self.rotation.family()).await?;
        let granted = family
            .iter()
            .flat_map(|known| known.value.permissions.resources());
        let catalogue = records.catalogue(granted).await?;
        Ok(rotate(
            &client,
            &self.rotation,
            family.as_ref(),
            &catalogue,
            at.issuer,
            self.proof,
            self.token,
            at.now,
        ))
    }
}
