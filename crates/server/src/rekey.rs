//! Another key-encryption key: all data keys are encrypted anew, in one commit. The keys themselves
//! stay, and so does everything that was made with them.
//!
//! The service must not run: the store is locked by whoever has it open. Everything is opened with
//! the new key-encryption key before anything is written, so a crash leaves the old one or the new
//! one in force, never some keys under each.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_issuer::keys::rewrap;
use countersign_issuer::model::{SealedKey, ServiceKey};
use countersign_issuer::{Actor, Known};
use countersign_jose::UnixTime;
use countersign_store::Store;

use crate::config::{Config, KeyPlace};
use crate::keyring::custody::{Custody, CustodyError, IfMissing};
use crate::keyring::wrap::Label;
use crate::keyring::{KeyFileError, KeyProgramError, open};
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
    let (old, known) = match opened(&records, directory, from).await {
        Ok(opened) => opened,
        // Whoever gives the command again after a crash is told that it was done.
        Err(_) if opened(&records, directory, to).await.is_ok() => {
            return Err(StartError::AlreadyUnder { place: to.shown() });
        }
        Err(refused) => return Err(refused),
    };
    let new = Custody::at(to, directory, IfMissing::Make)?;
    if if_in_force == IfInForce::Refuse && from == to {
        return Err(new.in_force().into());
    }
    let mut anew = Vec::with_capacity(known.len());
    for Known { value: key, .. } in &known {
        anew.push(reseal(key, &old, &new).await?);
    }
    if if_in_force == IfInForce::Refuse && are_one(&old, &new, &known, &anew).await? {
        return Err(new.in_force().into());
    }
    let resealed: Vec<_> = anew.into_iter().map(|key| (key.id, key.sealed)).collect();
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

/// The store's keys, which the key-encryption key at `place` opens.
async fn opened(
    records: &Records,
    directory: &Path,
    place: &KeyPlace,
) -> Result<(Custody, Vec<Known<ServiceKey>>), StartError> {
    let custody = Custody::at(place, directory, IfMissing::Refuse)?;
    let known = held(records, directory, &custody).await?.known;
    Ok((custody, known))
}

/// Whether both have one key, whatever they are called and whatever kind they are: somebody whose key
/// leaked must not believe that it was changed. Each opens what the other encrypts then: a program
/// that has another key may well have kept its former one, to open what was encrypted under it.
///
/// One key that both open is enough. That they have two keys is believed only if it shows with every
/// key: a program that cannot do its work for a moment says no more than one that has another key.
async fn are_one(
    old: &Custody,
    new: &Custody,
    known: &[Known<ServiceKey>],
    anew: &[ServiceKey],
) -> Result<bool, CustodyError> {
    for (Known { value: key, .. }, anew) in known.iter().zip(anew) {
        if opens(old, anew, key).await? && opens(new, key, anew).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether somebody opens what another one encrypted. One that does not may say so in any way, but
/// must then open its own: or else it is out of order, and nobody knows.
async fn opens(
    custody: &Custody,
    of_another: &ServiceKey,
    its_own: &ServiceKey,
) -> Result<bool, CustodyError> {
    // A file and a program can have one key, too, and encrypt in the same form.
    let sealed = SealedKey {
        lock: custody.lock(),
        ..of_another.sealed.clone()
    };
    let asked = ServiceKey {
        sealed,
        ..of_another.clone()
    };
    match open(custody, &asked).await {
        Ok(_) => Ok(true),
        Err(
            out_of_order @ CustodyError::Program(
                KeyProgramError::Start { .. } | KeyProgramError::TimedOut { .. },
            ),
        ) => Err(out_of_order),
        Err(_) => open(custody, its_own).await.map(|_| false),
    }
}

/// The key under the new lock, which was tried.
async fn reseal(
    key: &ServiceKey,
    old: &Custody,
    new: &Custody,
) -> Result<ServiceKey, CustodyError> {
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
    Ok(resealed)
}

fn nothing_there(config: &Config) -> StartError {
    KeyFileError::NoStore {
        directory: config.store.directory.clone(),
    }
    .into()
}
