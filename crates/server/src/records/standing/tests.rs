//! What is loaded, and how often.

use std::sync::Arc;

use countersign_issuer::introspect::recognise;
use countersign_issuer::model::{
    Acr, ClientId, Epoch, Generation, RecordId, ResourceUri, Scopes, Subject,
};
use countersign_issuer::{
    Change, Claims, Expect, Handle, HandleKind, Issuer, IssuerName, Lifetimes, MacKey, MacKeyId,
    MacKeys, Record, Reference, RevokedToken, Write,
};
use countersign_jose::{PublishedKey, Thumbprint, UnixTime};
use countersign_store::{MemoryStore, Over, Store, StoreError};
use parking_lot::Mutex;

use super::*;
use crate::records::Outcome;

/// Notes how many keys each load asked for.
struct Counting {
    store: MemoryStore,
    loads: Arc<Mutex<Vec<usize>>>,
}

#[tonic::async_trait]
impl Over for Counting {
    fn beneath(&self) -> &dyn Store {
        &self.store
    }

    async fn load(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, StoreError> {
        self.loads.lock().push(keys.len());
        self.store.load(keys).await
    }
}

struct Stand {
    records: Records,
    loads: Arc<Mutex<Vec<usize>>>,
    issuer: Issuer,
}

impl Stand {
    fn new() -> Self {
        let loads = Arc::<Mutex<Vec<usize>>>::default();
        let store = Counting {
            store: MemoryStore::new(),
            loads: Arc::clone(&loads),
        };
        let key = MacKey::new(MacKeyId::new([1; 4]), &[1; 32]);
        Self {
            records: Records::new(Arc::new(store)),
            loads,
            issuer: Issuer {
                name: IssuerName::parse("https://tokens.internal").expect("a name"),
                lifetimes: Lifetimes::default(),
                mac_keys: MacKeys::new(key, Vec::new()),
                epoch: Epoch::default(),
                set_back_at: None,
            },
        }
    }

    fn text(&self, kind: HandleKind, nth: u8) -> String {
        let handle = Handle {
            kind,
            record: RecordId::from_bytes([nth; 16]),
            generation: Generation::FIRST,
        };
        handle.text(&self.issuer.mac_keys).reveal().to_owned()
    }

    /// What these texts lead to, and how many keys were loaded for them, load by load.
    async fn look_up(&self, texts: &[String]) -> (Vec<Standing>, Vec<usize>) {
        let none: [PublishedKey<'_>; 0] = [];
        let wanted: Vec<_> = texts
            .iter()
            .map(|text| Wanted::of(&recognise(text, &none, &self.issuer)))
            .collect();
        self.loads.lock().clear();
        let standings = self.records.standings(&wanted).await.expect("loaded");
        (standings, std::mem::take(&mut self.loads.lock()))
    }

    async fn put(&self, record: Record) {
        let change = Change {
            writes: vec![Write::Put {
                record,
                expect: Expect::Absent,
            }],
            ..Change::default()
        };
        let done = self.records.commit(&change).await.expect("committed");
        assert!(matches!(done, Outcome::Done(_)));
    }
}

fn reference(nth: u8, family: Option<FamilyId>) -> Reference {
    Reference {
        claims: Claims {
            subject: Subject::parse("ann").expect("a subject"),
            audience: vec![ResourceUri::parse("https://a.example").expect("a URI")],
            client: ClientId::parse("shop").expect("an id"),
            scopes: Scopes::default(),
            jkt: Thumbprint::from_bytes([9; 32]),
            certificate: None,
            issued_at: UnixTime::from_secs(10),
            expires_at: UnixTime::from_secs(310),
            id: TokenId::from_bytes([nth; 16]),
            family,
            auth_time: None,
            acr: Acr::parse("").expect("none"),
            details: Default::default(),
        },
        epoch: Epoch::default(),
    }
}

#[tokio::test]
async fn a_batch_is_one_load_and_one_for_what_references_name() {
    let stand = Stand::new();
    for nth in 0..50 {
        let family = FamilyId::new(RecordId::from_bytes([100 + nth % 3; 16]));
        let family = (nth % 2 == 0).then_some(family);
        stand.put(Record::Reference(reference(nth, family))).await;
    }
    let revoked = RevokedToken {
        token: TokenId::from_bytes([7; 16]),
        at: UnixTime::from_secs(20),
        until: UnixTime::from_secs(370),
    };
    stand.put(Record::RevokedToken(revoked)).await;
    // Each twice.
    let texts: Vec<_> = (0..100)
        .map(|nth| stand.text(HandleKind::Access, nth % 50))
        .collect();
    let (standings, loads) = stand.look_up(&texts).await;
    // A record and a mark for each of 50 tokens; then three families, their client, and what was
    // revoked of client, subject and key.
    assert_eq!(loads, [100, 7]);
    for (nth, standing) in (0..100).zip(&standings) {
        let kept = standing.reference.as_ref().expect("it is there");
        assert_eq!(kept.claims.id, TokenId::from_bytes([nth % 50; 16]));
        assert_eq!(standing.token_revoked, nth % 50 == 7);
    }
}

#[tokio::test]
async fn nothing_is_loaded_for_what_is_no_token() {
    let stand = Stand::new();
    let encoded = |kind: HandleKind| {
        let text = stand.text(kind, 1);
        text[text.len() - 75..].to_owned()
    };
    let mut forged = stand.text(HandleKind::Access, 1);
    let last = forged.pop().expect("a character");
    forged.push(if last == 'A' { 'E' } else { 'A' });
    let texts = [
        "csa_".to_owned(),
        format!("csa_{}", "A".repeat(75)),
        format!("csa_{}", encoded(HandleKind::Refresh)),
        format!("csa_{}", encoded(HandleKind::Code)),
        format!("csr_{}", encoded(HandleKind::Access)),
        stand.text(HandleKind::Code, 1),
        forged,
        "a.b.c".to_owned(),
    ];
    let (standings, loads) = stand.look_up(&texts).await;
    assert_eq!(standings.len(), texts.len());
    assert_eq!(loads, [] as [usize; 0]);
    // What is one is looked for once, there or not.
    let (_, loads) = stand.look_up(&[stand.text(HandleKind::Access, 1)]).await;
    assert_eq!(loads, [2]);
}
