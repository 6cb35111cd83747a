//! The note, and the epoch that follows it.

use std::sync::Arc;

use countersign_store::{Change, MemoryStore, Store, Write};
use tempfile::TempDir;

use super::*;
use crate::record::{self, Recorded as _};

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

async fn with_mark() -> (Records, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    let mark = StoreMark::new(NOW).encode();
    let change = Change::of([Write::create(record::store_key(), mark)]);
    store.commit(change).await.expect("written");
    (Records::new(Arc::clone(&store) as Arc<dyn Store>), store)
}

async fn epoch(records: &Records) -> (u32, Option<UnixTime>) {
    let mark = records.mark().await.expect("read").expect("there").value;
    (mark.epoch.number(), mark.set_back_at)
}

#[tokio::test]
async fn a_start_without_a_note_begins_no_epoch() {
    let folder = TempDir::new().expect("a folder");
    let (records, _) = with_mark().await;
    carry_out(&records, folder.path(), NOW).await.expect("done");
    assert_eq!(epoch(&records).await, (1, None));
}

#[tokio::test]
async fn a_note_begins_an_epoch_once_and_says_so_in_both_logs() {
    for how in [SetBack::Restored, SetBack::Recovered] {
        let folder = TempDir::new().expect("a folder");
        let (records, store) = with_mark().await;
        leave_note(folder.path(), how, 7).expect("written");
        for _ in 0..2 {
            carry_out(&records, folder.path(), NOW).await.expect("done");
            assert_eq!(epoch(&records).await, (2, Some(NOW)));
        }
        for log in [record::AUDIT, record::REVOCATIONS] {
            assert_eq!(store.last_number(log).await, Ok(1), "{}", log.name());
        }
    }
}

#[tokio::test]
async fn the_event_names_the_last_entry_before_it() {
    for entries in 0..3 {
        let folder = TempDir::new().expect("a folder");
        let (records, store) = with_mark().await;
        for _ in 0..entries {
            let entry = record::trimmed_entry(1, "", NOW);
            let append = Change::default().append(record::AUDIT, entry);
            store.commit(append).await.expect("written");
        }
        let before = match store
            .entries(record::AUDIT, 1, 9)
            .await
            .expect("read")
            .last()
        {
            Some(last) => last.hash,
            None => countersign_store::chain::origin(record::AUDIT),
        };
        leave_note(folder.path(), SetBack::Restored, 7).expect("written");
        carry_out(&records, folder.path(), NOW).await.expect("done");
        let written = store.entries(record::AUDIT, entries + 1, 1).await;
        let written = &written.expect("read")[0];
        let told = record::told(record::AUDIT, &written.bytes).expect("readable");
        assert_eq!(told[0].event, "STORE_RESTORED");
        assert_eq!(
            told[0].object,
            format!("epoch:2,audit:{entries}:{before}"),
            "what an earlier `audit verify` noted"
        );
    }
}

#[tokio::test]
async fn a_note_that_says_nothing_is_a_refusal() {
    for text in [
        "",
        "countersign store set back, restored by uid:7",
        "countersign store set back, stolen by uid:7\n",
        "countersign store set back, restored by uid:x\n",
    ] {
        let folder = TempDir::new().expect("a folder");
        let (records, _) = with_mark().await;
        fs::write(folder.path().join(NAME), text).expect("written");
        let refused = carry_out(&records, folder.path(), NOW).await.err();
        let said = refused.expect("refused").to_string();
        assert!(said.contains("set-back"), "{said}");
        assert_eq!(epoch(&records).await, (1, None), "{text}");
    }
}
