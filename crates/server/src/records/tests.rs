use countersign_issuer::model::{AccessTokenFormat, DisplayName, Scopes};
use countersign_issuer::{Actor, Event, EventKind, Expect, Object};
use countersign_jose::UnixTime;
use countersign_store::MemoryStore;

use super::*;

fn change(uri: &str) -> Change {
    let now = UnixTime::from_secs(1);
    let uri = ResourceUri::parse(uri).expect("a URI");
    let event = |kind| Event {
        at: now,
        kind,
        client: None,
        actor: Actor::Service,
        object: Object::Resource(uri.clone()),
        reason: None,
        granted: None,
    };
    Change {
        writes: vec![Write::Put {
            record: Record::Resource(Resource {
                uri: uri.clone(),
                display_name: DisplayName::default(),
                scopes: Scopes::default(),
                scope_descriptions: Default::default(),
                access_token_lifetime: None,
                access_token_format: AccessTokenFormat::Jwt,
                created_at: now,
                updated_at: now,
                details_types: Default::default(),
            }),
            expect: Expect::Absent,
        }],
        events: vec![
            event(EventKind::ResourceCreated),
            event(EventKind::ResourceUpdated),
        ],
        revocations: Vec::new(),
    }
}

/// A version is the number of a commit: what took two would give two. So whoever is killed leaves
/// the change and its events, or neither.
#[tokio::test]
async fn a_change_and_its_events_are_one_commit() {
    let store = MemoryStore::new();
    let records = Records::new(Arc::new(store.reopen()));
    for (nth, uri) in (1..).zip(["https://a.example.com", "https://b.example.com"]) {
        let committed = records.commit(&change(uri)).await.expect("committed");
        assert_eq!(committed, Outcome::Done(Version::new(nth)));
        let entries = store.last_number(record::AUDIT).await.expect("a number");
        assert_eq!(entries, 2 * nth);
    }
    // What is refused leaves no event either.
    let raced = records.commit(&change("https://a.example.com")).await;
    assert_eq!(raced.expect("an answer"), Outcome::Raced);
    assert_eq!(store.last_number(record::AUDIT).await, Ok(4));
    let next = records
        .append(store::Change::default().append(record::AUDIT, "x"))
        .await;
    assert_eq!(next, Ok(()));
}
