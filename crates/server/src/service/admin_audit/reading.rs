//! A log as it is stored, for whoever verifies its chain or keeps a copy.

use std::collections::VecDeque;

use countersign::admin::v1::{LogEntry, LogStart, ReadLogResponse};
use countersign_issuer::Refusal;
use countersign_store::{Entry, EntryHash, Log};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tonic::Status;

use crate::records::Records;
use crate::refused::Refused;
use crate::wire::admin::PAGE_BYTES_MAX;

/// Entries read at once: no more than a few hundred KiB, also of blocks.
const READ: usize = 16;

/// From the entry `from` on, or from the first that is kept, to the one that is the last now.
pub(super) async fn read(
    records: &Records,
    log: Log,
    from: u64,
) -> Result<BoxStream<'static, Result<ReadLogResponse, Status>>, Refused> {
    let store = records.store();
    let start = store.start(log).await?;
    let last = store.last_number(log).await?;
    let first = if from == 0 { start.first } else { from };
    if !(start.first..=last.saturating_add(1)).contains(&first) {
        return Err(Refused::Field {
            field: "from",
            expected: "must be the number of an entry that is kept, or 0 for the first of them",
        });
    }
    let before = if first == start.first {
        start.before
    } else {
        hash_of(records, log, first - 1).await?
    };
    let opening = ReadLogResponse {
        start: Some(LogStart {
            first,
            before: before.as_bytes().to_vec(),
            last,
        }),
        entries: Vec::new(),
    };
    let reading = Reading {
        records: records.clone(),
        log,
        next: first,
        last,
        ready: VecDeque::new(),
    };
    let entries = stream::try_unfold(reading, Reading::step).map_err(Status::from);
    Ok(stream::iter([Ok(opening)]).chain(entries).boxed())
}

async fn hash_of(records: &Records, log: Log, number: u64) -> Result<EntryHash, Refused> {
    let entries = records.store().entries(log, number, 1).await?;
    match entries.first() {
        Some(entry) if entry.number == number => Ok(entry.hash),
        _ => Err(Refusal::Changed.into()),
    }
}

struct Reading {
    records: Records,
    log: Log,
    next: u64,
    last: u64,
    ready: VecDeque<Entry>,
}

impl Reading {
    /// As many entries as fit into an answer. `None` behind the last.
    async fn step(mut self) -> Result<Option<(ReadLogResponse, Self)>, Refused> {
        let mut answer = ReadLogResponse::default();
        let mut bytes = 0;
        while self.next <= self.last {
            if self.ready.is_empty() {
                let entries = self
                    .records
                    .store()
                    .entries(self.log, self.next, READ)
                    .await?;
                self.ready = entries.into();
            }
            let Some(entry) = self.ready.front() else {
                break;
            };
            // Trimmed while it was read.
            if entry.number != self.next {
                return Err(Refusal::Changed.into());
            }
            let entry = LogEntry {
                number: entry.number,
                entry: entry.bytes.to_vec(),
                hash: entry.hash.as_bytes().to_vec(),
            };
            bytes += entry.encoded_len();
            if bytes > PAGE_BYTES_MAX && !answer.entries.is_empty() {
                break;
            }
            answer.entries.push(entry);
            self.ready.pop_front();
            self.next += 1;
        }
        Ok((!answer.entries.is_empty()).then_some((answer, self)))
    }
}
