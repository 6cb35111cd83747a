//! What every [`Store`] keeps, as functions to run against one.
//!
//! Each "must" in the trait's documentation names a law here. A backend joins with one line in its
//! tests, which makes a test of each law:
//!
//! ```text
//! countersign_store::store_laws!(memory, MemoryPlace::default());
//! ```
//!
//! A law takes a [`Place`], a home for records that can be opened again, and panics where it is
//! broken. An exemption belongs into the backend's test, with its reason.

mod commits;
mod logs;
mod records;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::commits::*;
pub use self::logs::*;
pub use self::records::*;

use crate::{Change, Commit, Done, Key, Log, Store, Write};

/// The most records or entries in one page.
pub const SCAN_MAX: usize = 1000;

/// A home for records, empty at first. A law opens it, closes what it opened, and opens it again.
#[async_trait]
pub trait Place: Send + Sync {
    /// The store on the records of this place.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Makes a module of tests, one for each law, against fresh places made by an expression.
#[macro_export]
macro_rules! store_laws {
    ($backend:ident, $place:expr) => {
        $crate::store_laws! { @each $backend, $place;
            expired_records_are_returned_until_swept
            a_load_answers_in_order
            what_is_read_is_durable
            a_change_is_all_or_nothing
            a_wrong_expectation_conflicts
            of_two_racing_commits_one_is_done
            what_is_acknowledged_survives
            a_version_never_returns
            entries_are_numbered_without_a_gap
            entries_form_a_chain
            a_malformed_change_is_refused
            an_empty_change_is_done
            a_scan_visits_each_record_once
            a_scan_stays_under_its_prefix
            a_sweep_removes_what_has_expired
            a_sweep_is_bounded
            a_sweep_goes_by_the_latest_expiry
            a_trim_is_bounded
            a_trim_keeps_the_last_entry
            a_trimmed_log_keeps_its_anchor
            a_trimmed_log_is_read_from_its_start
            a_log_is_read_by_pages
            a_watch_has_no_gap_and_no_duplicate
            a_watch_ends_with_the_store
            a_closed_store_says_so
        }
    };
    (@each $backend:ident, $place:expr; $($law:ident)*) => {
        mod $backend {
            use super::*;
            $(
                #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    let place = $place;
                    $crate::laws::$law(&place).await;
                }
            )*
        }
    };
}

const LOG: Log = Log::named("law");
const OTHER_LOG: Log = Log::named("law.other");

async fn done(store: &dyn Store, change: Change) -> Done {
    match store.commit(change).await.expect("a commit is answered") {
        Commit::Done(done) => done,
        Commit::Conflict(key) => panic!("a conflict at {key}, where nothing else writes"),
    }
}

async fn load(store: &dyn Store, key: &Key) -> Option<crate::Versioned> {
    let found = store
        .load(std::slice::from_ref(key))
        .await
        .expect("a load is answered");
    assert_eq!(found.len(), 1);
    found.into_iter().next().flatten()
}

async fn sweep(store: &dyn Store, now_millis: u64, max: usize) -> crate::Swept {
    store
        .sweep(now_millis, max)
        .await
        .expect("a sweep is answered")
}

async fn trim(store: &dyn Store, below: u64, max: usize) -> (usize, bool) {
    let trimmed = store.trim(LOG, below, max).await;
    let trimmed = trimmed.expect("a trim is answered");
    (trimmed.removed, trimmed.more)
}

/// The first bytes of all values under a prefix, by pages.
async fn scan_all(store: &dyn Store, prefix: &Key, limit: usize) -> Vec<u8> {
    let mut values = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .scan(prefix, after.as_ref(), limit)
            .await
            .expect("a scan is answered");
        assert!(page.records.len() <= limit.max(1));
        values.extend(page.records.into_iter().map(|(_, record)| record.value[0]));
        match page.next {
            Some(next) => after = Some(next),
            None => return values,
        }
    }
}

/// Adds 1 so many times: reads, commits what it expects, and reads again after a conflict.
async fn count(store: Arc<dyn Store>, key: Key, times: u32) {
    for _ in 0..times {
        loop {
            let write = match load(&*store, &key).await {
                None => Write::create(key.clone(), 1_u32.to_be_bytes().to_vec()),
                Some(found) => {
                    let next = as_number(&found.value) + 1;
                    Write::replace(key.clone(), found.version, next.to_be_bytes().to_vec())
                }
            };
            let end = store
                .commit(Change::of([write]))
                .await
                .expect("a commit is answered");
            if matches!(end, Commit::Done(_)) {
                break;
            }
        }
    }
}

fn as_number(value: &[u8]) -> u32 {
    u32::from_be_bytes(value.try_into().expect("a counter has four bytes"))
}
