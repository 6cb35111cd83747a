//! Client credentials (RFC 6749 §4.4).

use countersign_issuer::model::{ClientId, TokenId};
use countersign_issuer::{Ask, Decision, Issued, issue};
use countersign_jose::Thumbprint;

use super::Caller;
use crate::engine::{Moment, Operation};
use crate::records::Records;
use crate::refused::Refused;

/// A client asks for a token in its own name.
pub(crate) struct Issue<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) ask: Ask,
    pub(crate) proof: Thumbprint,
    pub(crate) token: TokenId,
}

#[tonic::async_trait]
impl Operation for Issue<'_> {
    type Answer = Issued;

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.caller.id)
    }

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Issued>, Refused> {
        let known = self.caller.load(records).await?;
        let client = self.caller.authenticate(known.as_ref(), at)?;
        let catalogue = records
            .catalogue(self.ask.concerns(client.client()))
            .await?;
        Ok(issue(
            &client, &self.ask, &catalogue, at.issuer, self.proof, self.token, at.now,
        ))
    }
}
