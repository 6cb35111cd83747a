//! Revocation (RFC 7009).

use countersign_issuer::model::ClientId;
use countersign_issuer::{Decision, Revoking, revoke};
use countersign_jose::Thumbprint;

use super::Caller;
use crate::engine::{Moment, Operation};
use crate::records::{Records, Wanted};
use crate::refused::Refused;

/// A client wants a token or a family of its own revoked.
pub(crate) struct Revoke<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) revoking: Revoking,
    /// The key of the proof that came with it, if one did.
    pub(crate) proof: Option<Thumbprint>,
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
        let wanted = match self.revoking.recognised() {
            Some(recognised) => Wanted::of(recognised),
            None => Wanted::family(self.revoking.family()),
        };
        let standing = records.standings(&[wanted]).await?;
        let standing = standing.into_iter().next().unwrap_or_default();
        Ok(revoke(
            &client,
            &self.revoking,
            &standing,
            self.proof,
            at.now,
        ))
    }
}
