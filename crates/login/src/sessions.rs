//! Where sessions are kept.

use std::sync::Arc;

use countersign_client::random;
use countersign_jose::UnixTime;
use countersign_store::{Change, Commit, Key, Store, Versioned, Write};

use crate::account::{Account, Name};
use crate::accounts::{ATTEMPTS_MAX, Accounts, AccountsError};
use crate::event::{Event, EventKind};
use crate::record;
use crate::session::{BrowserId, Session, SessionName};

/// Of an account's list so many records are read at once, and so many times. They last longer than
/// sessions that nobody uses: most of them may be over.
const PAGE_MAX: usize = 100;
const PAGES_MAX: usize = 10;

/// Who changes a session again and again is no browser.
const BUSY: AccountsError = AccountsError::Fault("others change the session all the time");

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

/// The sessions of a person besides the one that asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Others {
    /// The one that was used last comes first.
    pub(crate) found: Vec<Elsewhere>,
    /// Not all records were read: there may be others.
    pub(crate) may_be_more: bool,
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

    /// Begins a session of that person under a new name. The one that the browser had before ends with
    /// that: there is never neither, and never both.
    pub(crate) async fn begin(
        &self,
        before: &BrowserId,
        session: &Session,
        subject: &str,
    ) -> Result<BrowserId, AccountsError> {
        let id = Self::new_id()?;
        let hash = id.hash();
        let event = Event::of_person(EventKind::LoggedIn, subject, session.authenticated_at);
        for _ in 0..ATTEMPTS_MAX {
            let mut writes = vec![
                Write::create(record::session_key(&hash), record::session(session))
                    .expiring_at(session.expires_at().as_millis()),
                // As long as it can last: uses of it are not noted here.
                Write::create(
                    record::session_of_key(&session.account, &hash),
                    record::session_of(&hash),
                )
                .expiring_at(session.ends_at.as_millis()),
            ];
            writes.extend(self.ending(&before.hash(), None).await?.unwrap_or_default());
            let change = Change::of(writes).append(record::AUDIT, record::audit_entry(&event));
            if let Commit::Done(_) = self.store.commit(change).await? {
                return Ok(id);
            }
        }
        Err(BUSY)
    }

    /// Ends the session of that browser; `told` says so, if it is not said already.
    pub(crate) async fn end(
        &self,
        id: &BrowserId,
        told: Option<&Event<'_>>,
    ) -> Result<(), AccountsError> {
        self.end_at(&id.hash(), None, told).await.map(drop)
    }

    /// Ends that session, if it is one of this account, and says so. Whether there was one.
    pub(crate) async fn end_one_of(
        &self,
        account: &Account,
        session: SessionName,
        now: UnixTime,
    ) -> Result<bool, AccountsError> {
        let told = Event::of_person(EventKind::LoggedOut, &account.subject, now);
        self.end_at(&session.0, Some(&account.name), Some(&told))
            .await
    }

    /// The sessions of an account that count, besides that of this browser. Those that began before
    /// they were listed are not among them.
    pub(crate) async fn elsewhere(
        &self,
        account: &Account,
        here: &BrowserId,
        now: UnixTime,
    ) -> Result<Others, AccountsError> {
        let prefix = record::sessions_of(&account.name);
        let mut others = Others::default();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = self.store.scan(&prefix, after.as_ref(), PAGE_MAX).await?;
            let hashes = page.records.iter();
            let hashes = hashes.map(|(_, found)| record::read_session_of(&found.value));
            let mut hashes = hashes.collect::<Result<Vec<_>, _>>()?;
            hashes.retain(|hash| *hash != here.hash());
            let keys: Vec<Key> = hashes.iter().map(record::session_key).collect();
            for (hash, found) in hashes.into_iter().zip(self.store.load(&keys).await?) {
                let Some(found) = found else { continue };
                let session = record::read_session(&found.value)?;
                if session.account == account.name && session.stands(account, now) {
                    let name = SessionName(hash);
                    others.found.push(Elsewhere { name, session });
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        others.may_be_more = after.is_some();
        let used = |it: &Elsewhere| std::cmp::Reverse(it.session.used_at);
        others.found.sort_by_key(used);
        Ok(others)
    }

    /// Whether there was one.
    async fn end_at(
        &self,
        hash: &[u8; 32],
        only_of: Option<&Name>,
        told: Option<&Event<'_>>,
    ) -> Result<bool, AccountsError> {
        // Again where a note of its use came between.
        for _ in 0..ATTEMPTS_MAX {
            let Some(writes) = self.ending(hash, only_of).await? else {
                return Ok(false);
            };
            let change = Change::of(writes);
            let change = match told {
                Some(event) => change.append(record::AUDIT, record::audit_entry(event)),
                None => change,
            };
            if let Commit::Done(_) = self.store.commit(change).await? {
                return Ok(true);
            }
        }
        Err(BUSY)
    }

    /// What ends that session, if it is there and one of that account.
    async fn ending(
        &self,
        hash: &[u8; 32],
        only_of: Option<&Name>,
    ) -> Result<Option<Vec<Write>>, AccountsError> {
        let key = record::session_key(hash);
        let Some(found) = self.load(&key).await? else {
            return Ok(None);
        };
        let account = record::read_session(&found.value)?.account;
        if only_of.is_some_and(|only| *only != account) {
            return Ok(None);
        }
        let mut writes = vec![Write::delete(key, found.version)];
        let listed = record::session_of_key(&account, hash);
        if let Some(of) = self.load(&listed).await? {
            writes.push(Write::delete(listed, of.version));
        }
        Ok(Some(writes))
    }

    async fn load(&self, key: &Key) -> Result<Option<Versioned>, AccountsError> {
        let found = self.store.load(std::slice::from_ref(key)).await?;
        Ok(found.into_iter().next().flatten())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_client::clock::SystemClock;
    use countersign_store::MemoryStore;

    use super::*;
    use crate::account::AccountForm;
    use crate::password::Passwords;
    use crate::session::BrowserName;

    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    struct World {
        sessions: Sessions,
        ann: Account,
    }

    impl World {
        fn new() -> Self {
            let store = Arc::new(MemoryStore::new());
            let passwords = Passwords::new(1).unwrap();
            let accounts = Accounts::new(store.clone(), Arc::new(SystemClock), passwords);
            let form = AccountForm {
                name: "ann".to_owned(),
                ..AccountForm::default()
            };
            Self {
                sessions: Sessions::new(store, accounts),
                ann: Account::new(&form, "subject", NOW).unwrap(),
            }
        }

        /// Somebody logs in with this account, as it was so many passwords ago.
        async fn log_in(&self, before: &BrowserId, generations: u64) -> BrowserId {
            let mut session = Session::begun(&self.ann, None, BrowserName::default(), NOW);
            session.generation = self.ann.generation.wrapping_sub(generations);
            let begun = self.sessions.begin(before, &session, "subject").await;
            begun.unwrap()
        }

        async fn others(&self) -> Others {
            let nobody = BrowserId::of([0; 32]);
            let later = NOW.plus(Duration::from_secs(1));
            let others = self.sessions.elsewhere(&self.ann, &nobody, later).await;
            others.unwrap()
        }
    }

    fn stranger() -> BrowserId {
        Sessions::new_id().unwrap()
    }

    #[tokio::test]
    async fn sessions_that_are_over_hide_none_that_is_not() {
        let world = World::new();
        for number in 0..410 {
            // Every forty-first counts.
            let generations = u64::from(number % 41 != 0);
            world.log_in(&stranger(), generations).await;
        }
        let others = world.others().await;
        assert_eq!((others.found.len(), others.may_be_more), (10, false));
        for _ in 410..1_001 {
            world.log_in(&stranger(), 1).await;
        }
        assert!(world.others().await.may_be_more, "and it says so");
    }

    #[tokio::test]
    async fn a_login_ends_the_session_before_it() {
        let world = World::new();
        let first = world.log_in(&stranger(), 0).await;
        let second = world.log_in(&first, 0).await;
        let names: Vec<_> = world
            .others()
            .await
            .found
            .iter()
            .map(|it| it.name)
            .collect();
        assert_eq!(names, [SessionName(second.hash())]);
        let end = |id: &BrowserId| {
            let name = SessionName(id.hash());
            let sessions = world.sessions.clone();
            let ann = world.ann.clone();
            async move { sessions.end_one_of(&ann, name, NOW).await.unwrap() }
        };
        // Only who ends one is told that there was one.
        assert!(!end(&first).await);
        assert!(end(&second).await);
        assert!(!end(&second).await);
    }
}
