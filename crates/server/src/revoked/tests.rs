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
    let revoked = Revoked::new(Epoch::new(3));
    for number in 1..=count {
        revoked.add(number.into(), revocation(number, 2_000 + u64::from(number)));
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
        tokio::spawn(async move { adding.add(number, revocation(9, 2_000)) });
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
    revoked.add(6, revocation(6, 9_001));
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
    let revoked = Arc::new(Revoked::new(Epoch::default()));
    let now = UnixTime::from_secs(2_002);
    follow(&revoked, &store, now).await.expect("it is read");
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
    let revoked = Arc::new(Revoked::new(Epoch::default()));
    let now = UnixTime::from_secs(2_000);
    follow(&revoked, &store, now).await.expect("it is read");
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
