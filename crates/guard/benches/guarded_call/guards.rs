//! What stands in front of the service.

use std::sync::Arc;
use std::time::Duration;

use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::source::BoxFuture;
use countersign_guard::{
    Builder, Guard, KeySource, KeysUnavailable, NonceMode, PublishedKeys, Revocation,
    RevocationSource, Revocations, RevocationsTold, RevokedTarget, WatchFailed,
};
use countersign_jose::{Algorithm, Jwks, PublicKey, PublishedKey, jwks};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use tokio_stream::StreamExt as _;

pub(crate) const ORIGIN: &str = "https://orders.test:8443";
pub(crate) const ISSUER: &str = "https://tokens.test";

/// A rule with all that a rule can have.
const RULES: &str = r#"
["/countersign.example.v1.OrderService/CreateOrder"]
scopes = ["orders.write"]
any_scopes = ["orders.admin", "orders.read"]
acr_values = ["urn:example:silver", "urn:example:gold"]
max_age = "36000s"
resource = "https://orders.test:8443"
"#;

/// What a guard is told of.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Knows {
    Keys,
    Revocations,
    /// And asks for all that a rule can ask for.
    RevocationsAndRules,
}

pub(crate) async fn guard(issuer: PublicKey, knows: Knows) -> Guard {
    let builder = Builder::new(ISSUER)
        .serve(ORIGIN)
        .nonces(NonceMode::Off)
        .key_source(Arc::new(OneKey(issuer)));
    let builder = match knows {
        Knows::Keys | Knows::Revocations => builder.descriptors(countersign::FILE_DESCRIPTOR_SET),
        Knows::RevocationsAndRules => builder.descriptors(without_rules()).rules(RULES),
    };
    if knows == Knows::Keys {
        return builder.connect().await.unwrap();
    }
    let builder = builder.revocation_source(Arc::new(Revoked));
    let guard = builder.connect().await.unwrap();
    assert!(guard.counts().revocations >= 1_000_000, "all are known");
    guard
}

/// The descriptors of the services, without their options: a method has one rule.
fn without_rules() -> Vec<u8> {
    let mut set = FileDescriptorSet::decode(countersign::FILE_DESCRIPTOR_SET).unwrap();
    let services = set.file.iter_mut().flat_map(|file| &mut file.service);
    for method in services.flat_map(|service| &mut service.method) {
        method.options = None;
    }
    set.encode_to_vec()
}

/// Tells of a million revocations, none of which hits the caller, and then of
/// one every ten milliseconds: what was looked up is looked up again each time.
struct Revoked;

const REVOKED: u64 = 1_000_000;
const AT_ONCE: u64 = 1_000;

impl RevocationSource for Revoked {
    fn watch(&self, _: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        let all = (0..REVOKED / AT_ONCE).map(|page| revoked(page * AT_ONCE, AT_ONCE));
        let more = tokio_stream::iter(REVOKED..).throttle(Duration::from_millis(10));
        let told = tokio_stream::iter(all).chain(more.map(|number| revoked(number, 1)));
        let told: Revocations = Box::pin(told.map(Ok));
        Box::pin(std::future::ready(Ok(told)))
    }
}

fn revoked(from: u64, count: u64) -> RevocationsTold {
    let now = SystemClock.now();
    RevocationsTold {
        revocations: (from..from + count)
            .map(|number| Revocation {
                target: RevokedTarget::Token(number.to_string()),
                revoked_at: now,
                forget_at: now.plus(Duration::from_secs(3_600)),
            })
            .collect(),
        cursor: String::new(),
        complete: from + count >= REVOKED,
        heartbeat: Duration::from_secs(5),
    }
}

struct OneKey(PublicKey);

impl KeySource for OneKey {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        let key = PublishedKey {
            kid: "k1",
            algorithm: Algorithm::Es256,
            key: &self.0,
        };
        let keys = Jwks::parse(jwks::publish(&[key]).as_bytes()).unwrap();
        Box::pin(std::future::ready(Ok(PublishedKeys {
            issuer: ISSUER.to_owned(),
            keys,
            max_age: Duration::from_secs(3600),
        })))
    }
}
