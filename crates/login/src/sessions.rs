//! Where sessions are kept.

use std::sync::Arc;

use countersign_client::random;
use countersign_jose::UnixTime;
use countersign_store::{Change, Commit, Store, Version, Write};

use crate::account::Account;
use crate::accounts::{Accounts, AccountsError};
use crate::event::{Event, EventKind};
use crate::record;
use crate::session::{BrowserId, Session};

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
        let Some((session, version)) = self.load(id).await? else {
            return Ok(None);
        };
        let Some(account) = self.accounts.account(&session.account).await? else {
            return Ok(None);
        };
        if !session.stands(&account, now) {
            return Ok(None);
        }
        if let Some(used) = session.used(now) {
            let key = record::session_key(&id.hash());
            let write = Write::replace(key, version, record::session(&used))
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
        let write = Write::create(record::session_key(&id.hash()), record::session(session))
            .expiring_at(session.expires_at().as_millis());
        let event = Event::of_person(EventKind::LoggedIn, subject, session.authenticated_at);
        let change = Change::of([write]).append(record::AUDIT, record::audit_entry(&event));
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
        // Again where a note of its use came between.
        while let Some((_, version)) = self.load(id).await? {
            let write = Write::delete(record::session_key(&id.hash()), version);
            let change = Change::of([write]);
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

    async fn load(&self, id: &BrowserId) -> Result<Option<(Session, Version)>, AccountsError> {
        let found = self.store.load(&[record::session_key(&id.hash())]).await?;
        let Some(found) = found.into_iter().next().flatten() else {
            return Ok(None);
        };
        Ok(Some((record::read_session(&found.value)?, found.version)))
    }
}
