//! Whether the guard can let anybody in, and whether it hears of revocations.

use parking_lot::Mutex;
use tokio::sync::watch;

/// Ready with a key set and, where a limit is set, with recent knowledge of revocations.
pub(crate) struct Readiness {
    has: Mutex<Has>,
    ready: watch::Sender<bool>,
    hears: watch::Sender<bool>,
}

#[derive(Copy, Clone)]
struct Has {
    keys: bool,
    recent_knowledge: bool,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            has: Mutex::new(Has {
                keys: false,
                recent_knowledge: true,
            }),
            ready: watch::Sender::new(false),
            hears: watch::Sender::new(false),
        }
    }
}

impl Readiness {
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    pub(crate) fn subscribe_to_hearing(&self) -> watch::Receiver<bool> {
        self.hears.subscribe()
    }

    /// Revocations are told as they happen, or not.
    pub(crate) fn hears_revocations(&self, hears: bool) {
        set(&self.hears, hears);
    }

    /// There is a key set.
    pub(crate) fn has_keys(&self) {
        self.change(|has| has.keys = true);
    }

    /// What is known of revocations is recent enough, or not.
    pub(crate) fn knowledge_is_recent(&self, recent: bool) {
        self.change(|has| has.recent_knowledge = recent);
    }

    fn change(&self, change: impl FnOnce(&mut Has)) {
        let mut has = self.has.lock();
        change(&mut has);
        set(&self.ready, has.keys && has.recent_knowledge);
    }
}

/// Wakes nobody where nothing changes.
fn set(told: &watch::Sender<bool>, now: bool) {
    told.send_if_modified(|was| std::mem::replace(was, now) != now);
}
