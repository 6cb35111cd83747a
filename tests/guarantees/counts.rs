//! What was counted, for the table at the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

static COUNTS: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());

/// So many more of these.
pub(crate) fn add(what: &'static str, count: usize) {
    // A test that panicked while it counted has failed anyhow.
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    *counts.entry(what).or_default() += count as u64;
}

/// The table.
pub(crate) fn print() {
    let counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    for (what, count) in counts.iter() {
        println!("{count:>9}  {what}");
    }
}
