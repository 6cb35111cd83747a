//! File descriptors: connections must leave some to the rest of the process. A store that cannot
//! open a file has failed, and whoever opens connections must not be able to bring that about.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What is not for connections of the TCP address: those of the admin socket (64), and as many for
/// the store, the log, the collector and the process itself, which have some 20 open.
const KEPT: u64 = 128;

/// What the runtime of a worker has open: two for its poll, one to be woken by, one for signals.
const KEPT_PER_WORKER: u64 = 4;

/// How many connections may be open at once, of the `wanted` ones, beside so many workers. Raises
/// the process's soft limit to the hard one first: the usual soft limit, 1,024, is for programs that
/// use `select`.
pub(crate) fn connections(wanted: usize, workers: usize) -> usize {
    let possible = possible(raised(), workers);
    if possible < wanted {
        warn!(
            wanted,
            possible, "the process may not open enough files for listen.connections_max"
        );
    }
    wanted.min(possible)
}

/// The process's limit, raised where that can be; `None` is no limit.
fn raised() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, highest) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// A process with next to no descriptors serves a few connections and keeps the most.
fn possible(limit: Option<u64>, workers: usize) -> usize {
    let Some(limit) = limit else {
        return usize::MAX;
    };
    let kept = KEPT + KEPT_PER_WORKER * workers as u64;
    let left = limit.saturating_sub(kept).max(limit / 4).max(1);
    usize::try_from(left).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_kept() {
        for (limit, workers, expected) in [
            (Some(1_024), 0, 896),
            (Some(1_024), 2, 888),
            (Some(1_024), 64, 640),
            (Some(100_000), 2, 99_864),
            (Some(160), 2, 40),
            (Some(2), 1, 1),
            (None, 1_024, usize::MAX),
        ] {
            assert_eq!(possible(limit, workers), expected, "{limit:?}");
        }
    }

    #[test]
    fn what_is_wanted_is_not_exceeded() {
        assert_eq!(connections(1, 1), 1);
    }
}
