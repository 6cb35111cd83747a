//! Introspection (RFC 7662). What tokens are worth writes nothing, so asking is no operation of the
//! engine; that a client may ask is, where it authenticates with the request.

use std::sync::Arc;

use countersign_issuer::Decision;
use countersign_issuer::introspect::{Recognised, Standing, admit};
use countersign_issuer::model::{Client, ClientId};
use countersign_issuer::register::own_resource_uri;

use super::Caller;
use crate::engine::{Moment, Operation};
use crate::records::{Records, Wanted};
use crate::refused::Refused;

/// A client shows that it may introspect.
pub(crate) struct Admit<'a> {
    pub(crate) caller: Caller<'a>,
}

#[tonic::async_trait]
impl Operation for Admit<'_> {
    type Answer = ();

    fn caller(&self) -> Option<&ClientId> {
        Some(&self.caller.id)
    }

    async fn decide(&self, records: &Records, at: Moment<'_>) -> Result<Decision<()>, Refused> {
        let known = self.caller.load(records).await?;
        let client = self.caller.authenticate(known.as_ref(), at)?;
        // An issuer whose name is no URI of a resource has none.
        let own = own_resource_uri(&at.issuer.name).ok();
        let catalogue = records.catalogue(&own).await?;
        Ok(admit(&client, &catalogue, at.issuer))
    }
}

/// What a decision about tokens needs to know.
pub(crate) struct Findings {
    /// One for each token, in their order.
    pub(crate) standings: Vec<Standing>,
    /// The registration of the caller, if it is still there.
    pub(crate) caller: Option<Arc<Client>>,
}

/// Loads what is known of tokens and of who asks.
pub(crate) async fn find(
    records: &Records,
    recognised: &[Recognised],
    caller: &ClientId,
) -> Result<Findings, Refused> {
    let wanted: Vec<_> = recognised.iter().map(Wanted::of).collect();
    Ok(Findings {
        standings: records.standings(&wanted).await?,
        caller: records.registration(caller).await?.map(|known| known.value),
    })
}
