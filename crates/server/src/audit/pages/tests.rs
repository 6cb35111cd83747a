use countersign_issuer::model::ClientId;
use countersign_issuer::{Actor, Event, EventKind, Object};
use countersign_jose::UnixTime;
use countersign_store::{Change, MemoryStore};

use super::*;

/// A client of every third event of the audit log, and of every 7th issue.
fn client(nth: u64, of: u64) -> ClientId {
    ClientId::parse(if nth.is_multiple_of(of) {
        "rare"
    } else {
        "usual"
    })
    .expect("a client id")
}

/// A log of so many events, the nth at second n.
async fn audit(events: u64) -> MemoryStore {
    let store = MemoryStore::new();
    for nth in 1..=events {
        let id = client(nth, 3);
        let entry = record::audit_entry(&Event {
            at: UnixTime::from_secs(nth),
            kind: EventKind::ClientUpdated,
            client: Some(id.clone()),
            actor: Actor::Operator { uid: 0 },
            object: Object::Client(id),
            reason: None,
            granted: None,
        });
        let change = Change::default().append(record::AUDIT, entry);
        store.commit(change).await.expect("written");
    }
    store
}

/// The seconds of all events that the filter admits, page by page, and how many pages it took.
async fn all(
    store: &MemoryStore,
    filter: &Filter,
    order: Order,
    limit: usize,
) -> (Vec<u64>, usize) {
    let (mut secs, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let found = page(store, record::AUDIT, filter, order, after, limit, |_| true).await;
        let found = found.expect("a page");
        assert!(found.events.len() <= limit);
        secs.extend(found.events.iter().map(|event| event.told.at.as_secs()));
        pages += 1;
        after = found.after;
        if after.is_none() {
            return (secs, pages);
        }
    }
}

#[tokio::test]
async fn pages_show_each_event_once_in_either_order() {
    let store = audit(700).await;
    let filter = Filter {
        client: "rare".to_owned(),
        ..Filter::default()
    };
    let rare: Vec<u64> = (1..=700).filter(|nth| nth % 3 == 0).collect();
    for limit in [1, 10, 100, 1_000] {
        let (found, _) = all(&store, &filter, Order::OldestFirst, limit).await;
        assert_eq!(found, rare, "{limit}");
        let (mut found, _) = all(&store, &filter, Order::NewestFirst, limit).await;
        found.reverse();
        assert_eq!(found, rare, "{limit}, newest first");
    }
    let (found, _) = all(&MemoryStore::new(), &filter, Order::NewestFirst, 10).await;
    assert!(found.is_empty(), "an empty log");
}

#[tokio::test]
async fn a_filter_that_admits_nothing_ends_a_page_all_the_same() {
    let events = 2 * LOOKED_MAX as u64 + 10;
    let store = audit(events).await;
    let nobody = Filter {
        client: "nobody".to_owned(),
        ..Filter::default()
    };
    for order in [Order::OldestFirst, Order::NewestFirst] {
        assert_eq!(all(&store, &nobody, order, 10).await, (vec![], 3));
    }
    // Since when is known, and all of a page is older by more than a day: nothing can follow.
    let recent = Filter {
        since: Some(UnixTime::from_secs(events).plus(LATE).plus(LATE)),
        ..Filter::default()
    };
    assert_eq!(
        all(&store, &recent, Order::NewestFirst, 10).await,
        (vec![], 1)
    );
    assert_eq!(
        all(&store, &recent, Order::OldestFirst, 10).await,
        (vec![], 3)
    );
}

#[tokio::test]
async fn a_page_ends_where_it_is_full() {
    let store = audit(10).await;
    let mut room = 3;
    let fits = |_: &Placed| {
        room -= 1;
        room >= 0
    };
    let filter = Filter::default();
    let found = page(
        &store,
        record::AUDIT,
        &filter,
        Order::OldestFirst,
        None,
        100,
        fits,
    );
    let found = found.await.expect("a page");
    assert_eq!(found.events.len(), 3);
    assert_eq!(found.after.map(|place| place.number), Some(3));
}
