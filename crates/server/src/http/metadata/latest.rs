//! The metadata as they are now: what is registered is a part of them.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_client::clock::Clock;
use countersign_issuer::model::ResourceUri;
use countersign_issuer::register::own_resource_uri;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::warn;

use super::Metadata;
use crate::config::Config;
use crate::desk::Desk;
use crate::document::Document;
use crate::records::Records;

/// Changes that were committed by this process are told at once. This is for one whose caller was
/// gone before its end.
const READ_AGAIN: Duration = Duration::from_secs(10);

/// How long those who ask wait for the store, before they are told what was told last.
const WAIT: Duration = Duration::from_secs(2);

/// How long the store is left alone after it did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Hands the metadata out, and reads what is registered when it has changed.
pub(in crate::http) struct Latest {
    fixed: Metadata,
    /// The service's own interface: its scopes are not for everybody.
    own: Option<ResourceUri>,
    lists_scopes: bool,
    read: ArcSwapOption<Read>,
    /// One reads what is registered at a time.
    reading: Mutex<()>,
    /// When, after the service's start, the store last gave no answer.
    failed_at: ArcSwapOption<Duration>,
}

/// What is told.
pub(super) struct Told {
    pub(super) document: Arc<Document>,
    /// Whether all that is registered now is in it.
    pub(super) is_current: bool,
}

/// The metadata as they were read: after this number of changes, at this time after the service's
/// start.
struct Read {
    document: Arc<Document>,
    changes: u64,
    at: Duration,
}

impl Latest {
    pub(in crate::http) fn new(desk: &Desk, config: &Config, mtls_url: Option<&str>) -> Self {
        Self {
            fixed: Metadata::fixed(desk, config, mtls_url),
            own: own_resource_uri(&desk.engine.issuer().name).ok(),
            lists_scopes: config.http.list_scopes,
            read: ArcSwapOption::empty(),
            reading: Mutex::default(),
            failed_at: ArcSwapOption::empty(),
        }
    }

    /// The metadata now.
    pub(super) async fn told(&self, records: &Records, clock: &dyn Clock) -> Told {
        if let Some(document) = self.current(records, clock) {
            return Told {
                document,
                is_current: true,
            };
        }
        if !self.is_paused(clock) {
            if let Ok(Some(document)) = timeout(WAIT, self.read_again(records, clock)).await {
                return Told {
                    document,
                    is_current: true,
                };
            }
            self.failed_at.store(Some(Arc::new(clock.steady())));
        }
        Told {
            document: self.last(),
            is_current: false,
        }
    }

    async fn read_again(&self, records: &Records, clock: &dyn Clock) -> Option<Arc<Document>> {
        let _alone = self.reading.lock().await;
        // Whoever was here before may have read it, or have waited in vain.
        if let Some(document) = self.current(records, clock) {
            return Some(document);
        }
        if self.is_paused(clock) {
            return None;
        }
        let changes = records.resource_changes();
        let at = clock.steady();
        let offered = records.offered(self.own.as_ref()).await;
        let offered = offered
            .inspect_err(|refused| {
                let cause = refused.label();
                warn!(cause, "the metadata cannot say what is registered");
            })
            .ok()?;
        let metadata = self.fixed.offering(&offered, self.lists_scopes);
        let document = Arc::new(Document::of(metadata.json()));
        self.read.store(Some(Arc::new(Read {
            document: Arc::clone(&document),
            changes,
            at,
        })));
        Some(document)
    }

    fn current(&self, records: &Records, clock: &dyn Clock) -> Option<Arc<Document>> {
        let read = self.read.load();
        let read = read.as_ref()?;
        let is_current = read.changes == records.resource_changes()
            && clock.steady().saturating_sub(read.at) < READ_AGAIN;
        is_current.then(|| Arc::clone(&read.document))
    }

    fn is_paused(&self, clock: &dyn Clock) -> bool {
        let failed_at = self.failed_at.load();
        let failed_at = failed_at.as_ref();
        failed_at.is_some_and(|at| clock.steady().saturating_sub(**at) < PAUSE)
    }

    /// What was read last, or what is certain without the store: clients find the endpoints all the
    /// same.
    fn last(&self) -> Arc<Document> {
        match &*self.read.load() {
            Some(read) => Arc::clone(&read.document),
            None => Arc::new(Document::of(self.fixed.json())),
        }
    }
}

#[cfg(test)]
mod tests;
