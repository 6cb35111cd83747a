use std::sync::atomic::{AtomicU64, Ordering};

use countersign_store::{MemoryStore, chain};
use tokio::time::advance;

use super::*;
use crate::config;

const DAY: u64 = 24 * 3600;

/// A clock that the test sets.
struct At(AtomicU64);

impl Clock for At {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// A log with an event every hour of so many days, and a service that keeps ten.
struct World {
    store: MemoryStore,
    records: Records,
    clock: Arc<At>,
    audit: Arc<Audit>,
}

async fn world(days: u64) -> World {
    let store = MemoryStore::new();
    for hour in 0..days * 24 {
        let entry = record::trimmed_entry(1, "planted", UnixTime::from_secs(hour * 3600));
        let change = Change::default().append(record::AUDIT, entry);
        store.commit(change).await.expect("written");
    }
    let records = Records::new(Arc::new(store.reopen()));
    let clock = Arc::new(At(AtomicU64::new(days * DAY)));
    let audit = Audit::new(config::Audit {
        retention: Some(Duration::from_secs(10 * DAY)),
        issuance: None,
    });
    audit.run(&records, &(Arc::clone(&clock) as Arc<dyn Clock>));
    World {
        store,
        records,
        clock,
        audit,
    }
}

impl World {
    /// So many hours go by, on the clock and in truth.
    async fn hours(&self, hours: u64) {
        for _ in 0..hours {
            self.clock.0.fetch_add(3600, Ordering::SeqCst);
            self.pass().await;
        }
    }

    /// An hour of running goes by.
    async fn pass(&self) {
        sleep(LOOK).await;
        // Steps of the work that now begins.
        for _ in 0..50 {
            advance(REST).await;
            tokio::task::yield_now().await;
        }
    }

    async fn first(&self) -> u64 {
        self.store
            .start(record::AUDIT)
            .await
            .expect("a start")
            .first
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_retention_goes_a_day_an_hour_and_is_announced() {
    let world = world(13).await;
    world.hours(1).await;
    // Both looks are behind day 3, and a day of the log is 24 entries and that of the cut.
    let first = world.first().await;
    assert_eq!(first, 25);
    world.hours(1).await;
    assert_eq!(world.first().await, 49);
    world.hours(3).await;
    let kept = world.first().await;
    // Three days and the three hours that the looks agree on.
    assert!((72..=78).contains(&kept), "{kept}");

    let all = world
        .store
        .entries(record::AUDIT, 1, 1_000)
        .await
        .expect("entries");
    let told = all
        .iter()
        .map(|entry| record::told(record::AUDIT, &entry.bytes).expect("read"));
    let trims: Vec<_> = told
        .flatten()
        .filter(|told| told.object != "planted")
        .collect();
    assert!(trims.len() >= 3);
    assert_eq!(
        (trims[0].event.as_str(), trims[0].count),
        ("AUDIT_TRIMMED", 24)
    );
    assert_eq!(trims.iter().map(|told| told.count).sum::<u64>(), kept - 1);
    // What it names is what the rest is built on.
    let anchor = world.store.start(record::AUDIT).await.expect("a start");
    let named = format!("audit:{}:{}", anchor.first - 1, anchor.before);
    assert_eq!(
        trims.last().map(|told| told.object.as_str()),
        Some(named.as_str())
    );
    let mut before = anchor.before;
    for entry in &all {
        before = chain::next(before, entry.number, &entry.bytes);
        assert_eq!(before, entry.hash, "{}", entry.number);
    }
    world.audit.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_and_is_set_right_removes_nothing() {
    let world = world(5).await;
    let right = world.clock.0.load(Ordering::SeqCst);
    world.clock.0.store(right + 1_000 * DAY, Ordering::SeqCst);
    world.pass().await;
    assert_eq!(world.first().await, 1, "one look is none");
    world.clock.0.store(right, Ordering::SeqCst);
    world.pass().await;
    assert_eq!(world.first().await, 1, "they do not agree");

    // It stays wrong: then the log goes a day an hour, and not at once.
    world.clock.0.store(right + 1_000 * DAY, Ordering::SeqCst);
    world.pass().await;
    world.pass().await;
    assert_eq!(world.first().await, 25);
    world.audit.close().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_where_all_is_kept_and_the_last_entry_never_does() {
    let world = world(2).await;
    let keep = |retention| config::Audit {
        retention,
        issuance: None,
    };
    world.audit.replace_retention(keep(None));
    world.clock.0.fetch_add(1_000 * DAY, Ordering::SeqCst);
    world.hours(3).await;
    assert_eq!(world.first().await, 1);
    world
        .audit
        .replace_retention(keep(Some(Duration::from_secs(1))));
    world.hours(10).await;
    let last = world
        .store
        .last_number(record::AUDIT)
        .await
        .expect("a number");
    assert!(last > 48, "it was announced");
    assert!(world.first().await <= last);
    drop(world.records);
    world.audit.close().await;
}
