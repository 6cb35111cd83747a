//! File descriptors: connections must leave some to the rest of the process. A store that cannot
//! open a file has failed, and whoever opens connections must not be able to bring that about.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What is not for connections of the TCP address: those of the admin socket (64), and as many for
/// the store, the log, the collector and the process itself, which have some 20 open.
const KEPT: u64 = 128;

/// How many connections may be open at once, of the `wanted` ones. Raises the process's soft limit
/// to the hard one first: the usual soft limit, 1,024, is for programs that use `select`.
pub(crate) fn connections(wanted: usize) -> usize {
    let possible = possible(raised());
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
fn possible(limit: Option<u64>) -> usize {
    let Some(limit) = limit else {
        return usize::MAX;
    };
    let left = limit.saturating_sub(KEPT).max(limit / 4).max(1);
    usize::try_from(left).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_kept() {
        for (limit, expected) in [
            (Some(1_024), 896),
            (Some(100_000), 99_872),
            (Some(160), 40),
            (Some(2), 1),
            (None, usize::MAX),
        ] {
            assert_eq!(possible(limit), expected, "{limit:?}");
        }
    }

    #[test]
    fn what_is_wanted_is_not_exceeded() {
        assert_eq!(connections(1), 1);
    }
}
