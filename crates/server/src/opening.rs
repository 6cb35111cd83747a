//! What a store must hold before the service takes calls: its mark, its keys, and the service's
//! own API as a resource. A new store gets them now.

#[cfg(test)]
mod tests;

use std::path::Path;

use countersign_issuer::keys::{Now, Schedules, first};
use countersign_issuer::model::{Epoch, KeyPurpose, ServiceKey};
use countersign_issuer::{Event, Known};
use countersign_jose::UnixTime;

use crate::config::KeyPlace;
use crate::engine::Engine;
use crate::keyring::custody::{Custody, CustodyError, IfMissing};
use crate::keyring::keeper::Held;
use crate::keyring::{self, OpenKeys};
use crate::operation::register::EnsureOwnResource;
use crate::record::{FORMAT, StoreMark};
use crate::records::{Outcome, Records};
use crate::start::{StartError, unreadable};

/// What was found, or made.
pub(crate) struct Opened {
    pub(crate) keys: Held,
    pub(crate) custody: Custody,
    pub(crate) epoch: Epoch,
    /// When the epoch began, if it is not the first.
    pub(crate) set_back_at: Option<UnixTime>,
    /// The store was made by this start.
    pub(crate) first: bool,
}

/// Opens the store's keys with the key-encryption key, or makes both.
pub(crate) async fn open(
    records: &Records,
    directory: &Path,
    place: &KeyPlace,
    schedules: Schedules,
    now: UnixTime,
) -> Result<Opened, StartError> {
    let mark = marked(records, directory).await?;
    let first = mark.is_none();
    let (mark, custody) = match mark {
        Some(mark) => (mark, Custody::at(place, directory, IfMissing::Refuse)?),
        None => {
            // The key file comes first: keys that nothing opens are worse than a file that opens
            // nothing yet.
            let custody = Custody::at(place, directory, IfMissing::Make)?;
            (found(records, &custody, &schedules, now).await?, custody)
        }
    };
    Ok(Opened {
        keys: held(records, directory, &custody).await?,
        custody,
        epoch: mark.epoch,
        set_back_at: mark.set_back_at,
        first,
    })
}

/// The mark of the store, if it was founded.
pub(crate) async fn marked(
    records: &Records,
    directory: &Path,
) -> Result<Option<StoreMark>, StartError> {
    let mark = records.mark().await;
    match mark.map_err(|refused| unreadable(directory, refused))? {
        Some(Known { value: mark, .. }) if mark.format > FORMAT => Err(StartError::NewerRecords {
            found: mark.format,
            known: FORMAT,
        }),
        known => Ok(known.map(|known| known.value)),
    }
}

/// All keys of the store, opened.
pub(crate) async fn held(
    records: &Records,
    directory: &Path,
    custody: &Custody,
) -> Result<Held, StartError> {
    let known = records.keys().await;
    let known = known.map_err(|refused| unreadable(directory, refused))?;
    let mut open = OpenKeys::new();
    for key in known.iter().map(|known| &known.value) {
        open.insert(key.id.clone(), keyring::open(custody, key).await?);
    }
    if keyring::sort(&known, &open).is_none() {
        return Err(StartError::DamagedRecords {
            directory: directory.to_owned(),
            problem: "a key of the service's own is missing",
        });
    }
    Ok(Held::new(known, open))
}

/// Makes the first records of a store.
async fn found(
    records: &Records,
    custody: &Custody,
    schedules: &Schedules,
    now: UnixTime,
) -> Result<StoreMark, StartError> {
    let mut keys = Vec::new();
    for purpose in KeyPurpose::ALL {
        keys.extend(two(custody, purpose, schedules, now).await?);
    }
    let mark = StoreMark::new(now);
    match records.found(&mark, &keys).await? {
        Outcome::Done(_) => Ok(mark),
        // The store is locked by this process alone, so nobody can have been faster.
        Outcome::Raced | Outcome::AssertionReplayed => Err(StartError::Store(
            countersign_store::StoreError::Unavailable("a new store was not empty".to_owned()),
        )),
    }
}

/// The key that is used from the beginning, and the one that comes after it.
async fn two(
    custody: &Custody,
    purpose: KeyPurpose,
    schedules: &Schedules,
    now: UnixTime,
) -> Result<[(ServiceKey, Event); 2], CustodyError> {
    let (active, _) = keyring::make(custody, purpose, now).await?;
    let (next, _) = keyring::make(custody, purpose, now).await?;
    Ok(first(active, next, schedules, Now::certain(now)))
}

/// Registers the service's own API as a resource, unless it is there.
pub(crate) async fn register_itself(engine: &Engine, directory: &Path) -> Result<(), StartError> {
    let decided = engine.decide(&EnsureOwnResource).await;
    decided
        .map(|_| ())
        .map_err(|refused| unreadable(directory, refused))
}
