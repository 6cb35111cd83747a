//! What is removed, by which clock, and how much of it at once.

use countersign_issuer::model::RevokedCause;
use countersign_issuer::{Revocation, RevocationTarget};
use countersign_jose::UnixTime;
use countersign_store::{Change, EmbeddedStore, Key, MemoryStore, Options, Write};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// When the tests begin.
const BEGIN: UnixTime = UnixTime::from_secs(1_800_000_000);

/// A clock that is set by hand.
struct At(Mutex<UnixTime>);

impl At {
    fn new(time: UnixTime) -> Arc<Self> {
        Arc::new(Self(Mutex::new(time)))
    }

    fn set(&self, time: UnixTime) {
        *self.0.lock() = time;
    }
}

impl Clock for At {
    fn now(&self) -> UnixTime {
        *self.0.lock()
    }
}

async fn write(store: &dyn Store, name: &str, count: u32, expires_at: UnixTime) {
    for part in 0..count.div_ceil(200) {
        let writes = (part * 200..count.min(part * 200 + 200)).map(|n| {
            let key = Key::of(name).and(n.to_be_bytes());
            Write::create(key, "x").expiring_at(expires_at.as_millis())
        });
        store.commit(Change::of(writes)).await.expect("written");
    }
}

async fn left(store: &dyn Store, name: &str) -> usize {
    let page = store.scan(&Key::of(name), None, 1000).await.expect("read");
    page.records.len()
}

/// Sweeps until there is a pause. Returns the number of batches.
async fn pass(janitor: &mut Janitor) -> usize {
    let mut batches = 1;
    while janitor.sweep().await != PAUSE {
        batches += 1;
    }
    batches
}

#[tokio::test]
async fn what_expired_long_ago_goes_in_batches_and_nothing_else() {
    let store = Arc::new(MemoryStore::new());
    let kept = Write::create(Key::of("kept"), "x");
    store.commit(Change::of([kept])).await.expect("written");
    write(&*store, "recent", 1, BEGIN.plus(MINUTE)).await;
    write(&*store, "old", 1_200, BEGIN).await;
    let mut janitor = Janitor::new(store.clone(), At::new(BEGIN.plus(GRACE)), PASS_MAX);
    assert_eq!(pass(&mut janitor).await, 1_200_usize.div_ceil(BATCH));
    let found = ["old", "recent", "kept"].map(|name| left(&*store, name));
    let found = futures_util::future::join_all(found).await;
    assert_eq!(found, [0, 1, 1]);
}

#[tokio::test]
async fn a_pass_looks_at_no_more_than_its_maximum() {
    let store = Arc::new(MemoryStore::new());
    write(&*store, "old", 1_000, BEGIN).await;
    let mut janitor = Janitor::new(store.clone(), At::new(BEGIN.plus(DAY)), 400);
    pass(&mut janitor).await;
    assert_eq!(left(&*store, "old").await, 600);
    pass(&mut janitor).await;
    assert_eq!(left(&*store, "old").await, 200);
}

/// Whatever the clock jumps by, a sweep removes what it would have removed without the jump.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ahead_removes_nothing_more() {
    let folder = TempDir::new().expect("a folder");
    let embedded = |jump: Duration| {
        let path = folder.path().join(jump.as_secs().to_string());
        std::fs::create_dir(&path).expect("made");
        Arc::new(EmbeddedStore::open(&path, Options::default()).expect("opened"))
    };
    let jumps = [10 * SECOND, HOUR, DAY, YEAR];
    let on_disk = jumps.map(|jump| (jump, embedded(jump) as Arc<dyn Store>));
    let in_memory = jumps.map(|jump| (jump, Arc::new(MemoryStore::new()) as Arc<dyn Store>));
    for (jump, store) in on_disk.into_iter().chain(in_memory) {
        write(&*store, "old", 300, BEGIN.minus(GRACE).minus(MINUTE)).await;
        write(&*store, "due", 300, BEGIN.minus(GRACE).plus(MINUTE)).await;
        // Of use for another five minutes, as the longest assertion is.
        write(&*store, "live", 300, BEGIN.plus(5 * MINUTE)).await;
        let clock = At::new(BEGIN);
        let mut janitor = Janitor::new(store.clone(), clock.clone(), PASS_MAX);
        clock.set(BEGIN.plus(jump));
        pass(&mut janitor).await;
        // By the time that passes, not by the jump.
        let found = ["old", "due", "live"].map(|name| left(&*store, name));
        let found = futures_util::future::join_all(found).await;
        assert_eq!(found, [0, 300, 300], "{jump:?} ahead");

        tokio::time::advance(10 * MINUTE).await;
        clock.set(BEGIN.plus(10 * MINUTE));
        pass(&mut janitor).await;
        let found = ["due", "live"].map(|name| left(&*store, name));
        let found = futures_util::future::join_all(found).await;
        assert_eq!(found, [0, 300], "{jump:?} ahead and back");
    }
}

/// A jump of a day that lasts is followed after two hours; one back deletes nothing until then.
#[tokio::test(start_paused = true)]
async fn a_clock_that_stays_ahead_is_believed_after_two_hours() {
    let store = Arc::new(MemoryStore::new());
    write(&*store, "live", 10, BEGIN.plus(20 * HOUR)).await;
    let clock = At::new(BEGIN);
    let mut janitor = Janitor::new(store.clone(), clock.clone(), PASS_MAX);
    for looks in 1..=240_u32 {
        tokio::time::advance(PAUSE).await;
        clock.set(BEGIN.plus(DAY).plus(PAUSE * looks));
        pass(&mut janitor).await;
        let there = if looks < 240 { 10 } else { 0 };
        assert_eq!(left(&*store, "live").await, there, "after {looks} looks");
    }
}

/// One look after `passed` by a clock that then is `off` from where it should be.
#[test]
fn belief_follows_time_and_not_jumps() {
    let look = |passed: Duration, ahead: Duration, behind: Duration| {
        let clock = BEGIN.plus(passed).plus(ahead).minus(behind);
        let after = Belief::of(BEGIN).look(clock, passed);
        (after.earlier(clock).as_millis(), after.doubts())
    };
    let zero = Duration::ZERO;
    let at = |time: UnixTime| time.as_millis();
    for (what, passed, ahead, behind, believed, doubts) in [
        ("a right clock", PAUSE, zero, zero, BEGIN.plus(PAUSE), false),
        (
            "a little fast",
            PAUSE,
            SECOND,
            zero,
            BEGIN.plus(31 * SECOND),
            false,
        ),
        (
            "a little slow",
            PAUSE,
            zero,
            SECOND,
            BEGIN.plus(29 * SECOND),
            false,
        ),
        // Followed by a tenth of what passed.
        (
            "10 s ahead",
            PAUSE,
            10 * SECOND,
            zero,
            BEGIN.plus(33 * SECOND),
            false,
        ),
        (
            "10 s behind",
            PAUSE,
            zero,
            10 * SECOND,
            BEGIN.plus(20 * SECOND),
            false,
        ),
        (
            "an hour ahead",
            PAUSE,
            HOUR,
            zero,
            BEGIN.plus(33 * SECOND),
            true,
        ),
        (
            "an hour behind",
            PAUSE,
            zero,
            HOUR,
            BEGIN.plus(PAUSE).minus(HOUR),
            true,
        ),
        (
            "a year ahead",
            PAUSE,
            YEAR,
            zero,
            BEGIN.plus(33 * SECOND),
            true,
        ),
        ("a year ahead at once", zero, YEAR, zero, BEGIN, false),
        // Nobody looked for so long: as good as having stayed there.
        (
            "a day ahead after hours",
            3 * HOUR,
            DAY,
            zero,
            BEGIN.plus(3 * HOUR).plus(DAY),
            false,
        ),
    ] {
        assert_eq!(
            look(passed, ahead, behind),
            (at(believed), doubts),
            "{what}"
        );
    }
}

/// However fast the clock runs or jumps between looks, belief is at most a tenth faster than time.
#[test]
fn belief_is_never_much_faster_than_time() {
    for (step, name) in [
        (2 * SECOND, "fast"),
        (50 * SECOND, "steps"),
        (HOUR, "hours"),
    ] {
        let mut belief = Belief::of(BEGIN);
        let mut clock = BEGIN;
        let mut passed = Duration::ZERO;
        while passed < HOUR {
            clock = clock.plus(SECOND).plus(step);
            passed += SECOND;
            belief = belief.look(clock, SECOND);
            let most = BEGIN.plus(passed).plus(passed / 10);
            assert!(belief.earlier(clock) <= most, "{name}");
        }
    }
}

#[test]
fn a_rest_follows_the_work_within_bounds() {
    let rests = [0, 10, 60_000].map(|millis| rest(Duration::from_millis(millis)));
    assert_eq!(rests, [REST_MIN, Duration::from_millis(30), REST_MAX]);
}

#[tokio::test]
async fn revocations_go_from_the_front_when_no_clock_could_bring_their_tokens_back() {
    let store = MemoryStore::new();
    // Each forgotten a minute later than the one before; the third as late as the last.
    for minutes in [1, 2, 600, 3, 600] {
        let revocation = Revocation {
            target: RevocationTarget::Everything,
            at: BEGIN,
            cause: RevokedCause::SetBack,
            forget_at: BEGIN.plus(MINUTE * minutes),
        };
        let entry = record::revocation_entry(&revocation);
        let change = Change::default().append(REVOCATIONS, entry);
        store.commit(change).await.expect("written");
    }
    let first = async || store.start(REVOCATIONS).await.expect("read").first;
    for (minutes, expected) in [(0, 1), (1, 2), (2, 3), (599, 3), (600, 5), (9_999, 5)] {
        let until = BEGIN.plus(MINUTE * minutes);
        trim_revocations(&store, until).await.expect("trimmed");
        assert_eq!(first().await, expected, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn more_revocations_than_a_batch_go_in_one_pass() {
    let store = MemoryStore::new();
    let revocation = Revocation {
        target: RevocationTarget::Everything,
        at: BEGIN,
        cause: RevokedCause::SetBack,
        forget_at: BEGIN.plus(MINUTE),
    };
    let count = 2 * REVOCATIONS_BATCH as u64 + 1;
    for _ in 0..count {
        let entry = record::revocation_entry(&revocation);
        let change = Change::default().append(REVOCATIONS, entry);
        store.commit(change).await.expect("written");
    }
    trim_revocations(&store, BEGIN.plus(HOUR))
        .await
        .expect("trimmed");
    // The last entry of a log stays: numbers go on from it.
    assert_eq!(store.start(REVOCATIONS).await.expect("read").first, count);
}
