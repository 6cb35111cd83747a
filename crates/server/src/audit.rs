//! What happened, for whoever has to answer for it: two logs, each a hash chain.
//!
//! - `audit`: security and administrative events, each written in the commit of what it tells of
//!   (`records.rs`). Refused calls are counted (`refusals.rs`) and
//!   written once a minute, so that strangers cannot fill the log.
//! - `issuance`: tokens that were issued without anything else being written. They wait in a
//!   buffer (`issues.rs`) for at most a quarter of a second; a killed process loses as much.
//!
//! No event holds a token, a secret or a proof.

mod filter;
mod issues;
mod pages;
mod refusals;
mod retention;
mod told;

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_client::clock::Clock;
use countersign_guard::LedgerRefusal;
use countersign_issuer::model::ClientId;
use countersign_issuer::{AuthenticationCause, Claims, Refusal};
use countersign_jose::UnixTime;
use countersign_login::{LoginRefused, Witness};
use countersign_store::Log;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::record;
use crate::records::Records;
use crate::refused::Refused;
pub use filter::Filter;
use issues::Issues;
pub(crate) use issues::Times;
pub(crate) use pages::{Order, Place, Placed, page, placed};
pub(crate) use refusals::Counted;
use refusals::{Refusals, Row};
pub use told::{Told, ToldOutcome, Unreadable};

/// The logs of events, by name.
pub const LOGS: [Log; 2] = [record::AUDIT, record::ISSUANCE];

/// What an entry of one of the [`LOGS`] tells: one event, or those of a block.
///
/// # Errors
/// [`Unreadable`] for what this release does not write.
pub fn read(log: Log, entry: &[u8]) -> Result<Vec<Told>, Unreadable> {
    record::told(log, entry).map_err(|_| Unreadable)
}

/// The names of all events.
pub fn event_names() -> impl Iterator<Item = &'static str> {
    record::event_names()
}

/// What is to be written, and what is to be kept.
pub(crate) struct Audit {
    issues: Issues,
    refusals: Refusals,
    retention: ArcSwap<config::Audit>,
    closing: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Witness for Audit {
    fn login_refused(&self, subject: Option<&str>, why: LoginRefused, at: UnixTime) {
        self.refusals.count(Row::of_login(subject, why), at);
    }
}

impl Audit {
    pub(crate) fn new(retention: config::Audit) -> Arc<Self> {
        Arc::new(Self {
            issues: Issues::default(),
            refusals: Refusals::default(),
            retention: ArcSwap::from_pointee(retention),
            closing: CancellationToken::new(),
            tasks: Mutex::default(),
        })
    }

    /// Keeps entries for so long from now on.
    pub(crate) fn replace_retention(&self, retention: config::Audit) {
        self.retention.store(Arc::new(retention));
    }

    /// Writes what waits to be written, and removes what is old, until [`Audit::close`].
    pub(crate) fn run(self: &Arc<Self>, records: &Records, clock: &Arc<dyn Clock>) {
        let tasks = [
            tokio::spawn(issues::run(Arc::clone(self), records.clone())),
            tokio::spawn(refusals::run(Arc::clone(self), records.clone())),
            tokio::spawn(retention::run(
                Arc::clone(self),
                records.clone(),
                Arc::clone(clock),
                clock.now(),
            )),
        ];
        self.tasks.lock().extend(tasks);
    }

    /// Writes the rest. Before the store is closed, and when nothing happens any more.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            // What went wrong was told when it did.
            let _ = task.await;
        }
    }

    /// Nobody waits for what is not written yet.
    pub(crate) fn abandon(&self) {
        self.closing.cancel();
    }

    /// A token was issued for which nothing is committed.
    pub(crate) fn issued(&self, claims: &Claims, reason: Option<&str>, at: UnixTime) {
        self.issues
            .add(&record::issued_block(claims, reason, at), at);
    }

    /// Takes away what waits, and returns its bytes.
    #[cfg(feature = "seed")]
    pub(crate) fn emptied(&self) -> usize {
        self.issues.emptied()
    }

    /// A call of `caller`, or of nobody that is known, was refused. What is no event by itself is
    /// counted: authentication that failed, proofs that are none or were used before, and what an
    /// authenticated client is not given. What says nothing about the caller is not: a challenge,
    /// a limit, a fault.
    pub(crate) fn refused(&self, caller: Option<&ClientId>, refused: &Refused, at: UnixTime) {
        let (what, client) = match refused {
            // The name that a stranger chose is nobody's name, and does not enter the log.
            Refused::Issuer(Refusal::ClientAuthentication(AuthenticationCause::Unknown)) => {
                (Counted::Authentication, None)
            }
            Refused::Issuer(Refusal::ClientAuthentication(_)) => (Counted::Authentication, caller),
            Refused::Proof {
                challenge: None, ..
            } => (Counted::Authentication, None),
            Refused::Ledger(LedgerRefusal::Replayed | LedgerRefusal::Forgotten) => {
                (Counted::Authentication, caller)
            }
            // The usual course of things: it goes on asking.
            Refused::Issuer(Refusal::AuthorizationPending { .. }) => return,
            Refused::Issuer(_) | Refused::Guessing { .. } if caller.is_some() => {
                (Counted::Request, caller)
            }
            Refused::Issuer(_)
            | Refused::Proof { .. }
            | Refused::Ledger(LedgerRefusal::KeyFull | LedgerRefusal::Full)
            | Refused::DeadlinePassed
            | Refused::Overloaded { .. }
            | Refused::RateLimited { .. }
            | Refused::WatchesTaken { .. }
            | Refused::Guessing { .. }
            | Refused::Crowd { .. }
            | Refused::Field { .. }
            | Refused::CursorTooOld
            | Refused::Store(_)
            | Refused::Backup(_)
            | Refused::Contended
            | Refused::NoNewKey(_)
            | Refused::Fault(_) => return,
        };
        let row = Row::of_client(what, client, refused.label());
        self.refusals.count(row, at);
    }

    /// A browser came back with a request of `client` that began in another one.
    pub(crate) fn other_browser(&self, client: Option<&ClientId>, at: UnixTime) {
        let row = Row::of_client(Counted::Browser, client, "other_browser");
        self.refusals.count(row, at);
    }
}
