//! The guard in front of this very service asks no network for what was revoked.

use std::sync::Arc;

use countersign_client::source::BoxFuture;
use countersign_guard::{
    Revocation as Told, RevocationSource, Revocations, RevocationsTold, RevokedTarget, WatchFailed,
};
use countersign_issuer::{Holder, Revocation, RevocationTarget};
use futures_util::StreamExt as _;

use super::{Cursor, HEARTBEAT, Page, Revoked};

/// How many are told at once.
const PAGE: usize = 1_000;

/// [`Revoked`] as a guard asks it.
pub(crate) struct InProcess(pub(crate) Arc<Revoked>);

impl RevocationSource for InProcess {
    fn watch(&self, cursor: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        let begun = begin(&self.0, cursor);
        Box::pin(std::future::ready(begun))
    }
}

fn begin(revoked: &Arc<Revoked>, cursor: Option<String>) -> Result<Revocations, WatchFailed> {
    let cursor = match cursor.map(|text| text.parse::<Cursor>()) {
        None => None,
        Some(Ok(cursor)) => Some(cursor),
        Some(Err(_)) => return Err(WatchFailed::CursorTooOld),
    };
    let pages = revoked
        .watch(cursor, PAGE)
        .map_err(|_| WatchFailed::CursorTooOld)?;
    Ok(pages.map(|page| Ok(told(page))).boxed())
}

fn told(page: Page) -> RevocationsTold {
    RevocationsTold {
        revocations: page
            .revocations
            .into_iter()
            .map(|(_, revocation)| revocation_told(revocation))
            .collect(),
        cursor: page.cursor.to_string(),
        complete: page.complete,
        heartbeat: HEARTBEAT,
    }
}

fn revocation_told(revocation: Revocation) -> Told {
    Told {
        target: match revocation.target {
            RevocationTarget::Token(id) => RevokedTarget::Token(id.to_string()),
            RevocationTarget::Family(id) => RevokedTarget::Family(id.to_string()),
            RevocationTarget::Holder(Holder::Client(client)) => {
                RevokedTarget::Client(client.to_string())
            }
            RevocationTarget::Holder(Holder::Subject(subject)) => {
                RevokedTarget::Subject(subject.to_string())
            }
            RevocationTarget::Holder(Holder::Key(jkt)) => RevokedTarget::Key(jkt),
            RevocationTarget::References => RevokedTarget::References,
            RevocationTarget::Signer(signer) => RevokedTarget::Signer(signer),
            RevocationTarget::Everything => RevokedTarget::Everything,
        },
        revoked_at: revocation.at,
        forget_at: revocation.forget_at,
    }
}
