//! The mark of the store, and the service's own keys.

use std::time::Duration;

use bytes::Bytes;
use countersign_issuer::model::{Epoch, KeyId, KeyPurpose, KeyState, Lock, SealedKey, ServiceKey};
use countersign_jose::UnixTime;

use super::{Damaged, FORMAT, Recorded, bytes_of, message_of, millis, stored, time};

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

/// What the data key is encrypted by. A number of a later release is damage: it says what we
/// cannot open.
const BY_FILE: u32 = 1;
const BY_PROGRAM: u32 = 2;

impl Recorded for ServiceKey {
    fn encode(&self) -> Bytes {
        let purpose = match self.purpose {
            KeyPurpose::Signing => stored::KeyPurpose::Signing,
            KeyPurpose::HandleMac => stored::KeyPurpose::HandleMac,
        };
        let state = match self.state {
            KeyState::Next => stored::KeyState::Next,
            KeyState::Active => stored::KeyState::Active,
            KeyState::Retiring => stored::KeyState::Retiring,
        };
        bytes_of(&stored::KeyRecord {
            key_id: self.id.as_str().to_owned(),
            purpose: purpose.into(),
            state: state.into(),
            created_millis: self.created_at.as_millis(),
            public_jwk: self.sealed.public_jwk.clone(),
            encrypted_material: self.sealed.material.clone().into(),
            encrypted_data_key: self.sealed.data_key.clone().into(),
            encryption_version: match self.sealed.lock {
                Lock::File => BY_FILE,
                Lock::Program => BY_PROGRAM,
            },
            published_millis: millis(self.published_at),
            activated_millis: millis(self.activated_at),
            retired_millis: millis(self.retired_at),
            needed_until_millis: millis(self.needed_until),
            life_secs: self.life.unwrap_or_default().as_secs(),
            // For some keys it is zero, and known to be. One more than it is tells the two apart.
            cache_age_secs: self.cache_age.map_or(0, |age| age.as_secs() + 1),
            rotation_asked_millis: millis(self.rotation_asked_at),
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::KeyRecord = message_of(bytes)?;
        let lock = match record.encryption_version {
            BY_FILE => Lock::File,
            BY_PROGRAM => Lock::Program,
            _ => return Err(Damaged),
        };
        let purpose = match record.purpose() {
            stored::KeyPurpose::Unspecified => return Err(Damaged),
            stored::KeyPurpose::Signing => KeyPurpose::Signing,
            stored::KeyPurpose::HandleMac => KeyPurpose::HandleMac,
        };
        let state = match record.state() {
            stored::KeyState::Unspecified => return Err(Damaged),
            stored::KeyState::Next => KeyState::Next,
            stored::KeyState::Active => KeyState::Active,
            stored::KeyState::Retiring => KeyState::Retiring,
        };
        Ok(Self {
            id: KeyId::new(record.key_id),
            purpose,
            state,
            created_at: UnixTime::from_millis(record.created_millis),
            published_at: time(record.published_millis),
            activated_at: time(record.activated_millis),
            retired_at: time(record.retired_millis),
            needed_until: time(record.needed_until_millis),
            life: (record.life_secs != 0).then(|| Duration::from_secs(record.life_secs)),
            cache_age: record
                .cache_age_secs
                .checked_sub(1)
                .map(Duration::from_secs),
            rotation_asked_at: time(record.rotation_asked_millis),
            sealed: SealedKey {
                public_jwk: record.public_jwk,
                material: record.encrypted_material.to_vec(),
                data_key: record.encrypted_data_key.to_vec(),
                lock,
            },
        })
    }
}
