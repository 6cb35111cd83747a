//! Authorization codes (RFC 6749 §4.1.3, RFC 7636 §4.5) and device codes (RFC 8628 §3.4).

use countersign_issuer::model::{Authorization, ClientId};
use countersign_issuer::{Decision, Fresh, Issued, Known, Redemption, redeem};
use countersign_jose::Thumbprint;

use super::Caller;
use crate::engine::{Moment, Operation};
use crate::records::Records;
use crate::refused::Refused;

/// A client redeems a code, or asks whether it can.
pub(crate) struct Redeem<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) redemption: Redemption,
    pub(crate) proof: Thumbprint,
    pub(crate) fresh: Fresh,
}

#[tonic::async_trait]
impl Operation for Redeem<'_> {
    type Answer = Issued;

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.caller.id)
    }

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<Issued>, Refused> {
        let known = self.caller.load(records).await?;
        let client = self.caller.authenticate(known.as_ref(), at)?;
        let authorization = match records.authorization(self.redemption.record()).await? {
            Some(known) => Some(standing(records, known).await?),
            None => None,
        };
        let lodged = authorization.as_ref().map(|known| &known.value);
        // A second use revokes what the first use led to, so that has to be known.
        let earlier = match lodged.and_then(|lodged| lodged.redeemed_for()) {
            Some(family) => records.family(family).await?,
            None => None,
        };
        let asked = lodged
            .iter()
            .flat_map(|lodged| lodged.permissions.resources());
        let catalogue = records.catalogue(asked).await?;
        Ok(redeem(
            &client,
            &self.redemption,
            authorization.as_ref(),
            earlier.as_ref(),
            &catalogue,
            at.issuer,
            self.proof,
            self.fresh,
            at.now,
        ))
    }
}

/// The authorization, declined if what its holders had when it was approved was revoked since.
async fn standing(
    records: &Records,
    known: Known<Authorization>,
) -> Result<Known<Authorization>, Refused> {
    let Known { value, version } = known;
    let value = match records.revoked_until(&value.holders()).await? {
        Some(revoked) => value.revoked_until(revoked),
        None => value,
    };
    Ok(Known::new(value, version))
}
