//! What the process holds: the bytes of its live allocations, those of the server among them.

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use countersign_guard::NonceMode;
use parking_lot::Mutex;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::case::{self, Class};
use crate::range::Range;
use crate::texts;

/// Counted, so that the kilobyte that a call leaves behind is seen: of resident pages only what
/// an allocator keeps for itself would be.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Buffers of connections, queues and tables that are as large as they happened to be.
const GROWTH_MAX: usize = 96 << 10;

/// Of each case, far less than the least that a server could keep of one by mistake: a `jti`, a
/// thumbprint, a nonce with what holds it.
const GROWTH_MAX_PER_CASE: usize = 32;

/// What the control keeps of each call.
const KEPT: usize = 1 << 10;

/// Connections that were broken on purpose take a moment to be gone.
const MOMENT: Duration = Duration::from_millis(10);
const QUIET_MOMENTS: u32 = 4;

/// What is held, in bytes, when nothing more is given back.
pub(crate) async fn settled() -> usize {
    let mut least = held();
    let mut quiet = 0;
    while quiet < QUIET_MOMENTS {
        tokio::time::sleep(MOMENT).await;
        let now = held();
        quiet = if now < least { 0 } else { quiet + 1 };
        least = least.min(now);
    }
    least
}

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Whether as much is held after a load of so many cases as before it.
pub(crate) fn flat(before: usize, after: usize, cases: usize) -> Result<(), String> {
    let grown = after.saturating_sub(before);
    if grown <= GROWTH_MAX + cases * GROWTH_MAX_PER_CASE {
        Ok(())
    } else {
        Err(format!(
            "{grown} bytes more are held than before {cases} cases"
        ))
    }
}

/// The control: a server that keeps a kilobyte of each call does not pass.
pub(crate) fn what_keeps_memory_is_found() -> Result<(), String> {
    let class = Class {
        strides: (29, 29),
        range: Box::new(|| {
            Box::pin(async {
                let kept = Arc::new(Mutex::new(Vec::new()));
                Range::with(NonceMode::Off, move |_| kept.lock().push(vec![1_u8; KEPT])).await
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
