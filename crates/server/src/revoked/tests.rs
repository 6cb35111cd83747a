use std::time::Duration;

use countersign_issuer::RevocationTarget;
use countersign_issuer::model::{RevokedCause, TokenId};
use countersign_store::{Change, MemoryStore, Store};
use futures_util::StreamExt as _;

use super::*;
use crate::record::{REVOCATIONS, revocation_entry};

fn revocation(token: u8, forget_secs: u64) -> Revocation {
    Revocation {
        target: RevocationTarget::Token(TokenId::from_bytes([token; 16])),
        at: UnixTime::from_secs(1_000),
        cause: RevokedCause::Requested,
        forget_at: UnixTime::from_secs(forget_secs),
    }
}

fn revoked(count: u8) -> Arc<Revoked> {
    let revoked = Revoked::new(Epoch::new(3), Arc::new(MemoryStore::new()));
    for number in 1..=count {
        let one = revocation(number, 2_000 + u64::from(number));
        revoked.add(number.into(), one).expect("in order");
    }
    Arc::new(revoked)
}

fn numbers(page: &Page) -> Vec<u64> {
    page.revocations.iter().map(|(number, _)| *number).collect()
}

/// The pages that are there without waiting.
async fn told(revoked: &Arc<Revoked>, cursor: Option<Cursor>, max: usize) -> Vec<Vec<u64>> {
    let mut pages = Box::pin(revoked.watch(cursor, max).expect("a cursor that is known"));
    let mut told = Vec::new();
    loop {
        let page = pages.next().await.expect("a page");
        told.push(numbers(&page));
        if page.complete {
            return told;
        }
    }
}

#[tokio::test]
async fn a_watch_begins_with_all_that_could_matter_or_behind_its_cursor() {
    let revoked = revoked(5);
    assert_eq!(
        told(&revoked, None, 2).await,
        [vec![1, 2], vec![3, 4], vec![5]]
    );
    for after in 0..=5 {
        let rest: Vec<u64> = (after + 1..=5).collect();
        let cursor = Some(revoked.cursor(after));
        assert_eq!(told(&revoked, cursor, 100).await, [rest], "after {after}");
    }
}

#[tokio::test]
async fn what_comes_is_told_at_once_and_once() {
    let revoked = revoked(1);
    let mut pages = Box::pin(revoked.watch(None, 10).expect("it begins"));
    assert_eq!(numbers(&pages.next().await.expect("a page")), [1]);
    for number in 2..=200 {
        let adding = Arc::clone(&revoked);
        tokio::spawn(async move { adding.add(number, revocation(9, 2_000)).expect("in order") });
        let page = pages.next().await.expect("a page");
        assert_eq!(numbers(&page), [number]);
        assert!(page.complete);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_says_that_it_is_alive() {
    let revoked = revoked(0);
    let mut pages = Box::pin(revoked.watch(None, 10).expect("it begins"));
    let begun = tokio::time::Instant::now();
    for beat in 0..3 {
        let page = pages.next().await.expect("a page");
        assert!(page.complete && page.revocations.is_empty());
        assert_eq!(begun.elapsed().as_secs(), HEARTBEAT.as_secs() * beat);
    }
}

#[test]
fn what_could_not_matter_any_more_is_forgotten_from_the_front() {
    let revoked = revoked(5);
    revoked.forget(UnixTime::from_secs(2_000));
    assert_eq!(revoked.len(), 5);
    revoked.forget(UnixTime::from_secs(2_003));
    assert_eq!(revoked.len(), 2);
    let begun = revoked.begin(None).expect("it begins");
    assert_eq!(numbers(&revoked.after(begun, 10)), [4, 5]);
    // Who was told all of those goes on; who was not begins anew.
    assert!(revoked.begin(Some(revoked.cursor(3))).is_ok());
    assert_eq!(revoked.begin(Some(revoked.cursor(2))), Err(TooOld));
    // One that is on its way is told the rest.
    assert_eq!(numbers(&revoked.after(revoked.cursor(1), 10)), [4, 5]);

    revoked.forget(UnixTime::from_secs(9_000));
    assert_eq!(revoked.len(), 0);
    assert!(revoked.begin(Some(revoked.cursor(5))).is_ok());
    revoked.add(6, revocation(6, 9_001)).expect("in order");
    assert_eq!(numbers(&revoked.after(revoked.cursor(5), 10)), [6]);
}

#[test]
fn a_cursor_of_another_epoch_or_of_what_never_was_is_too_old() {
    let revoked = revoked(5);
    let cursor = |text: &str| text.parse::<Cursor>();
    for (text, known) in [
        ("3.5", true),
        ("3.0", true),
        ("3.6", false),
        ("2.5", false),
        ("4.5", false),
        ("3.18446744073709551615", false),
    ] {
        let cursor = cursor(text).expect("a cursor");
        assert_eq!(revoked.begin(Some(cursor)).is_ok(), known, "{text}");
        assert_eq!(cursor.to_string(), text);
    }
    for text in [
        "",
        ".",
        "3",
        "3.",
        ".5",
        "3.5.",
        "3.-1",
        "3.+1",
        "03.5",
        "3.05",
        " 3.5",
        "3.5\n",
        "3.18446744073709551616",
        "4294967296.1",
    ] {
        assert_eq!(cursor(text), Err(NotACursor), "{text:?}");
    }
}

async fn append(store: &dyn Store, revocation: &Revocation) {
    let change = Change::default().append(REVOCATIONS, revocation_entry(revocation));
    store.commit(change).await.expect("it is written");
}

#[tokio::test]
async fn it_follows_the_log_from_what_still_matters_on() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    for number in 1..=5 {
        append(&*store, &revocation(number, 2_000 + u64::from(number))).await;
    }
    let revoked = Arc::new(Revoked::new(Epoch::default(), Arc::clone(&store)));
    let now = UnixTime::from_secs(2_002);
    follow(&revoked, now).await.expect("it is read");
    assert_eq!(told(&revoked, None, 10).await, [vec![3, 4, 5]]);

    let mut news = revoked.news();
    append(&*store, &revocation(6, 3_000)).await;
    let seen = news.wait_for(|last| *last == 6);
    let seen = tokio::time::timeout(Duration::from_secs(60), seen).await;
    seen.expect("it is told").expect("it goes on");
    assert_eq!(told(&revoked, Some(revoked.cursor(5)), 10).await, [vec![6]]);
}

#[tokio::test]
async fn a_watch_ends_when_nobody_follows_the_log_any_more() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let revoked = Arc::new(Revoked::new(Epoch::default(), Arc::clone(&store)));
    let now = UnixTime::from_secs(2_000);
    follow(&revoked, now).await.expect("it is read");
    let mut pages = Box::pin(revoked.watch(None, 10).expect("it begins"));
    assert!(pages.next().await.expect("the first page").complete);
    // Not a revocation: what comes after it cannot be told in order.
    let change = Change::default().append(REVOCATIONS, vec![0xff; 9]);
    store.commit(change).await.expect("it is written");
    let end = tokio::time::timeout(Duration::from_secs(60), pages.next()).await;
    assert!(end.expect("soon").is_none(), "it says nothing more");
    let mut anew = Box::pin(revoked.watch(None, 10).expect("it begins"));
    assert!(
        anew.next().await.is_none(),
        "and nobody is told that all is told"
    );
}

/// Whoever was answered that something is revoked, and starts a guard then, may count on it.
#[tokio::test]
async fn a_watch_is_not_complete_before_all_that_is_written_was_told() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let revoked = Arc::new(Revoked::new(Epoch::default(), Arc::clone(&store)));
    let now = UnixTime::from_secs(1_000);
    follow(&revoked, now).await.expect("it is read");
    let mut old = Box::pin(revoked.watch(None, 10).expect("it begins"));
    assert!(old.next().await.expect("the first page").complete);
    for number in 1..=20 {
        append(&*store, &revocation(1, 2_000)).await;
        // Who follows the log has had no turn yet.
        assert_eq!(
            revoked.after(revoked.cursor(0), 100).cursor.told,
            number - 1
        );
        let mut anew = Box::pin(revoked.watch(None, 100).expect("it begins"));
        let mut told = 0;
        let mut pages = 0;
        loop {
            let page = anew.next().await.expect("a page");
            told += page.revocations.len();
            pages += 1;
            if page.complete {
                break;
            }
        }
        assert_eq!(told as u64, number, "all of it");
        assert!(pages > 1, "the first page did not have it");
        let page = old.next().await.expect("a page");
        assert_eq!((numbers(&page), page.complete), (vec![number], true));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_does_not_say_that_all_was_told_while_the_log_is_not_read() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let revoked = Arc::new(Revoked::new(Epoch::default(), Arc::clone(&store)));
    let mut pages = Box::pin(revoked.watch(None, 10).expect("it begins"));
    assert!(pages.next().await.expect("a page").complete);
    // Nobody follows the log.
    append(&*store, &revocation(1, 2_000)).await;
    for _ in 0..3 {
        let page = pages.next().await.expect("a sign of life");
        assert!(page.revocations.is_empty() && !page.complete);
    }
    revoked.add(1, revocation(1, 2_000)).expect("in order");
    let page = pages.next().await.expect("a page");
    assert!(page.complete && numbers(&page) == [1]);

    // Nor is anything told when nobody can say what was written.
    store.close().await.expect("closed");
    assert!(pages.next().await.is_none());
}

#[test]
fn one_that_lasts_keeps_none_of_those_that_came_after_it() {
    let revoked = revoked(0);
    let day = 1_000 + 86_400;
    for (number, forget_secs) in [(1, 2_000), (2, day), (3, 2_000), (4, day), (5, 2_001)] {
        let one = revocation(1, forget_secs);
        revoked.add(number, one).expect("in order");
    }
    let kept = |told: u64| numbers(&revoked.after(revoked.cursor(told), 100));
    revoked.forget(UnixTime::from_secs(2_000));
    assert_eq!(revoked.len(), 3);
    assert_eq!(kept(0), [2, 4, 5]);
    assert_eq!(kept(2), [4, 5]);
    assert_eq!(kept(4), [5]);
    // Page by page as well, and all of it is told once.
    let mut cursor = revoked.begin(None).expect("it begins");
    for (number, complete) in [(2, false), (4, false), (5, true)] {
        let page = revoked.after(cursor, 1);
        assert_eq!((numbers(&page), page.complete), (vec![number], complete));
        cursor = page.cursor;
    }
    // A cursor from before they were put aside goes on as ever.
    assert!(revoked.begin(Some(revoked.cursor(4))).is_ok());
    assert_eq!(revoked.begin(Some(revoked.cursor(3))), Err(TooOld));

    revoked.forget(UnixTime::from_secs(2_001));
    assert_eq!(kept(0), [2, 4]);
    revoked.add(6, revocation(1, 3_000)).expect("in order");
    assert_eq!(kept(0), [2, 4, 6]);
    assert_eq!(kept(5), [6]);
    revoked.forget(UnixTime::from_secs(day));
    assert_eq!(revoked.len(), 0);
}

#[test]
fn one_that_is_missing_is_noticed() {
    let revoked = revoked(2);
    assert!(revoked.add(4, revocation(4, 2_000)).is_err());
    assert!(revoked.add(2, revocation(2, 2_000)).is_err());
    assert!(revoked.add(3, revocation(3, 2_000)).is_ok());
}
