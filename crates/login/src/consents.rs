//! Where remembered consent is kept.

use std::sync::Arc;

use countersign_jose::UnixTime;
use countersign_store::{Change, Commit, Store, Version, Write};

use crate::accounts::{ATTEMPTS_MAX, AccountsError};
use crate::consent::{About, Consent, ConsentId};
use crate::event::{Event, EventKind};
use crate::record::{self, Damaged};
use crate::token_service::Asked;

/// So many are shown at once.
const SHOWN_MAX: usize = 100;

const BUSY: AccountsError = AccountsError::Fault("others change the consent all the time");

/// Keeps what people allowed.
#[derive(Clone)]
pub(crate) struct Consents {
    store: Arc<dyn Store>,
}

/// A part of what a person allowed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) found: Vec<Consent>,
    /// Behind which one there may be more.
    pub(crate) more_behind: Option<ConsentId>,
}

impl Consents {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Whether the person allowed this before, and need not be asked.
    pub(crate) async fn covers(&self, subject: &str, asked: &Asked) -> Result<bool, AccountsError> {
        let Some(about) = About::of(asked) else {
            return Ok(false);
        };
        let found = self.load(subject, about.id()).await?;
        Ok(found.is_some_and(|(consent, _)| consent.covers(asked)))
    }

    /// Remembers what the person allowed, besides what they did before. Nothing, where it cannot be.
    pub(crate) async fn remember(
        &self,
        subject: &str,
        asked: &Asked,
        scopes: &[String],
        now: UnixTime,
    ) -> Result<(), AccountsError> {
        let Some(about) = About::of(asked) else {
            return Ok(());
        };
        let id = about.id();
        for _ in 0..ATTEMPTS_MAX {
            let (before, version) = self.load(subject, id).await?.unzip();
            let consent = Consent::given(&about, asked, scopes, before, now);
            let key = record::consent_key(subject, id);
            let value = record::consent(&consent);
            let write = match version {
                Some(version) => Write::replace(key, version, value),
                None => Write::create(key, value),
            };
            let event = Event {
                client: &asked.client_id,
                scopes: scopes.to_vec(),
                resources: asked.resources.clone(),
                ..Event::of_person(EventKind::ConsentRemembered, subject, now)
            };
            let change = Change::of([write]).append(record::AUDIT, record::audit_entry(&event));
            // Lost to another window of the same person.
            if let Commit::Done(_) = self.store.commit(change).await? {
                return Ok(());
            }
        }
        Err(BUSY)
    }

    /// What the person allowed, from behind that one on.
    pub(crate) async fn of(
        &self,
        subject: &str,
        behind: Option<ConsentId>,
    ) -> Result<Allowed, AccountsError> {
        let prefix = record::consents(subject);
        let after = behind.map(|id| record::consent_key(subject, id));
        let page = self.store.scan(&prefix, after.as_ref(), SHOWN_MAX).await?;
        let read = page.records.into_iter();
        let read: Result<Vec<_>, Damaged> = read
            .map(|(_, found)| record::read_consent(&found.value))
            .collect();
        let found = read?;
        let last = found.last().map(|last| last.about.id());
        Ok(Allowed {
            more_behind: page.next.and(last),
            found,
        })
    }

    /// Forgets it. Tokens that came of it are the token service's affair.
    pub(crate) async fn forget(
        &self,
        subject: &str,
        id: ConsentId,
        now: UnixTime,
    ) -> Result<(), AccountsError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((consent, version)) = self.load(subject, id).await? else {
                return Ok(());
            };
            let write = Write::delete(record::consent_key(subject, id), version);
            let event = Event {
                client: &consent.about.client_id,
                scopes: consent.scopes.iter().cloned().collect(),
                resources: consent.about.resources.iter().cloned().collect(),
                ..Event::of_person(EventKind::ConsentWithdrawn, subject, now)
            };
            let change = Change::of([write]).append(record::AUDIT, record::audit_entry(&event));
            if let Commit::Done(_) = self.store.commit(change).await? {
                return Ok(());
            }
        }
        Err(BUSY)
    }

    async fn load(
        &self,
        subject: &str,
        id: ConsentId,
    ) -> Result<Option<(Consent, Version)>, AccountsError> {
        let found = self.store.load(&[record::consent_key(subject, id)]).await?;
        let Some(found) = found.into_iter().next().flatten() else {
            return Ok(None);
        };
        Ok(Some((record::read_consent(&found.value)?, found.version)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_store::MemoryStore;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    fn asked(client_created_at: UnixTime) -> Asked {
        Asked {
            client_id: "desk".to_owned(),
            client_created_at: Some(client_created_at),
            redirect_uri: "https://desk.example/back".to_owned(),
            scopes: vec!["read".to_owned()],
            ..Asked::default()
        }
    }

    #[tokio::test]
    async fn what_the_store_has_of_a_registration_is_of_no_other() {
        let store = MemoryStore::new();
        let consents = Consents::new(Arc::new(store.reopen()));
        let before = asked(NOW);
        let after = asked(NOW.plus(Duration::from_millis(1)));
        let scopes = &before.scopes;
        consents
            .remember("ann", &before, scopes, NOW)
            .await
            .unwrap();
        // Another process reads what this one wrote.
        let consents = Consents::new(Arc::new(store.reopen()));
        assert!(consents.covers("ann", &before).await.unwrap());
        assert!(!consents.covers("ann", &after).await.unwrap());
        assert!(!consents.covers("bob", &before).await.unwrap());

        // Each is kept, shown and taken back by itself.
        consents.remember("ann", &after, scopes, NOW).await.unwrap();
        let [first, second] = &consents.of("ann", None).await.unwrap().found[..] else {
            panic!("two are kept");
        };
        assert_ne!(first.about.id(), second.about.id());
        let of_before = About::of(&before).unwrap();
        consents.forget("ann", of_before.id(), NOW).await.unwrap();
        assert!(!consents.covers("ann", &before).await.unwrap());
        assert!(consents.covers("ann", &after).await.unwrap());
    }

    /// Also where the record stands under the name of another one.
    #[tokio::test]
    async fn a_record_says_itself_what_it_is_about() {
        let store = Arc::new(MemoryStore::new());
        let consents = Consents::new(store.clone());
        let [one, other] = [asked(NOW), asked(NOW.plus(Duration::from_secs(1)))];
        let given = Consent::given(&About::of(&one).unwrap(), &one, &one.scopes, None, NOW);
        let key = record::consent_key("ann", About::of(&other).unwrap().id());
        let write = Write::create(key, record::consent(&given));
        store.commit(Change::of([write])).await.unwrap();
        assert!(!consents.covers("ann", &other).await.unwrap());
    }
}
