//! Figures of the store, as the contracts have them.

use countersign::admin::v1::{GetStoreStatsResponse, StoreLog, StoreRecords};
use countersign_issuer::model::Epoch;
use countersign_store::embedded::{Counts, Stats};

/// `counts` where they were asked for.
pub(crate) fn stats(figures: Stats, counts: Option<Counts>, epoch: Epoch) -> GetStoreStatsResponse {
    let logs = figures.logs.into_iter();
    let records = counts.unwrap_or_default().records.into_iter();
    GetStoreStatsResponse {
        commits: figures.commits,
        disk_bytes: figures.disk_bytes,
        inspected: figures.inspected,
        waiting: figures.waiting as u64,
        waiting_max: figures.waiting_max as u64,
        epoch: epoch.number(),
        logs: logs
            .map(|(log, last_number)| StoreLog { log, last_number })
            .collect(),
        records: records
            .map(|(kind, count)| StoreRecords { kind, count })
            .collect(),
    }
}
