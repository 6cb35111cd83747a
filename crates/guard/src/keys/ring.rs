//! The key set in use, and when it is asked for again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_telemetry::spans;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{Instrument as _, info, warn};

use super::{KeySet, KeySetFile, KeySource, KeysUnavailable, PublishedKeys};
use crate::backoff::{Backoff, jittered};
use crate::readiness::Readiness;

/// A fetch that takes longer has failed.
const FETCH: Duration = Duration::from_secs(5);

/// Writing the key set to its file is not waited for any longer.
const SAVE: Duration = Duration::from_secs(1);

/// However long or short a publisher lets its keys be kept.
const AGE_MIN: Duration = Duration::from_secs(10);
const AGE_MAX: Duration = Duration::from_secs(3600);

/// What is called when the key set has changed.
type OnChange = Box<dyn Fn(&KeySet) + Send + Sync>;

/// The key set in use. The last good one stays until a better one comes.
pub(crate) struct KeyRing {
    issuer: String,
    source: Arc<dyn KeySource>,
    file: Option<KeySetFile>,
    /// Held while the file is written.
    saving: Arc<tokio::sync::Mutex<()>>,
    /// Of one who waits to write it, however long a disk hangs: they write what is newest then.
    next_to_save: Arc<Semaphore>,
    /// A token that names an unknown key causes at most one fetch in this time.
    interval: Duration,
    current: Arc<ArcSwapOption<KeySet>>,
    /// When the last fetch began. Held while one for an unknown key is under
    /// way, so that all who wait for it wait for the same.
    asked: tokio::sync::Mutex<Option<Instant>>,
    /// Held by a fetch until what it brought is in use: an answer that was long
    /// under way must not replace a newer one, and bring back a key that is
    /// gone.
    fetching: tokio::sync::Mutex<()>,
    readiness: Arc<Readiness>,
    on_change: Mutex<Option<OnChange>>,
    keepers: Mutex<Vec<AbortHandle>>,
}

/// What a fetch brought.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// Keys, to be fetched again after this.
    Keys(Duration),
    /// Keys of somebody else; the configuration is wrong.
    OfAnother(String),
    /// Nothing.
    Nothing(KeysUnavailable),
}

impl KeyRing {
    pub(crate) fn new(
        issuer: String,
        source: Arc<dyn KeySource>,
        file: Option<KeySetFile>,
        interval: Duration,
        readiness: Arc<Readiness>,
    ) -> Arc<Self> {
        Arc::new(Self {
            issuer,
            source,
            file,
            interval,
            saving: Arc::default(),
            next_to_save: Arc::new(Semaphore::new(1)),
            current: Arc::new(ArcSwapOption::empty()),
            asked: tokio::sync::Mutex::new(None),
            fetching: tokio::sync::Mutex::new(()),
            readiness,
            on_change: Mutex::new(None),
            keepers: Mutex::default(),
        })
    }

    pub(crate) fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    pub(crate) fn on_change(&self, call: OnChange) {
        *self.on_change.lock() = Some(call);
    }

    /// Fetches for the first time; where that fails, takes what is on disk.
    pub(crate) async fn begin(&self) -> Fetched {
        let fetched = self.fetch().await;
        if let (Fetched::Nothing(cause), Some(file)) = (&fetched, &self.file) {
            match file.load(&self.issuer).await {
                Ok(keys) => {
                    warn!(%cause, "the key set of the last run is used until the token service answers");
                    self.install(keys).await;
                }
                Err(on_disk) => warn!(%cause, %on_disk, "no key set yet"),
            }
        }
        fetched
    }

    /// Keeps the key set fresh for as long as the ring is there.
    pub(crate) fn keep_fresh(self: &Arc<Self>, first: &Fetched) {
        let ring = Arc::downgrade(self);
        let mut backoff = Backoff::default();
        let pause = first.pause().unwrap_or_else(|| backoff.next());
        let keeping = tokio::spawn(keep_fresh(ring, pause));
        let watching = tokio::spawn(super::watch::watch(
            Arc::downgrade(self),
            Arc::clone(&self.source),
        ));
        *self.keepers.lock() = vec![keeping.abort_handle(), watching.abort_handle()];
    }

    /// Fetches because a token names an unknown key: all who ask at once share
    /// one fetch, and none follows within the interval.
    pub(crate) async fn look_again(self: &Arc<Self>) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < self.interval) {
            return;
        }
        *asked = Some(Instant::now());
        let ring = Arc::clone(self);
        // A task of its own: a caller that goes away must not take the fetch
        // along, or strangers could keep new keys from arriving.
        let task = tokio::spawn(countersign_telemetry::carry(async move {
            ring.fetch().await;
        }));
        // It ends within its own limit; a panic in it leaves the old keys.
        let _ = task.await;
    }

    /// Fetches, and takes what comes into use.
    pub(crate) async fn fetch(&self) -> Fetched {
        let _fetching = self.fetching.lock().await;
        let asking = self.source.fetch();
        let fetch = async {
            tokio::time::timeout(FETCH, asking)
                .await
                .unwrap_or_else(|_| Err(KeysUnavailable::new("no answer within 5 s")))
        };
        match fetch.instrument(spans::keys_fetch()).await {
            Ok(published) => self.take(published).await,
            Err(cause) => {
                warn!(%cause, "the last good key set stays in use");
                Fetched::Nothing(cause)
            }
        }
    }

    /// Takes what a watch told.
    pub(super) async fn told(&self, published: PublishedKeys) {
        // Waits for a fetch that is under way: its answer may be older.
        let _fetching = self.fetching.lock().await;
        self.take(published).await;
    }

    async fn take(&self, published: PublishedKeys) -> Fetched {
        // Keys of another issuer would let it speak for ours.
        if published.issuer != self.issuer {
            warn!(
                expected = self.issuer,
                published = published.issuer,
                "these are the keys of another issuer, and are not used"
            );
            return Fetched::OfAnother(published.issuer);
        }
        self.install(published.keys).await;
        Fetched::Keys(published.max_age.clamp(AGE_MIN, AGE_MAX) / 2)
    }

    async fn install(&self, keys: countersign_jose::Jwks) {
        let new = Arc::new(KeySet::new(keys));
        let old = self.current.swap(Some(Arc::clone(&new)));
        self.readiness.has_keys();
        if old.is_some_and(|old| *old == *new) {
            return;
        }
        info!(keys = new.jwks().keys().len(), "the key set is new");
        if let Some(on_change) = &*self.on_change.lock() {
            on_change(&new);
        }
        if let Some(file) = &self.file {
            self.save(file.clone()).await;
        }
    }

    /// Writes the key set to its file. A disk that hangs holds nobody up: the next key set comes
    /// into use all the same.
    async fn save(&self, file: KeySetFile) {
        let Ok(next) = Arc::clone(&self.next_to_save).try_acquire_owned() else {
            // Whoever is next writes this one.
            return;
        };
        let saving = tokio::spawn({
            let (issuer, current) = (self.issuer.clone(), Arc::clone(&self.current));
            let one_at_a_time = Arc::clone(&self.saving);
            async move {
                let _saving = one_at_a_time.lock().await;
                // Before it looks: whoever finds somebody waiting is written by them.
                drop(next);
                // By now there may be a newer one.
                match current.load_full() {
                    Some(keys) => file.save(&issuer, keys.jwks()).await,
                    None => Ok(()),
                }
            }
        });
        let saved = tokio::time::timeout(SAVE, saving).await;
        let cause = match saved {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(cause))) => cause,
            Ok(Err(ended)) => KeysUnavailable::new(ended),
            Err(_) => KeysUnavailable::new("not written within 1 s; it may be yet"),
        };
        warn!(%cause, "the key set could not be written to its file");
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        for keeper in self.keepers.lock().drain(..) {
            keeper.abort();
        }
    }
}

impl Fetched {
    /// When to fetch again, if this was a success.
    fn pause(&self) -> Option<Duration> {
        match self {
            Self::Keys(pause) => Some(jittered(*pause)),
            Self::OfAnother(_) | Self::Nothing(_) => None,
        }
    }
}

async fn keep_fresh(ring: Weak<KeyRing>, mut pause: Duration) {
    let mut backoff = Backoff::default();
    loop {
        tokio::time::sleep(pause).await;
        let Some(ring) = ring.upgrade() else { return };
        // A task of its own: a source that panics must not end the keeping.
        let fetched = tokio::spawn(async move { ring.fetch().await })
            .await
            .unwrap_or_else(|error| Fetched::Nothing(KeysUnavailable::new(error)));
        pause = match fetched.pause() {
            Some(pause) => {
                backoff = Backoff::default();
                pause
            }
            None => backoff.next(),
        };
    }
}
