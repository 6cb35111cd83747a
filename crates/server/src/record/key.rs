//! The mark of the store, and the service's own keys.

use bytes::Bytes;
use countersign_issuer::model::Epoch;
use countersign_jose::UnixTime;

use super::{Damaged, FORMAT, Recorded, bytes_of, message_of, millis, stored, time};
use crate::keyring::wrap::{VERSION, Wrapped};
use crate::keyring::{Purpose, State, StoredKey};

/// The first record of every store.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreMark {
    /// The form of the records. What is higher than [`FORMAT`] is not ours to read.
    pub(crate) format: u32,
    pub(crate) epoch: Epoch,
    pub(crate) created: UnixTime,
    /// When the epoch began, if it is not the first.
    pub(crate) set_back_at: Option<UnixTime>,
}

/// Of a store that was never set back.
pub(super) const FIRST_EPOCH: u32 = 1;

impl StoreMark {
    /// The mark of a store that is made now.
    pub(crate) fn new(created: UnixTime) -> Self {
        Self {
            format: FORMAT,
            epoch: Epoch::new(FIRST_EPOCH),
            created,
            set_back_at: None,
        }
    }
}

impl Recorded for StoreMark {
    fn encode(&self) -> Bytes {
        bytes_of(&stored::StoreRecord {
            format: self.format,
            epoch: self.epoch.number(),
            created_millis: self.created.as_millis(),
            set_back_millis: millis(self.set_back_at),
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::StoreRecord = message_of(bytes)?;
        Ok(Self {
            format: record.format,
            epoch: Epoch::new(record.epoch),
            created: UnixTime::from_millis(record.created_millis),
            set_back_at: time(record.set_back_millis),
        })
    }
}

impl Recorded for StoredKey {
    fn encode(&self) -> Bytes {
        let purpose = match self.purpose {
            Purpose::Signing => stored::KeyPurpose::Signing,
            Purpose::HandleMac => stored::KeyPurpose::HandleMac,
        };
        let state = match self.state {
            State::Next => stored::KeyState::Next,
            State::Active => stored::KeyState::Active,
            State::Retiring => stored::KeyState::Retiring,
        };
        bytes_of(&stored::KeyRecord {
            key_id: self.key_id.clone(),
            purpose: purpose.into(),
            state: state.into(),
            created_millis: self.created.as_millis(),
            public_jwk: self.public_jwk.clone(),
            encrypted_material: self.wrapped.material.clone().into(),
            encrypted_data_key: self.wrapped.data_key.clone().into(),
            encryption_version: VERSION,
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::KeyRecord = message_of(bytes)?;
        if record.encryption_version != VERSION {
            return Err(Damaged);
        }
        let purpose = match record.purpose() {
            stored::KeyPurpose::Unspecified => return Err(Damaged),
            stored::KeyPurpose::Signing => Purpose::Signing,
            stored::KeyPurpose::HandleMac => Purpose::HandleMac,
        };
        let state = match record.state() {
            stored::KeyState::Unspecified => return Err(Damaged),
            stored::KeyState::Next => State::Next,
            stored::KeyState::Active => State::Active,
            stored::KeyState::Retiring => State::Retiring,
        };
        Ok(Self {
            purpose,
            state,
            created: UnixTime::from_millis(record.created_millis),
            wrapped: Wrapped {
                material: record.encrypted_material.to_vec(),
                data_key: record.encrypted_data_key.to_vec(),
            },
            key_id: record.key_id,
            public_jwk: record.public_jwk,
        })
    }
}
