//! Introspection (RFC 7662). Writes nothing, so it is no operation of the engine.

use std::sync::Arc;

use countersign_issuer::introspect::{Recognised, Standing};
use countersign_issuer::model::{Client, ClientId};

use super::standing;
use crate::records::Records;
use crate::refused::Refused;

/// What a decision about a token needs to know.
pub(crate) struct Findings {
    pub(crate) standing: Standing,
    /// The registration of the caller, if it is still there.
    pub(crate) caller: Option<Arc<Client>>,
}

/// Loads what is known of a token and of who asks.
pub(crate) async fn find(
    records: &Records,
    recognised: &Recognised,
    caller: &ClientId,
) -> Result<Findings, Refused> {
    let owner = match recognised.owner() {
        Some(owner) => records.registration(owner).await?,
        None => None,
    };
    let holders_revoked_at = match recognised.holders() {
        Some(holders) => records.revoked_until(&holders).await?,
        None => None,
    };
    Ok(Findings {
        standing: Standing {
            owner: owner.map(|known| known.value),
            holders_revoked_at,
            ..standing(records, recognised.token(), recognised.family()).await?
        },
        caller: records.registration(caller).await?.map(|known| known.value),
    })
}
