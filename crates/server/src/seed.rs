//! A store with much in it, made for measurements: records are written as the service writes them,
//! but many in one commit, and nobody is asked whether they may be.

use std::sync::Arc;

use countersign_issuer::model::{Epoch, FamilyId, Generation};
use countersign_issuer::{
    Change, Claims, Event, Expect, Handle, HandleKind, HandleText, MacKeys, Record, Write,
};
use countersign_jose::UnixTime;
use countersign_store::laws::SCAN_MAX;
use countersign_store::{Change as Stored, Key, Store, StoreError};
use tokio::task::{JoinError, JoinSet};

use crate::audit::Audit;
use crate::opening;
use crate::record;
use crate::records::{Outcome, Records};
use crate::start::{StartError, make_directory, open_store};
use crate::{Config, keyring};

/// Changes on their way at once: as many as the store takes into one group, and more make it
/// wait for nothing.
const AT_ONCE: usize = 16;

/// A store that no service has open.
pub struct Seeding {
    store: Arc<dyn Store>,
    records: Records,
    mac_keys: MacKeys,
    epoch: Epoch,
}

impl Seeding {
    /// Opens the store of this configuration, or makes it, with its keys, as a first start at `now`
    /// does.
    ///
    /// # Errors
    /// As a start.
    pub async fn open(config: &Config, now: UnixTime) -> Result<Self, StartError> {
        let key_place = config.key_place().outside(&config.store.directory)?;
        make_directory(&config.store.directory)?;
        let store: Arc<dyn Store> = open_store(config).await?;
        let records = Records::new(Arc::clone(&store));
        let directory = &config.store.directory;
        let opened =
            opening::open(&records, directory, &key_place, config.schedules(), now).await?;
        let keys = &opened.keys;
        let (_, mac_keys) = keyring::sort(&keys.known, &keys.open)
            .expect("the keys were sorted when they were opened");
        Ok(Self {
            store,
            records,
            mac_keys,
            epoch: opened.epoch,
        })
    }

    /// The epoch of the store: families of another are dead.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The refresh token of that generation of a family.
    pub fn refresh_token(&self, family: FamilyId, generation: Generation) -> HandleText {
        let handle = Handle {
            kind: HandleKind::Refresh,
            record: family.record(),
            generation,
        };
        handle.text(&self.mac_keys)
    }

    /// Writes records that are not there yet, and waits until the disk has them.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn write(&self, records: impl Iterator<Item = Record>) -> Result<(), StartError> {
        let mut writes = records.map(created).peekable();
        let mut under_way = JoinSet::new();
        while writes.peek().is_some() || !under_way.is_empty() {
            while under_way.len() < AT_ONCE && writes.peek().is_some() {
                let change = Change {
                    writes: writes.by_ref().take(Stored::ITEMS_MAX).collect(),
                    ..Change::default()
                };
                let records = self.records.clone();
                under_way.spawn(async move { records.commit(&change).await });
            }
            if let Some(committed) = under_way.join_next().await {
                done(committed)?;
            }
        }
        Ok(())
    }

    /// How many families there are. Reads them all.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn families(&self) -> Result<usize, StartError> {
        let families = Key::of("family");
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.store.scan(&families, after.as_ref(), SCAN_MAX).await?;
            count += page.records.len();
            after = page.next;
            if after.is_none() {
                return Ok(count);
            }
        }
    }

    /// Lets go of the store.
    ///
    /// # Errors
    /// What the store answered.
    pub async fn close(self) -> Result<(), StartError> {
        Ok(self.store.close().await?)
    }
}

/// What an issuing call pays for its event.
pub struct Gathering(Arc<Audit>);

impl Gathering {
    /// Nothing waits.
    pub fn new(config: &Config) -> Self {
        Self(Audit::new(config.audit))
    }

    /// A token was issued.
    pub fn issued(&self, claims: &Claims, at: UnixTime) {
        self.0.issued(claims, None, at);
    }

    /// What waits is taken away, as for a commit.
    pub fn emptied(&self) -> usize {
        self.0.emptied()
    }
}

/// The entry that a change pays for its event.
pub fn entry_of(event: &Event) -> bytes::Bytes {
    record::audit_entry(event)
}

fn created(record: Record) -> Write {
    Write::Put {
        record,
        expect: Expect::Absent,
    }
}

fn done(committed: Result<Result<Outcome, StoreError>, JoinError>) -> Result<(), StartError> {
    let unavailable = |why: String| StoreError::Unavailable(why);
    match committed.map_err(|panic| unavailable(panic.to_string()))?? {
        Outcome::Done(_) => Ok(()),
        Outcome::Raced | Outcome::AssertionReplayed => {
            Err(unavailable("a record was there already".to_owned()).into())
        }
    }
}
