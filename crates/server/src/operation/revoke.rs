//! Revocation (RFC 7009).

use countersign_issuer::introspect::Recognised;
use countersign_issuer::model::ClientId;
use countersign_issuer::{Decision, Revoking, revoke};
use countersign_jose::Thumbprint;

use super::{Caller, standing};
use crate::engine::{Moment, Operation};
use crate::records::Records;
use crate::refused::Refused;

/// A client wants a token or a family of its own revoked.
pub(crate) struct Revoke<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) revoking: Revoking,
    pub(crate) proof: Thumbprint,
}

#[tonic::async_trait]
impl Operation for Revoke<'_> {
    type Answer = ();

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.caller.id)
    }

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<()>, Refused> {
        let known = self.caller.load(records).await?;
        let client = self.caller.authenticate(known.as_ref(), at)?;
        let token = self.revoking.recognised().and_then(Recognised::token);
        let standing = standing(records, token, self.revoking.family()).await?;
        Ok(revoke(
            &client,
            &self.revoking,
            &standing,
            self.proof,
            at.now,
        ))
    }
}
