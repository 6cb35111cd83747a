//! Following a log: pages of what is there, then waiting for its head to move.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream;
use tokio::sync::watch;

use crate::laws::SCAN_MAX;
use crate::{Entries, Entry, Health, Log, StoreError};

/// The reading half of a backend that keeps logs.
#[async_trait]
pub(crate) trait Pages: Send + Sync + 'static {
    /// Durable entries of `log` from `from` on.
    async fn page(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;
}

/// Every entry of `log` from `from` on, while `health` says that the store serves. `head` is the
/// number of the log's last durable entry.
///
/// Entries are read by number and never passed along from the writer: a slow follower costs
/// nothing, and cannot miss or repeat one.
pub(crate) fn follow(
    pages: Arc<impl Pages>,
    log: Log,
    from: u64,
    head: watch::Receiver<u64>,
    health: watch::Receiver<Health>,
) -> Entries {
    let next = from.max(1);
    let follower = Follower {
        pages,
        log,
        next,
        head,
        health,
        ready: VecDeque::new(),
    };
    Box::pin(stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        match follower.step().await {
            Ok(entry) => Some((Ok(entry), Some(follower))),
            Err(StoreError::Closed) => None,
            Err(error) => Some((Err(error), None)),
        }
    }))
}

struct Follower<P> {
    pages: Arc<P>,
    log: Log,
    next: u64,
    head: watch::Receiver<u64>,
    health: watch::Receiver<Health>,
    ready: VecDeque<Entry>,
}

impl<P: Pages> Follower<P> {
    async fn step(&mut self) -> Result<Entry, StoreError> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.next = entry.number + 1;
                return Ok(entry);
            }
            self.wait().await?;
            self.ready = self.pages.page(self.log, self.next, SCAN_MAX).await?.into();
        }
    }

    /// Until there is an entry to read, or the store has ended.
    async fn wait(&mut self) -> Result<(), StoreError> {
        let next = self.next;
        let ended = tokio::select! {
            biased;
            ended = self.health.wait_for(|health| *health != Health::Serving) => ended,
            ready = self.head.wait_for(|head| *head >= next) => match ready {
                Ok(_) => return Ok(()),
                Err(_) => return Err(StoreError::Closed),
            },
        };
        // A store that is gone without a word was dropped, which closes it.
        Err(ended
            .ok()
            .and_then(|health| health.refusal())
            .unwrap_or(StoreError::Closed))
    }
}
