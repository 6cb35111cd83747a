//! When what is registered is read again, and what is told while it cannot be.

use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_issuer::model::{
    AccessTokenFormat, DetailsSchema, DetailsType, DisplayName, RegisteredTypes, Resource, Scopes,
};
use countersign_issuer::{Change, Expect, Record, Write};
use countersign_jose::UnixTime;
use countersign_store::{self as store, Commit, MemoryStore, Over, Store, StoreError};
use futures_util::poll;
use serde_json::{Value, json};

use super::*;

const TYPES: &str = "authorization_details_types_supported";
const START: Duration = Duration::from_secs(1_000);

/// A store that never ends a commit.
struct Stuck(MemoryStore);

#[tonic::async_trait]
impl Over for Stuck {
    fn beneath(&self) -> &dyn Store {
        &self.0
    }

    async fn commit(&self, _: store::Change) -> Result<Commit, StoreError> {
        std::future::pending().await
    }
}

/// The resource with one type of details.
fn resource(uri: &str, kind: &str) -> Change {
    let kind = DetailsType::parse(kind).expect("a type");
    let schema = DetailsSchema::parse(&kind, "{}").expect("a schema");
    let at = UnixTime::from_secs(1);
    let resource = Resource {
        uri: ResourceUri::parse(uri).expect("a URI"),
        display_name: DisplayName::default(),
        scopes: Scopes::parse(&["use"]).expect("scopes"),
        scope_descriptions: Default::default(),
        access_token_lifetime: None,
        access_token_format: AccessTokenFormat::Jwt,
        details_types: RegisteredTypes::from_iter([(kind, schema)]),
        created_at: at,
        updated_at: at,
    };
    Change {
        writes: vec![Write::Put {
            record: Record::Resource(resource),
            expect: Expect::Absent,
        }],
        ..Change::default()
    }
}

async fn commit(records: &Records, change: &Change) {
    records.commit(change).await.expect("committed");
}

fn latest() -> Latest {
    Latest {
        fixed: Metadata::default(),
        own: None,
        lists_scopes: false,
        read: ArcSwapOption::empty(),
        reading: Mutex::default(),
        failed_at: ArcSwapOption::empty(),
    }
}

/// A clock that stands at this time after the start.
struct At(Duration);

impl Clock for At {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(0).plus(self.0)
    }
}

impl Latest {
    async fn types(&self, records: &Records, now: Duration) -> Value {
        let told = self.told(records, &At(now)).await;
        let said: Value = serde_json::from_slice(&told.document.json).expect("JSON");
        said[TYPES].clone()
    }

    async fn is_current(&self, records: &Records, now: Duration) -> bool {
        self.told(records, &At(now)).await.is_current
    }
}

#[tokio::test]
async fn what_another_hand_wrote_is_told_soon_and_ones_own_at_once() {
    let store = MemoryStore::new();
    let here = Records::new(Arc::new(store.reopen()));
    let elsewhere = Records::new(Arc::new(store.reopen()));
    let latest = latest();
    assert_eq!(latest.types(&here, START).await, Value::Null);
    commit(&elsewhere, &resource("https://a.example", "a")).await;
    let almost = START + READ_AGAIN - Duration::from_millis(1);
    assert_eq!(latest.types(&here, almost).await, Value::Null);
    let soon = START + READ_AGAIN;
    assert_eq!(latest.types(&here, soon).await, json!(["a"]));
    commit(&here, &resource("https://b.example", "b")).await;
    assert_eq!(latest.types(&here, soon).await, json!(["a", "b"]));
}

/// It may have been committed all the same.
#[tokio::test]
async fn a_change_that_nobody_waited_for_counts() {
    let records = Records::new(Arc::new(Stuck(MemoryStore::new())));
    let before = records.resource_changes();
    let change = resource("https://a.example", "a");
    {
        let mut under_way = std::pin::pin!(records.commit(&change));
        assert!(poll!(&mut under_way).is_pending());
        assert_eq!(records.resource_changes(), before, "not before its end");
    }
    assert_ne!(records.resource_changes(), before);
}

#[tokio::test]
async fn without_the_store_the_last_is_told_or_what_is_certain() {
    let records = Records::new(Arc::new(MemoryStore::new()));
    commit(&records, &resource("https://a.example", "a")).await;
    let known = latest();
    assert_eq!(known.types(&records, START).await, json!(["a"]));

    records.store().close().await.expect("closed");
    assert!(known.is_current(&records, START).await);
    let later = START + READ_AGAIN;
    assert_eq!(known.types(&records, later).await, json!(["a"]));
    assert!(
        !known.is_current(&records, later).await,
        "nobody may keep it"
    );
    let new = latest();
    assert_eq!(new.types(&records, later).await, Value::Null);
    assert!(!new.is_current(&records, later).await, "nobody may keep it");
}

/// A store that gives no answer, and counts how often it was asked.
#[derive(Default)]
struct Deaf {
    beneath: MemoryStore,
    asked: AtomicUsize,
}

#[tonic::async_trait]
impl Over for Deaf {
    fn beneath(&self) -> &dyn Store {
        &self.beneath
    }

    async fn scan(
        &self,
        _: &store::Key,
        _: Option<&store::Key>,
        _: usize,
    ) -> Result<store::Page, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Err(StoreError::Unavailable("it is deaf".to_owned()))
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_left_alone_for_a_moment() {
    let store = Arc::new(Deaf::default());
    let records = Records::new(Arc::clone(&store) as Arc<dyn Store>);
    let latest = latest();
    let almost = START + PAUSE - Duration::from_millis(1);
    for (now, asked) in [(START, 1), (START, 1), (almost, 1), (START + PAUSE, 2)] {
        assert!(!latest.is_current(&records, now).await);
        assert_eq!(store.asked.load(Ordering::Relaxed), asked, "{now:?}");
    }
}
