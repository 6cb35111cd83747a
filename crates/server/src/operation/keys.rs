//! Changes of the service's own keys.

use std::sync::Arc;

use countersign_issuer::keys::{self, Now, Replaced, Rotated, Schedules};
use countersign_issuer::model::{KeyId, KeyPurpose, ServiceKey};
use countersign_issuer::{Actor, Decision};

use crate::engine::{Moment, Operation};
use crate::records::Records;
use crate::refused::Refused;

/// Does what is due.
pub(crate) struct Keep {
    /// The keys in every key set that is given out.
    pub(crate) served: Vec<KeyId>,
    /// New keys, for where some are missing. The same in every attempt.
    pub(crate) fresh: Vec<ServiceKey>,
    pub(crate) schedules: Arc<Schedules>,
    /// By two clocks: what is done here cannot be taken back.
    pub(crate) now: Now,
}

/// Replaces the active key.
pub(crate) struct Rotate {
    pub(crate) purpose: KeyPurpose,
    pub(crate) fresh: Vec<ServiceKey>,
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) actor: Actor,
    pub(crate) now: Now,
}

/// Drops a key.
pub(crate) struct Revoke {
    pub(crate) id: KeyId,
    pub(crate) fresh: Vec<ServiceKey>,
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) actor: Actor,
    pub(crate) now: Now,
}

#[tonic::async_trait]
impl Operation for Keep {
    type Answer = ();

    async fn decide(&self, records: &Records, _: Moment<'_>) -> Result<Decision<()>, Refused> {
        let (known, fresh) = (records.keys().await?, self.fresh.clone());
        Ok(keys::keep(
            &known,
            &self.served,
            fresh,
            &self.schedules,
            self.now,
        ))
    }
}

#[tonic::async_trait]
impl Operation for Rotate {
    type Answer = Rotated;

    async fn decide(&self, records: &Records, _: Moment<'_>) -> Result<Decision<Rotated>, Refused> {
        let (known, fresh) = (records.keys().await?, self.fresh.clone());
        Ok(keys::rotate(
            &known,
            self.purpose,
            fresh,
            &self.schedules,
            &self.actor,
            self.now,
        ))
    }
}

#[tonic::async_trait]
impl Operation for Revoke {
    type Answer = Replaced;

    async fn decide(
        &self,
        records: &Records,
        _: Moment<'_>,
    ) -> Result<Decision<Replaced>, Refused> {
        let (known, fresh) = (records.keys().await?, self.fresh.clone());
        Ok(keys::revoke(
            &known,
            &self.id,
            fresh,
            &self.schedules,
            &self.actor,
            self.now,
        ))
    }
}
