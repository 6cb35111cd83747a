//! Revocation (RFC 7009).

use countersign_issuer::model::ClientId;
use countersign_issuer::{Decision, RevocationTarget, Revoking, revoke};
use countersign_jose::Thumbprint;

use super::Caller;
use crate::engine::{Moment, Operation};
use crate::overload::Share;
use crate::records::{Records, Wanted};
use crate::refused::Refused;

/// A client wants a token or a family of its own revoked.
pub(crate) struct Revoke<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) revoking: Revoking,
    /// The key of the proof that came with it, if one did.
    pub(crate) proof: Option<Thumbprint>,
    /// What each client may have revoked of single access tokens.
    pub(crate) revoked_tokens: &'a Share,
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
        let decision = revoke(&client, &self.revoking, &standing, self.proof, at.now);
        // Of families there are as many as people approved; of tokens, as many as a client likes.
        let mut told = decision.change.revocations.iter();
        if told.any(|revocation| matches!(revocation.target, RevocationTarget::Token(_))) {
            let by = client.client().id.clone();
            self.revoked_tokens.charge(by, 1)?;
        }
        Ok(decision)
    }
}
