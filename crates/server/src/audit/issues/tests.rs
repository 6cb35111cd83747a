use countersign_store::{MemoryStore, Store};

use super::super::{Told, read};
use super::*;
use crate::config;

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

/// A block of one event, of so many bytes and a few more, that is told by `client`.
fn block(client: &str, bytes: usize) -> Vec<u8> {
    record::issued_for_tests(client, bytes)
}

async fn told(store: &MemoryStore, log: countersign_store::Log) -> Vec<Told> {
    let entries = store.entries(log, 1, 1_000).await.expect("entries");
    for entry in &entries {
        assert!(entry.bytes.len() <= BLOCK_BYTES_MAX);
    }
    entries
        .iter()
        .flat_map(|entry| read(log, &entry.bytes).expect("read"))
        .collect()
}

fn audit() -> Arc<Audit> {
    Audit::new(config::Audit {
        retention: None,
        issuance: None,
    })
}

#[tokio::test(start_paused = true)]
async fn events_are_gathered_into_blocks_in_their_order_and_none_is_missing() {
    let store = MemoryStore::new();
    let records = Records::new(Arc::new(store.reopen()));
    let audit = audit();
    let task = tokio::spawn(run(Arc::clone(&audit), records));
    for nth in 0..2_000_u64 {
        audit.issues.add(&block(&nth.to_string(), 100), at(nth));
    }
    sleep(GATHERED * 2).await;
    let clients: Vec<_> = told(&store, record::ISSUANCE).await;
    let clients: Vec<_> = clients.iter().map(|told| told.client.clone()).collect();
    let expected: Vec<_> = (0..2_000_u64).map(|nth| nth.to_string()).collect();
    assert_eq!(clients, expected);
    let blocks = store.last_number(record::ISSUANCE).await.expect("a number");
    assert!(blocks < 20, "{blocks} blocks");

    // One alone is written as soon, and what comes right before the end at the end.
    audit.issues.add(&block("alone", 100), at(1));
    sleep(GATHERED * 2).await;
    audit.issues.add(&block("last", 100), at(1));
    audit.close().await;
    task.await.expect("ends");
    let clients = told(&store, record::ISSUANCE).await;
    let last: Vec<_> = clients
        .iter()
        .rev()
        .take(2)
        .map(|told| told.client.as_str())
        .collect();
    assert_eq!(last, ["last", "alone"]);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_room_is_counted_and_told_in_both_logs() {
    let store = MemoryStore::new();
    let records = Records::new(Arc::new(store.reopen()));
    let audit = audit();
    // Nobody writes: it fills.
    let one = block("a", 1_000);
    let room = (WAITING_BYTES_MAX / one.len()) as u64;
    for nth in 0..room + 7 {
        audit.issues.add(&one, at(nth));
    }
    let waiting = audit.issues.waiting.lock().bytes;
    assert!(waiting <= WAITING_BYTES_MAX, "{waiting}");
    let dropped = audit.issues.write(&records).await.expect("written");
    assert_eq!(dropped, 7);
    let of_log = |told: Vec<Told>| {
        let dropped = told
            .into_iter()
            .filter(|told| told.event == "ISSUANCE_EVENTS_DROPPED");
        dropped
            .map(|told| (told.count, told.at, told.until))
            .collect::<Vec<_>>()
    };
    let expected = [(7, at(room), Some(at(room + 6)))];
    assert_eq!(of_log(told(&store, record::AUDIT).await), expected);
    let issued = told(&store, record::ISSUANCE).await;
    assert_eq!(issued.len() as u64, room + 1);
    assert_eq!(of_log(issued), expected);

    // There is room again, and it is told once.
    assert_eq!(audit.issues.waiting.lock().bytes, 0);
    audit.issues.add(&one, at(1));
    assert_eq!(audit.issues.write(&records).await, Ok(0));
    assert_eq!(told(&store, record::AUDIT).await.len(), 1);
}
