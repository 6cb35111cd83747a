//! Revocation by an operator.

use countersign_issuer::{Actor, Decision, Found, Target, revoke_all};
use countersign_jose::UnixTime;

use crate::engine::{Moment, Operation};
use crate::records::Records;
use crate::refused::Refused;

/// An operator wants a token, a family, or all that somebody holds revoked.
pub(crate) struct RevokeAll {
    pub(crate) target: Target,
    pub(crate) actor: Actor,
}

#[tonic::async_trait]
impl Operation for RevokeAll {
    /// Tokens that were made until then are dead.
    type Answer = UnixTime;

    async fn decide(
        &self,
        records: &Records,
        at: Moment<'_>,
    ) -> Result<Decision<UnixTime>, Refused> {
        let found = match &self.target {
            Target::Token(token) => Found {
                token_revoked: records.is_revoked(*token).await?,
                ..Found::default()
            },
            Target::Family(family) => Found {
                family: records.family(*family).await?,
                ..Found::default()
            },
            Target::Holder(holder) => Found {
                holder: records.revoked_holder(holder).await?,
                ..Found::default()
            },
        };
        Ok(revoke_all(&self.target, &found, &self.actor, at.now))
    }
}
