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

/// What to do where the key-encryption key that is named is the one that is in force.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum IfInForce {
    /// Nothing: whoever changes a key wants another one.
    Refuse,
    /// Encrypt all the same: a key service may have another version of a key behind the same name,
    /// and goes on to open what it encrypted under the former one.
    Anew,
}

/// Encrypts the service's keys under the key-encryption key at `to`, which is made where it is a
/// file that is not there. `config` says where the store is, and who has the old one. In the audit
/// log stands the account that this process runs as.
///
/// # Errors
/// As a start, and where `to` has no other key; nothing was changed.
pub async fn rekey(
    config: &Config,
    to: KeyPlace,
    if_in_force: IfInForce,
    now: UnixTime,
) -> Result<Rekeyed, StartError> {
    config.check()?;
    let directory = &config.store.directory;
    let from = config.key_place().outside(directory)?;
    let to = to.outside(directory)?;
    if !directory.join("database").exists() {
        return Err(nothing_there(config));
    }
    let store: Arc<dyn Store> = open_store(config).await?;
    let changed = change(config, Arc::clone(&store), [&from, &to], if_in_force, now).await;
    let closed = store.close().await;
    let changed = changed?;
    closed?;
    Ok(changed)
}

async fn change(
    config: &Config,
    store: Arc<dyn Store>,
    [from, to]: [&KeyPlace; 2],
    if_in_force: IfInForce,
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
    if if_in_force == IfInForce::Refuse && (from == to || are_one(&old, &new, &known).await?) {
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

/// Whether both have one key, whatever they are called: somebody whose key leaked must not believe
/// that it was changed. Each must open what the other encrypts: a program that has another key may
/// well have kept its former one, to open what was encrypted under it.
async fn are_one(
    old: &Custody,
    new: &Custody,
    known: &[Known<ServiceKey>],
) -> Result<bool, StartError> {
    for Known { value: key, .. } in known {
        // One that does not open it may say so in any way.
        if open(new, key).await.is_ok() {
            let resealed = resealed(key, old, new).await?;
            return Ok(open(old, &resealed).await.is_ok());
        }
    }
    Ok(false)
}

/// The key under the new lock, which was tried.
async fn reseal(
    key: &ServiceKey,
    old: &Custody,
    new: &Custody,
) -> Result<(KeyId, SealedKey), StartError> {
    let resealed = resealed(key, old, new).await?;
    open(new, &resealed).await?;
    Ok((resealed.id, resealed.sealed))
}

/// The key under the new lock.
async fn resealed(
    key: &ServiceKey,
    old: &Custody,
    new: &Custody,
) -> Result<ServiceKey, StartError> {
    let data_key = old.unwrap(key).await?;
    let sealed = SealedKey {
        data_key: new.wrap(Label::of(key), &data_key).await?,
        lock: new.lock(),
        ..key.sealed.clone()
    };
    Ok(ServiceKey {
        sealed,
        ..key.clone()
    })
}

fn nothing_there(config: &Config) -> StartError {
    KeyFileError::NoStore {
        directory: config.store.directory.clone(),
    }
    .into()
}
