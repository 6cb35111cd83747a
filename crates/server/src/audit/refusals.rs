//! Refused calls and logins, counted by client or account, reason and minute. A line for each would
//! let strangers fill the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_issuer::model::ClientId;
use countersign_jose::UnixTime;
use countersign_login::LoginRefused;
use countersign_store::{Change, StoreError};
use parking_lot::Mutex;
use tokio::time::sleep;
use tracing::error;

use super::{Audit, Times};
use crate::record;
use crate::records::Records;

/// What is counted is written so often. A stop writes it too; a killed process loses a minute.
const EVERY: Duration = Duration::from_secs(60);

/// Clients and reasons told apart in a minute: 500 KiB of entries if every minute is full. Beyond
/// that, what comes first in the next minute is told apart again.
const ROWS_MAX: usize = 4_096;

/// What is counted when there is no row for it.
const OTHERS: &str = "others";

/// Entries of one commit: others commit in between.
const ENTRIES_PER_COMMIT: usize = 128;

/// What is counted.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Counted {
    /// Nobody has shown who calls.
    Authentication,
    /// An authenticated client asked for what it is not given.
    Request,
    /// A person was not logged in.
    Login,
    /// A browser came back with a request of another one.
    Browser,
}

/// Refused calls of this minute.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<Row, Times>>);

/// What is told apart. The client is a registered one, the subject that of an account.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Row {
    what: Counted,
    client: Option<ClientId>,
    subject: Option<Box<str>>,
    reason: &'static str,
}

impl Row {
    pub(super) fn of_client(
        what: Counted,
        client: Option<&ClientId>,
        reason: &'static str,
    ) -> Self {
        Self {
            what,
            client: client.cloned(),
            subject: None,
            reason,
        }
    }

    pub(super) fn of_login(subject: Option<&str>, why: LoginRefused) -> Self {
        Self {
            what: Counted::Login,
            client: None,
            subject: subject.map(Box::from),
            reason: why.label(),
        }
    }
}

impl Refusals {
    pub(super) fn count(&self, row: Row, at: UnixTime) {
        let mut rows = self.0.lock();
        let row = if rows.len() < ROWS_MAX || rows.contains_key(&row) {
            row
        } else {
            Row {
                client: None,
                subject: None,
                reason: OTHERS,
                ..row
            }
        };
        rows.entry(row).or_default().add(at);
    }

    fn take(&self) -> Vec<(Row, Times)> {
        let mut rows: Vec<_> = self.0.lock().drain().collect();
        rows.sort_by_key(|(_, times)| times.first);
        rows
    }

    async fn write(&self, records: &Records) -> Result<(), StoreError> {
        for rows in self.take().chunks(ENTRIES_PER_COMMIT) {
            let entries = rows.iter().map(|(row, times)| {
                let (client, subject) = (row.client.as_ref(), row.subject.as_deref());
                record::counted_entry(row.what, client, subject, row.reason, times)
            });
            let change = entries.fold(Change::default(), |change, entry| {
                change.append(record::AUDIT, entry)
            });
            records.append(change).await?;
        }
        Ok(())
    }
}

/// Writes them each minute, and once more at the end.
pub(super) async fn run(audit: Arc<Audit>, records: Records) {
    loop {
        let ends = tokio::select! {
            () = sleep(EVERY) => false,
            () = audit.closing.cancelled() => true,
        };
        // A store that failed never becomes well again.
        if let Err(error) = audit.refusals.write(&records).await {
            error!(%error, "cannot write refused calls to the audit log");
            return;
        }
        if ends {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> ClientId {
        ClientId::parse(&format!("client-{number}")).expect("a client id")
    }

    #[test]
    fn one_row_for_each_client_and_reason_with_its_first_and_last_time() {
        let refusals = Refusals::default();
        for secs in [10, 12, 11] {
            let at = UnixTime::from_secs(secs);
            let (first, second) = (client(1), client(2));
            for row in [
                Row::of_client(Counted::Authentication, Some(&first), "a"),
                Row::of_client(Counted::Authentication, Some(&second), "a"),
                Row::of_client(Counted::Authentication, None, "a"),
                Row::of_client(Counted::Request, Some(&first), "a"),
                Row::of_login(Some("ann"), LoginRefused::WrongPassword),
                Row::of_login(Some("bob"), LoginRefused::WrongPassword),
                Row::of_login(None, LoginRefused::Unknown),
            ] {
                refusals.count(row, at);
            }
        }
        let rows = refusals.take();
        assert_eq!(rows.len(), 7);
        for (_, times) in &rows {
            let (first, last) = (UnixTime::from_secs(10), UnixTime::from_secs(12));
            assert_eq!((times.count, times.first, times.last), (3, first, last));
        }
        assert!(refusals.take().is_empty(), "a new minute begins");
    }

    #[test]
    fn a_full_table_counts_the_rest_together_and_takes_no_more_memory() {
        let refusals = Refusals::default();
        let at = UnixTime::from_secs(1);
        for number in 0..3 * ROWS_MAX {
            let row = Row::of_client(Counted::Authentication, Some(&client(number)), "a");
            refusals.count(row, at);
        }
        let rows = refusals.take();
        assert_eq!(rows.len(), ROWS_MAX + 1);
        let others: Vec<_> = rows
            .iter()
            .filter(|(row, _)| row.reason == OTHERS)
            .collect();
        let [(row, times)] = others[..] else {
            panic!("{} rows for others", others.len());
        };
        assert_eq!(
            (row.client.as_ref(), times.count),
            (None, 2 * ROWS_MAX as u64)
        );
    }
}
