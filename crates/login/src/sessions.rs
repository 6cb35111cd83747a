//! Where sessions are kept.

use std::sync::Arc;

use countersign_client::random;
use countersign_jose::UnixTime;
use countersign_store::{Change, Commit, Key, Store, Versioned, Write};

use crate::account::{Account, Name};
use crate::accounts::{Accounts, AccountsError};
use crate::event::{Event, EventKind};
use crate::record;
use crate::session::{BrowserId, Session, SessionName};

/// The most that a person is shown. Whoever has more logs out everywhere.
const SHOWN_MAX: usize = 100;

/// Keeps sessions. A browser that is not logged in has none: strangers fill no store.
#[derive(Clone)]
pub(crate) struct Sessions {
    store: Arc<dyn Store>,
    accounts: Accounts,
}

/// A session that counts, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct LoggedIn {
    pub(crate) session: Session,
    pub(crate) account: Account,
}

/// One of a person's sessions.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) name: SessionName,
    pub(crate) session: Session,
}

impl Sessions {
    pub(crate) fn new(store: Arc<dyn Store>, accounts: Accounts) -> Self {
        Self { store, accounts }
    }

    /// A name for a browser that nobody else has.
    pub(crate) fn new_id() -> Result<BrowserId, AccountsError> {
        let drawn = random::bytes().map_err(|_| AccountsError::Fault("no random bytes"))?;
        Ok(BrowserId::of(drawn))
    }

    /// The session of that browser, if it counts; that it was used is noted.
    pub(crate) async fn find(
        &self,
        id: &BrowserId,
        now: UnixTime,
    ) -> Result<Option<LoggedIn>, AccountsError> {
        let hash = id.hash();
        let Some(found) = self.load(&record::session_key(&hash)).await? else {
            return Ok(None);
        };
        let session = record::read_session(&found.value)?;
        let Some(account) = self.accounts.account(&session.account).await? else {
            return Ok(None);
        };
        if !session.stands(&account, now) {
            return Ok(None);
        }
        if let Some(used) = session.used(now) {
            let key = record::session_key(&hash);
            let write = Write::replace(key, found.version, record::session(&used))
                .expiring_at(used.expires_at().as_millis());
            // Somebody else's note is as good, and a session that was ended stays so.
            self.store.commit(Change::of([write])).await?;
        }
        Ok(Some(LoggedIn { session, account }))
    }

    /// Begins a session of that person under a new name. The one that the browser had before ends.
    pub(crate) async fn begin(
        &self,
        before: &BrowserId,
        session: &Session,
        subject: &str,
    ) -> Result<BrowserId, AccountsError> {
        let id = Self::new_id()?;
        let hash = id.hash();
        let writes = [
            Write::create(record::session_key(&hash), record::session(session))
                .expiring_at(session.expires_at().as_millis()),
            // As long as it can last: uses of it are not noted here.
            Write::create(
                record::session_of_key(&session.account, &hash),
                record::session_of(&hash),
            )
            .expiring_at(session.ends_at.as_millis()),
        ];
        let event = Event::of_person(EventKind::LoggedIn, subject, session.authenticated_at);
        let change = Change::of(writes).append(record::AUDIT, record::audit_entry(&event));
        if let Commit::Conflict(_) = self.store.commit(change).await? {
            return Err(AccountsError::Fault("a session of that name was there"));
        }
        self.end(before, None).await?;
        Ok(id)
    }

    /// Ends the session of that browser; `told` says so, if it is not said already.
    pub(crate) async fn end(
        &self,
        id: &BrowserId,
        told: Option<&Event<'_>>,
    ) -> Result<(), AccountsError> {
        self.end_at(&id.hash(), None, told).await
    }

    /// Ends that session, if it is one of this account, and says so.
    pub(crate) async fn end_one_of(
        &self,
        account: &Account,
        session: SessionName,
        now: UnixTime,
    ) -> Result<(), AccountsError> {
        let told = Event::of_person(EventKind::LoggedOut, &account.subject, now);
        self.end_at(&session.0, Some(&account.name), Some(&told))
            .await
    }

    /// The sessions of an account that count, besides that of this browser: the one that was used
    /// last comes first. Those that began before they were listed are not among them.
    pub(crate) async fn elsewhere(
        &self,
        account: &Account,
        here: &BrowserId,
        now: UnixTime,
    ) -> Result<Vec<Elsewhere>, AccountsError> {
        let prefix = record::sessions_of(&account.name);
        let page = self.store.scan(&prefix, None, SHOWN_MAX).await?;
        let mut hashes = Vec::with_capacity(page.records.len());
        for (_, found) in &page.records {
            hashes.push(record::read_session_of(&found.value)?);
        }
        hashes.retain(|hash| *hash != here.hash());
        let keys: Vec<Key> = hashes.iter().map(record::session_key).collect();
        let mut sessions = Vec::with_capacity(keys.len());
        for (hash, found) in hashes.into_iter().zip(self.store.load(&keys).await?) {
            let Some(found) = found else { continue };
            let session = record::read_session(&found.value)?;
            if session.account == account.name && session.stands(account, now) {
                let name = SessionName(hash);
                sessions.push(Elsewhere { name, session });
            }
        }
        sessions.sort_by_key(|it| std::cmp::Reverse(it.session.used_at));
        Ok(sessions)
    }

    async fn end_at(
        &self,
        hash: &[u8; 32],
        only_of: Option<&Name>,
        told: Option<&Event<'_>>,
    ) -> Result<(), AccountsError> {
        let key = record::session_key(hash);
        // Again where a note of its use came between.
        while let Some(found) = self.load(&key).await? {
            let account = record::read_session(&found.value)?.account;
            if only_of.is_some_and(|only| *only != account) {
                return Ok(());
            }
            let listed = record::session_of_key(&account, hash);
            let mut writes = vec![Write::delete(key.clone(), found.version)];
            if let Some(of) = self.load(&listed).await? {
                writes.push(Write::delete(listed, of.version));
            }
            let change = Change::of(writes);
            let change = match told {
                Some(event) => change.append(record::AUDIT, record::audit_entry(event)),
                None => change,
            };
            if let Commit::Done(_) = self.store.commit(change).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, AccountsError> {
        let found = self.store.load(std::slice::from_ref(key)).await?;
        Ok(found.into_iter().next().flatten())
    }
}
