//! Another key-encryption key: all data keys are encrypted anew, in one commit. The keys themselves
//! stay, and so does everything that was made with them.
//!
//! The service must not run: the store is locked by whoever has it open. Everything is opened with
//! the new key-encryption key before anything is written, so a crash leaves the old one or the new
//! one in force, never some keys under each.

use std::path::PathBuf;
use std::sync::Arc;

use countersign_issuer::keys::rewrap;
use countersign_issuer::model::{KeyId, SealedKey, ServiceKey};
use countersign_issuer::{Actor, Known};
use countersign_jose::UnixTime;
use countersign_store::Store;

use crate::config::{Config, KeyPlace};
use crate::keyring::custody::{Custody, IfMissing};
use crate::keyring::wrap::Label;
use crate::keyring::{KeyFileError, open};
use crate::opening::{held, marked};
use crate::records::{Outcome, Records};
use crate::start::{StartError, open_store};

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// How many keys were encrypted anew.
    pub keys: usize,
    /// The file of the old key-encryption key, where it was in one. It is left in place.
    pub old_file: Option<PathBuf>,
}

/// Encrypts the service's keys under the key-encryption key at `to`, which is made where it is a
/// file that is not there. `config` says where the store is, and who has the old one. In the audit
/// log stands the account that this process runs as.
///
/// # Errors
/// As a start; nothing was changed.
pub async fn rekey(config: &Config, to: KeyPlace, now: UnixTime) -> Result<Rekeyed, StartError> {
    config.check()?;
    let directory = &config.store.directory;
    let from = config.key_place().outside(directory)?;
    let to = to.outside(directory)?;
    if !directory.join("database").exists() {
        return Err(nothing_there(config));
    }
    let store: Arc<dyn Store> = open_store(config).await?;
    let changed = change(config, Arc::clone(&store), &from, &to, now).await;
    let closed = store.close().await;
    let changed = changed?;
    closed?;
    Ok(changed)
}

async fn change(
    config: &Config,
    store: Arc<dyn Store>,
    from: &KeyPlace,
    to: &KeyPlace,
    now: UnixTime,
) -> Result<Rekeyed, StartError> {
    let directory = &config.store.directory;
    let records = Records::new(store);
    if marked(&records, directory).await?.is_none() {
        return Err(nothing_there(config));
    }
    let old = Custody::at(from, directory, IfMissing::Refuse)?;
    let known = held(&records, directory, &old).await?.known;
    let new = Custody::at(to, directory, IfMissing::Make)?;
    if from == to || opens_any(&new, &known).await {
        return Err(new.in_force().into());
    }
    let mut resealed = Vec::with_capacity(known.len());
    for Known { value: key, .. } in &known {
        resealed.push(reseal(key, &old, &new).await?);
    }
    let actor = Actor::Operator {
        uid: rustix::process::getuid().as_raw(),
    };
    let change = rewrap(&known, &resealed, &actor, now).change;
    match records.commit(&change).await? {
        Outcome::Done(_) => Ok(Rekeyed {
            keys: known.len(),
            old_file: from.file()?,
        }),
        // The store is locked by this process alone, so nobody can have been faster.
        Outcome::Raced | Outcome::AssertionReplayed => Err(StartError::DamagedRecords {
            directory: directory.clone(),
            problem: "a key changed while it was encrypted anew",
        }),
    }
}

/// Whether a file has the key that is in force, whatever it is called: somebody whose key leaked
/// must not believe that it was changed. Of programs nobody knows: one may open what was encrypted
/// under its former key.
async fn opens_any(new: &Custody, known: &[Known<ServiceKey>]) -> bool {
    let Custody::File { .. } = new else {
        return false;
    };
    for Known { value: key, .. } in known {
        if open(new, key).await.is_ok() {
            return true;
        }
    }
    false
}

/// The key under the new lock, which was tried.
async fn reseal(
    key: &ServiceKey,
    old: &Custody,
    new: &Custody,
) -> Result<(KeyId, SealedKey), StartError> {
    let data_key = old.unwrap(key).await?;
    let sealed = SealedKey {
        data_key: new.wrap(Label::of(key), &data_key).await?,
        lock: new.lock(),
        ..key.sealed.clone()
    };
    let resealed = ServiceKey {
        sealed,
        ..key.clone()
    };
    open(new, &resealed).await?;
    Ok((resealed.id, resealed.sealed))
}

fn nothing_there(config: &Config) -> StartError {
    KeyFileError::NoStore {
        directory: config.store.directory.clone(),
    }
    .into()
}
