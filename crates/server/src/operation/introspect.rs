//! Introspection (RFC 7662). Writes nothing, so it is no operation of the engine.

use std::sync::Arc;

use countersign_issuer::introspect::{Recognised, Standing};
use countersign_issuer::model::{Client, ClientId};

use crate::records::{Records, Wanted};
use crate::refused::Refused;

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
