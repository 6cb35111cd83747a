//! What the audit log costs a call, in processor time.
//!
//! - `issue`: encoding an event and putting it into the buffer, and its part of the block's hash.
//! - `rotate`: encoding an event, and the hash of its entry.
//!
//! `cargo bench -p countersign-server --features seed --bench audit`
#![expect(clippy::unwrap_used, reason = "what cannot be measured has failed")]

use std::hint::black_box;

use countersign_issuer::model::{
    ClientId, FamilyId, RecordId, ResourceUri, Scopes, Subject, TokenId,
};
use countersign_issuer::{Actor, Claims, Event, EventKind, Granted, Object};
use countersign_jose::{Thumbprint, UnixTime};
use countersign_server::Config;
use countersign_server::seed::{Gathering, entry_of};
use countersign_store::{EntryHash, chain};
use criterion::{Criterion, criterion_group, criterion_main};

/// Fewer than the buffer has room for, more than a block.
const ISSUES: usize = 1_000;

fn claims() -> Claims {
    let client = ClientId::parse("checkout").unwrap();
    Claims {
        subject: Subject::of_client(&client),
        audience: vec![ResourceUri::parse("https://orders.internal:8443").unwrap()],
        client,
        scopes: Scopes::parse(&["orders.read", "orders.write"]).unwrap(),
        jkt: Thumbprint::from_bytes([1; 32]),
        certificate: None,
        issued_at: UnixTime::from_secs(1_800_000_000),
        expires_at: UnixTime::from_secs(1_800_000_300),
        id: TokenId::from_bytes([2; 16]),
        family: None,
        auth_time: None,
        acr: None,
        details: Default::default(),
    }
}

fn benches(criterion: &mut Criterion) {
    let claims = claims();
    let gathering = Gathering::new(&Config::default());
    let origin = EntryHash::from_bytes([0; 32]);
    let mut nth = 0;
    criterion.bench_function("issue/event", |bencher| {
        bencher.iter(|| {
            gathering.issued(black_box(&claims), claims.issued_at);
            nth += 1;
            if nth % ISSUES == 0 {
                gathering.emptied();
            }
        });
    });
    gathering.emptied();
    gathering.issued(&claims, claims.issued_at);
    let bytes = vec![7; gathering.emptied()];
    criterion.bench_function("issue/hash", |bencher| {
        // Of a block; this is more than its part, since what a hash costs besides its bytes is
        // paid once a block.
        bencher.iter(|| chain::next(origin, 1, black_box(&bytes)));
    });

    let event = || {
        let client = claims.client.clone();
        Event {
            at: claims.issued_at,
            kind: EventKind::RefreshRotated,
            client: Some(client.clone()),
            actor: Actor::Client(client),
            object: Object::Family(FamilyId::new(RecordId::from_bytes([3; 16]))),
            reason: None,
            granted: Some(Granted {
                token: claims.id,
                scopes: claims.scopes.clone(),
                resources: claims.audience.clone(),
            }),
        }
    };
    criterion.bench_function("rotate/event", |bencher| {
        bencher.iter(|| entry_of(&event()));
    });
    let bytes = entry_of(&event());
    criterion.bench_function("rotate/hash", |bencher| {
        bencher.iter(|| chain::next(origin, 1, black_box(&bytes)));
    });
}

criterion_group!(all, benches);
criterion_main!(all);
