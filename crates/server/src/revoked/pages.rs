//! A watch: what is there, what comes, and signs of life.

use std::sync::Arc;

use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Cursor, HEARTBEAT, Page, Revoked};

/// Pages from `begun` on. The first comes at once, also without anything on it. Ends when nobody
/// follows the log any more.
pub(super) fn pages(
    revoked: Arc<Revoked>,
    begun: Cursor,
    max: usize,
) -> impl Stream<Item = Page> + Send {
    let watching = Watching {
        news: revoked.news(),
        revoked,
        cursor: begun,
        max,
        begun: false,
    };
    stream::unfold(watching, Watching::step)
}

struct Watching {
    revoked: Arc<Revoked>,
    news: watch::Receiver<u64>,
    cursor: Cursor,
    max: usize,
    /// The first page was told.
    begun: bool,
}

impl Watching {
    async fn step(mut self) -> Option<(Page, Self)> {
        // Others have their turn while a new watcher is told all that there is.
        tokio::task::consume_budget().await;
        let mut page = self.page().await?;
        if page.revocations.is_empty() && self.begun {
            let (told, revoked) = (self.cursor.told, &self.revoked);
            let news = self
                .news
                .wait_for(|last| *last > told || revoked.has_ended());
            // The sender lives as long as what it tells of.
            let _ = timeout(HEARTBEAT, news).await;
            page = self.page().await?;
        }
        if self.revoked.has_ended() {
            return None;
        }
        self.begun = true;
        self.cursor = page.cursor;
        Some((page, self))
    }

    /// What there is to tell now. None where nobody can say what was written: silence would be
    /// taken for peace.
    async fn page(&self) -> Option<Page> {
        // Asked first: what is written later need not be told by now.
        let written = self.revoked.written().await.ok()?;
        let page = self.revoked.after(self.cursor, self.max);
        Some(Page {
            complete: page.complete && page.cursor.told >= written,
            ..page
        })
    }
}
