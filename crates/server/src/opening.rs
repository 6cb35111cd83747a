//! What a store must hold before the service takes calls: its mark, its keys, and the service's
//! own API as a resource. A new store gets them now.

#[cfg(test)]
mod tests;

use std::path::Path;

use countersign_issuer::model::Epoch;
use countersign_issuer::{Known, MacKey, MacKeyId, MacKeys};
use countersign_jose::{PublicKey, UnixTime};
use tracing::info;
use zeroize::Zeroizing;

use crate::engine::Engine;
use crate::keyring::wrap::KeyEncryptionKey;
use crate::keyring::{self, KeyFileError, OpenKey, State, StoredKey, file};
use crate::operation::register::EnsureOwnResource;
use crate::random;
use crate::record::{FORMAT, StoreMark};
use crate::records::{Outcome, Records};
use crate::signer::Signer;
use crate::start::{StartError, unreadable};

/// What was found, or made.
pub(crate) struct Opened {
    pub(crate) signer: Signer,
    pub(crate) published: Vec<(String, PublicKey)>,
    pub(crate) mac_keys: MacKeys,
    pub(crate) epoch: Epoch,
    /// When the epoch began, if it is not the first.
    pub(crate) set_back_at: Option<UnixTime>,
    /// The store was made by this start.
    pub(crate) first: bool,
}

/// Opens the store's keys with the key file, or makes both.
pub(crate) async fn open(
    records: &Records,
    directory: &Path,
    key_file: &Path,
    now: UnixTime,
) -> Result<Opened, StartError> {
    let damaged = |problem| StartError::DamagedRecords {
        directory: directory.to_owned(),
        problem,
    };
    let mark = records
        .mark()
        .await
        .map_err(|refused| unreadable(directory, refused))?;
    let first = mark.is_none();
    let mark = match mark {
        Some(Known { value: mark, .. }) if mark.format > FORMAT => {
            return Err(StartError::NewerRecords {
                found: mark.format,
                known: FORMAT,
            });
        }
        Some(known) => known.value,
        None => found(records, key_file, now).await?,
    };
    let stored = records
        .keys()
        .await
        .map_err(|refused| unreadable(directory, refused))?;
    let kek = file::read(key_file)?.ok_or_else(|| KeyFileError::Missing {
        path: key_file.to_owned(),
    })?;
    sort(&stored, &kek, key_file, &mark, first)?
        .ok_or_else(|| damaged("a key of the service's own is missing"))
}

/// Makes the first records of a store. The key file comes first: keys that nothing opens are worse
/// than a file that opens nothing yet.
async fn found(records: &Records, key_file: &Path, now: UnixTime) -> Result<StoreMark, StartError> {
    let kek = match file::read(key_file)? {
        Some(kek) => kek,
        None => {
            let key = Zeroizing::new(random::bytes());
            file::create(key_file, &key)?;
            info!(file = %key_file.display(), "made the key-encryption key");
            KeyEncryptionKey::new(key)
        }
    };
    let mark = StoreMark::new(now);
    match records.found(&mark, &keyring::make(&kek, now)).await? {
        Outcome::Done(_) => Ok(mark),
        // The store is locked by this process alone, so nobody can have been faster.
        Outcome::Raced | Outcome::AssertionReplayed => Err(StartError::Store(
            countersign_store::StoreError::Unavailable("a new store was not empty".to_owned()),
        )),
    }
}

/// Opens every key and puts it where it belongs. `None`: one that is needed is not there.
fn sort(
    stored: &[StoredKey],
    kek: &KeyEncryptionKey,
    key_file: &Path,
    mark: &StoreMark,
    first: bool,
) -> Result<Option<Opened>, KeyFileError> {
    let mut signer = None;
    let mut published = Vec::new();
    let mut active_mac = None;
    let mut retiring_macs = Vec::new();
    for stored in stored {
        match keyring::open(kek, key_file, stored)? {
            OpenKey::Signing { kid, state, key } => {
                published.push((kid.clone(), key.public().clone()));
                if state == State::Active {
                    signer = Some(Signer::new(&kid, key));
                }
            }
            OpenKey::HandleMac { id, state, key } => {
                let key = MacKey::new(MacKeyId::new(id), &key);
                match state {
                    State::Active => active_mac = Some(key),
                    State::Next | State::Retiring => retiring_macs.push(key),
                }
            }
        }
    }
    Ok(signer.zip(active_mac).map(|(signer, active)| Opened {
        signer,
        published,
        mac_keys: MacKeys::new(active, retiring_macs),
        epoch: mark.epoch,
        set_back_at: mark.set_back_at,
        first,
    }))
}

/// Registers the service's own API as a resource, unless it is there.
pub(crate) async fn register_itself(engine: &Engine, directory: &Path) -> Result<(), StartError> {
    let decided = engine.decide(&EnsureOwnResource).await;
    decided
        .map(|_| ())
        .map_err(|refused| unreadable(directory, refused))
}
