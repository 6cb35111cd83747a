//! Reading and writing the issuer's records: the store on one side, parsed values on the other.

mod decoded;
mod registry;
mod standing;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use countersign_issuer::model::{
    Authorization, Catalogue, Client, ClientId, Family, FamilyId, RecordId, Resource, ResourceUri,
    ServiceKey, TokenId,
};
use countersign_issuer::{
    Change, Event, Holder, Known, Record, RecordName, RevokedHolder, UserCodeName, Version, Write,
};
use countersign_jose::UnixTime;
use countersign_store::{self as store, Commit, Key, Store, StoreError};
use countersign_telemetry::spans;
use tracing::{Instrument as _, error};

use self::decoded::Decoded;
pub(crate) use self::registry::Offered;
use self::registry::Registry;
pub(crate) use self::standing::Wanted;
use crate::record::{self, Recorded, StoreMark};
use crate::refused::Refused;

/// The issuer's records.
#[derive(Clone)]
pub(crate) struct Records {
    store: Arc<dyn Store>,
    clients: Arc<Decoded<Client>>,
    resources: Arc<Decoded<Resource>>,
    registry: Arc<Registry>,
}

/// How a commit ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It stands; this is the version of what it wrote.
    Done(Version),
    /// Somebody else was faster.
    Raced,
    /// The client assertion was used before: final.
    AssertionReplayed,
}

/// Some records of one kind, in the order of their names.
pub(crate) struct Page<T> {
    pub(crate) records: Vec<(Key, Known<T>)>,
    pub(crate) more: bool,
}

impl Records {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            clients: Arc::default(),
            resources: Arc::default(),
            registry: Arc::default(),
        }
    }

    /// The client, to be changed.
    pub(crate) async fn client(&self, id: &ClientId) -> Result<Option<Known<Client>>, Refused> {
        self.one(record::client_key(id)).await
    }

    /// The client, to be judged by: as every call does.
    pub(crate) async fn registration(
        &self,
        id: &ClientId,
    ) -> Result<Option<Known<Arc<Client>>>, Refused> {
        let key = record::client_key(id);
        let found = self.load(std::slice::from_ref(&key)).await?;
        match found.first() {
            Some(Some(found)) => {
                let known = self.clients.read(&key, found);
                Ok(Some(known.inspect_err(|_| unreadable(&key))?))
            }
            _ => Ok(None),
        }
    }

    pub(crate) async fn resource(
        &self,
        uri: &ResourceUri,
    ) -> Result<Option<Known<Resource>>, Refused> {
        self.one(record::resource_key(uri)).await
    }

    /// Those of `uris` that are registered.
    pub(crate) async fn catalogue(
        &self,
        uris: impl IntoIterator<Item = &ResourceUri>,
    ) -> Result<Catalogue, Refused> {
        let keys: Vec<Key> = uris.into_iter().map(record::resource_key).collect();
        let found = self.load(&keys).await?;
        found
            .iter()
            .zip(&keys)
            .filter_map(|(found, key)| Some((key, found.as_ref()?)))
            .map(|(key, found)| {
                let known = self.resources.read(key, found);
                Ok(known.inspect_err(|_| unreadable(key))?.value)
            })
            .collect()
    }

    /// The family, revoked if what its holders have was revoked since they got it.
    pub(crate) async fn family(&self, id: FamilyId) -> Result<Option<Known<Family>>, Refused> {
        let found: Option<Known<Family>> = self.one(record::family_key(id)).await?;
        let Some(Known { value, version }) = found else {
            return Ok(None);
        };
        let holders = Holder::of_family(&value).into_iter();
        let holders: Vec<_> = holders.map(|(holder, _)| holder).collect();
        let revoked = self.revoked_holders(&holders).await?;
        Ok(Some(Known::new(value.revoked_with(&revoked), version)))
    }

    /// Whether the access token was revoked alone.
    pub(crate) async fn is_revoked(&self, token: TokenId) -> Result<bool, Refused> {
        let found = self.load(&[record::revoked_key(token)]).await?;
        Ok(found.iter().any(Option::is_some))
    }

    /// Until when all was revoked that one of the holders had.
    pub(crate) async fn revoked_until(
        &self,
        holders: &[Holder],
    ) -> Result<Option<UnixTime>, Refused> {
        let revoked = self.revoked_holders(holders).await?;
        Ok(revoked.into_values().max())
    }

    /// Until when all was revoked that the holders had, of whom anything was.
    async fn revoked_holders(
        &self,
        holders: &[Holder],
    ) -> Result<HashMap<Holder, UnixTime>, Refused> {
        let keys: Vec<Key> = holders.iter().map(record::holder_key).collect();
        let found = self.load(&keys).await?;
        let mut revoked = HashMap::new();
        for ((holder, key), found) in holders.iter().zip(&keys).zip(&found) {
            let Some(found) = found else { continue };
            let at = record::holder_revoked_at(&found.value).inspect_err(|_| unreadable(key))?;
            revoked.insert(holder.clone(), at);
        }
        Ok(revoked)
    }

    /// What of a holder's was revoked.
    pub(crate) async fn revoked_holder(
        &self,
        holder: &Holder,
    ) -> Result<Option<Known<RevokedHolder>>, Refused> {
        let key = record::holder_key(holder);
        let found = self.load(std::slice::from_ref(&key)).await?;
        let Some(Some(found)) = found.first() else {
            return Ok(None);
        };
        let at = record::holder_revoked_at(&found.value).inspect_err(|_| unreadable(&key))?;
        let revoked = RevokedHolder::until(holder.clone(), at);
        Ok(Some(Known::new(revoked, found.version)))
    }

    pub(crate) async fn authorization(
        &self,
        id: RecordId,
    ) -> Result<Option<Known<Authorization>>, Refused> {
        self.one(record::authorization_key(id)).await
    }

    /// The request that a user code stands for, by any of the names that the code can have.
    pub(crate) async fn user_code(
        &self,
        names: &[UserCodeName],
    ) -> Result<Option<RecordId>, Refused> {
        let keys: Vec<Key> = names.iter().copied().map(record::user_code_key).collect();
        let found = self.load(&keys).await?;
        let mut known = keys
            .iter()
            .zip(&found)
            .filter_map(|(key, found)| Some((key, found.as_ref()?)));
        match known.next() {
            Some((key, found)) => {
                let id = record::user_code_of(&found.value);
                Ok(Some(id.inspect_err(|_| unreadable(key))?))
            }
            None => Ok(None),
        }
    }

    /// The mark of the store; a new one has none.
    pub(crate) async fn mark(&self) -> Result<Option<Known<StoreMark>>, Refused> {
        self.one(record::store_key()).await
    }

    /// The service's own keys.
    pub(crate) async fn keys(&self) -> Result<Vec<Known<ServiceKey>>, Refused> {
        let page = self.page(&record::key_key(None), None, PAGE_MAX).await?;
        Ok(page.records.into_iter().map(|(_, known)| known).collect())
    }

    /// Up to `limit` records under `prefix`, after `after`.
    pub(crate) async fn page<T: Recorded>(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<T>, Refused> {
        let page = self
            .store
            .scan(prefix, after, limit)
            .instrument(spans::store_load(limit))
            .await?;
        let records = page
            .records
            .iter()
            .map(|(key, found)| Ok((key.clone(), read(key, found)?)))
            .collect::<Result<_, Refused>>()?;
        Ok(Page {
            records,
            more: page.next.is_some(),
        })
    }

    /// Writes the change, all of it or nothing.
    pub(crate) async fn commit(&self, change: &Change) -> Result<Outcome, StoreError> {
        let _noted = self.registry.concerned_by(change);
        self.commit_stored(stored(change)).await
    }

    /// Writes the mark of a new epoch, with what `change` says of it.
    pub(crate) async fn begin_epoch(
        &self,
        mark: &Known<StoreMark>,
        change: &Change,
    ) -> Result<Outcome, StoreError> {
        let mut stored = stored(change);
        let (key, value) = (record::store_key(), mark.value.encode());
        stored
            .writes
            .push(store::Write::replace(key, mark.version, value));
        self.commit_stored(stored).await
    }

    /// Writes the first records of a store: its mark and its keys.
    pub(crate) async fn found(
        &self,
        mark: &StoreMark,
        keys: &[(ServiceKey, Event)],
    ) -> Result<Outcome, StoreError> {
        let mut change =
            store::Change::of([store::Write::create(record::store_key(), mark.encode())]);
        for (key, created) in keys {
            let name = record::key_key(Some(key.id.as_str()));
            change.writes.push(store::Write::create(name, key.encode()));
            change = change.append(record::AUDIT, record::audit_entry(created));
        }
        self.commit_stored(change).await
    }

    /// Adds entries to logs.
    pub(crate) async fn append(&self, entries: store::Change) -> Result<(), StoreError> {
        // Without an expectation nothing conflicts.
        self.commit_stored(entries).await.map(|_| ())
    }

    /// The store itself: for its logs.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The same, for whoever outlives us.
    pub(crate) fn shared_store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    async fn commit_stored(&self, change: store::Change) -> Result<Outcome, StoreError> {
        let span = spans::store_commit(change.writes.len(), change.appends.len());
        let committed = self.store.commit(change).instrument(span.clone()).await;
        let label = match &committed {
            Ok(Commit::Done(_)) => "done",
            Ok(Commit::Conflict(_)) => "conflict",
            Err(StoreError::UnknownOutcome(_)) => "unknown",
            Err(_) => "unavailable",
        };
        spans::store_outcome(&span, label);
        Ok(match committed? {
            Commit::Done(done) => Outcome::Done(done.version),
            Commit::Conflict(key) if record::is_assertion(&key) => Outcome::AssertionReplayed,
            Commit::Conflict(_) => Outcome::Raced,
        })
    }

    async fn one<T: Recorded>(&self, key: Key) -> Result<Option<Known<T>>, Refused> {
        let found = self.load(std::slice::from_ref(&key)).await?;
        match found.first() {
            Some(Some(found)) => read(&key, found).map(Some),
            _ => Ok(None),
        }
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<store::Versioned>>, Refused> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let span = spans::store_load(keys.len());
        Ok(self.store.load(keys).instrument(span).await?)
    }
}

/// More keys than a service ever has.
const PAGE_MAX: usize = 1_000;

fn read<T: Recorded>(key: &Key, found: &store::Versioned) -> Result<Known<T>, Refused> {
    let value = T::decode(&found.value).inspect_err(|_| unreadable(key))?;
    Ok(Known::new(value, found.version))
}

fn unreadable(key: &Key) {
    error!(%key, "a record cannot be read");
}

/// The change as the store takes it.
fn stored(change: &Change) -> store::Change {
    let mut stored = store::Change::of(change.writes.iter().map(stored_write));
    for event in &change.events {
        stored = stored.append(record::AUDIT, record::audit_entry(event));
    }
    for revocation in &change.revocations {
        stored = stored.append(record::REVOCATIONS, record::revocation_entry(revocation));
    }
    stored
}

fn stored_write(write: &Write) -> store::Write {
    match write {
        Write::Put { record, expect } => {
            let (key, value) = named(record);
            store::Write {
                key,
                expect: *expect,
                put: Some(store::Put {
                    value,
                    expires_at_millis: record.ends_at().map(|end| end.as_millis()),
                }),
            }
        }
        Write::Remove { name, version } => {
            let key = match name {
                RecordName::Client(id) => record::client_key(id),
                RecordName::Resource(uri) => record::resource_key(uri),
                RecordName::Key(id) => record::key_key(Some(id.as_str())),
            };
            store::Write::delete(key, *version)
        }
    }
}

fn named(record: &Record) -> (Key, bytes::Bytes) {
    match record {
        Record::Client(client) => (record::client_key(&client.id), client.encode()),
        Record::Resource(resource) => (record::resource_key(&resource.uri), resource.encode()),
        Record::Family(id, family) => (record::family_key(*id), family.encode()),
        Record::Authorization(id, authorization) => {
            (record::authorization_key(*id), authorization.encode())
        }
        Record::UserCode(code) => (
            record::user_code_key(code.name),
            record::user_code(code.authorization),
        ),
        Record::SpentAssertion(spent) => (
            record::assertion_key(&spent.client, &spent.jti),
            record::spent_assertion(),
        ),
        Record::Reference(reference) => (
            record::reference_key(reference.claims.id),
            record::reference(reference),
        ),
        Record::Key(key) => (record::key_key(Some(key.id.as_str())), key.encode()),
        Record::RevokedToken(revoked) => (
            record::revoked_key(revoked.token),
            record::revoked_token(revoked.at),
        ),
        Record::RevokedHolder(revoked) => (
            record::holder_key(&revoked.holder),
            record::revoked_holder(revoked.at),
        ),
    }
}
