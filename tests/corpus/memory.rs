//! What the process holds.

use std::sync::Arc;

use countersign_guard::NonceMode;
use parking_lot::Mutex;

use crate::case::{self, Class};
use crate::range::Range;
use crate::texts;

/// Far more than an allocator keeps for itself between two times the same load, and far less than
/// the large classes are in their full form: ten thousand calls and more, of 2 KiB each, twice.
const GROWTH_KIB_MAX: u64 = 24 * 1024;

/// What is held now, in KiB.
pub(crate) fn held_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let held = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    held.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Whether as much is held after a load as before it.
pub(crate) fn flat(before_kib: u64, after_kib: u64) -> Result<(), String> {
    let grown = after_kib.saturating_sub(before_kib);
    if grown <= GROWTH_KIB_MAX {
        Ok(())
    } else {
        Err(format!("{grown} KiB more are held than before"))
    }
}

/// The control: a server that keeps 128 KiB of each call does not pass.
pub(crate) fn what_keeps_memory_is_found() -> Result<(), String> {
    let class = Class {
        strides: (29, 29),
        range: Box::new(|| {
            Box::pin(async {
                let kept = Arc::new(Mutex::new(Vec::new()));
                Range::with(NonceMode::Off, move |_| {
                    kept.lock().push(vec![1_u8; 128 << 10])
                })
                .await
            })
        }),
        counted: false,
        ..texts::each_byte_of_a_proof()
    };
    match case::hold(&class) {
        Err(fault) if fault.contains("more are held") => Ok(()),
        other => Err(format!("{other:?} of a server that keeps what it sees")),
    }
}
