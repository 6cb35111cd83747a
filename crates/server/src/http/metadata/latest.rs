//! The metadata as they are now: what is registered is a part of them.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
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

/// Hands the metadata out, and reads what is registered when it has changed.
pub(in crate::http) struct Latest {
    fixed: Metadata,
    /// The service's own interface: its scopes are not for everybody.
    own: Option<ResourceUri>,
    lists_scopes: bool,
    told: ArcSwapOption<Told>,
    /// One reads what is registered at a time.
    reading: Mutex<()>,
}

/// The metadata of one moment.
pub(super) struct Told {
    document: Document,
    /// When that was; none where what is registered could not be read.
    read: Option<Read>,
}

/// The number of changes before it was read, and the time after the service's start.
#[derive(Copy, Clone)]
struct Read {
    changes: u64,
    at: Duration,
}

impl Told {
    pub(super) fn document(&self) -> &Document {
        &self.document
    }

    /// Whether what is registered is in it.
    pub(super) fn is_whole(&self) -> bool {
        self.read.is_some()
    }
}

impl Latest {
    pub(in crate::http) fn new(desk: &Desk, config: &Config, mtls_url: Option<&str>) -> Self {
        Self {
            fixed: Metadata::fixed(desk, config, mtls_url),
            own: own_resource_uri(&desk.engine.issuer().name).ok(),
            lists_scopes: config.http.list_scopes,
            told: ArcSwapOption::empty(),
            reading: Mutex::default(),
        }
    }

    /// The metadata at this time of the steady clock.
    pub(super) async fn told(&self, records: &Records, now: Duration) -> Arc<Told> {
        if let Some(told) = self.still_good(records, now) {
            return told;
        }
        match timeout(WAIT, self.read(records, now)).await {
            Ok(Some(told)) => told,
            Ok(None) | Err(_) => self.told.load_full().unwrap_or_else(|| self.less()),
        }
    }

    async fn read(&self, records: &Records, now: Duration) -> Option<Arc<Told>> {
        let _alone = self.reading.lock().await;
        // Whoever was here before may have read it.
        if let Some(told) = self.still_good(records, now) {
            return Some(told);
        }
        let read = Read {
            changes: records.resource_changes(),
            at: now,
        };
        let offered = records.offered(self.own.as_ref()).await;
        let offered = offered
            .inspect_err(|refused| {
                let cause = refused.label();
                warn!(cause, "the metadata cannot say what is registered");
            })
            .ok()?;
        let metadata = self.fixed.offering(&offered, self.lists_scopes);
        let told = Arc::new(Told {
            document: Document::of(metadata.json()),
            read: Some(read),
        });
        self.told.store(Some(Arc::clone(&told)));
        Some(told)
    }

    fn still_good(&self, records: &Records, now: Duration) -> Option<Arc<Told>> {
        let told = self.told.load_full()?;
        let read = told.read?;
        let is_good =
            read.changes == records.resource_changes() && now.saturating_sub(read.at) < READ_AGAIN;
        is_good.then_some(told)
    }

    /// Without what is registered: clients find the endpoints all the same.
    fn less(&self) -> Arc<Told> {
        Arc::new(Told {
            document: Document::of(self.fixed.json()),
            read: None,
        })
    }
}

#[cfg(test)]
mod tests;
