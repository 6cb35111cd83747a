//! A copy of the whole store.

use countersign_issuer::set_back::back_up;
use countersign_issuer::{Actor, Decision};

use crate::engine::{Moment, Operation};
use crate::records::Records;
use crate::refused::Refused;

/// An operator wants a backup.
pub(crate) struct BackUp {
    pub(crate) actor: Actor,
}

#[tonic::async_trait]
impl Operation for BackUp {
    type Answer = ();

    async fn decide(&self, _: &Records, at: Moment<'_>) -> Result<Decision<()>, Refused> {
        Ok(back_up(at.issuer.epoch, self.actor.clone(), at.now))
    }
}
