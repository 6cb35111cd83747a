//! An order service behind the guard, with keys from no token service.

use std::sync::Arc;
use std::time::Duration;

use countersign::example::v1::order_service_server::OrderServiceServer;
use countersign_client::clock::{Clock as _, SystemClock};
use countersign_client::source::BoxFuture;
use countersign_guard::{
    Builder, Guard, KeySource, KeysUnavailable, Ledger, LedgerLimits, PublishedKeys,
};
use countersign_jose::{Algorithm, Jwks, PublicKey, PublishedKey, Thumbprint, jwks, sha256};
use countersign_telemetry::{HttpServerLayer, ServerLayer};
use serde::{Deserialize, Serialize};
use tonic::transport::Server;

use super::clock::WarmClock;
use super::http;
use super::orders::{Nothing, Orders};
use super::telemetry::{self, Tracing};
use crate::{BenchError, keys};

/// What proofs are made for.
pub(crate) const ORIGIN: &str = "https://orders.test:8443";
/// Who issues the tokens.
pub(crate) const ISSUER: &str = "https://tokens.test";

/// One caller makes all calls, and many more than a ledger of the usual size
/// grants to one caller: 20 million are 560 MB, and are never reached.
const LEDGER: LedgerLimits = LedgerLimits {
    entries_max: 20_000_000,
    entries_per_key_max: 20_000_000,
};

/// Longer than any run takes.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// An order service behind a guard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Guarded {
    /// The bytes of its answers.
    pub answer_bytes: usize,
    /// Speaks HTTP without gRPC.
    pub http: bool,
    /// Spent proofs that its ledger remembers from the start on, for longer than any
    /// run takes.
    pub spent: u64,
    /// Spans that leave, if any do: then every call is put into its trace too.
    pub tracing: Option<Tracing>,
}

pub(super) async fn serve(spec: Guarded) -> Result<(), BenchError> {
    let telemetry = match &spec.tracing {
        Some(tracing) => Some(telemetry::begin("info", Some(tracing))?),
        None => None,
    };
    let guard = guard(remembering(spec.spent)?).await?;
    let (url, listener) = super::listen().await?;
    if spec.http {
        super::ready(&super::only(url, None))?;
        let orders = http::orders(spec.answer_bytes, |_| true).layer(guard.http_layer());
        // Left out altogether where nobody wants spans.
        let orders = match &telemetry {
            None => orders,
            Some(_) => orders.layer(HttpServerLayer::new("http", http::route)),
        };
        let served = http::serve(listener, orders).await;
        if let Some(telemetry) = telemetry {
            telemetry::end(telemetry).await;
        }
        return served;
    }
    let orders = OrderServiceServer::new(Orders {
        work: Nothing,
        answer_bytes: spec.answer_bytes,
    });
    super::ready(&super::only(url, None))?;
    let server = match &telemetry {
        // Left out altogether where nobody wants spans.
        None => {
            Server::builder()
                .layer(guard.layer())
                .add_service(orders)
                .serve_with_incoming_shutdown(super::incoming(listener), super::told_to_end())
                .await
        }
        Some(_) => {
            Server::builder()
                .layer(ServerLayer::new())
                .layer(guard.layer())
                .add_service(orders)
                .serve_with_incoming_shutdown(super::incoming(listener), super::told_to_end())
                .await
        }
    };
    if let Some(telemetry) = telemetry {
        telemetry::end(telemetry).await;
    }
    server.map_err(BenchError::preparing("the order service's listener"))
}

/// A ledger with so many spent proofs of many callers, in as many buckets of time
/// as are live under load.
fn remembering(spent: u64) -> Result<Ledger, BenchError> {
    const CALLERS: u64 = 10_000;
    let ledger = Ledger::new(LEDGER);
    let now = SystemClock.now();
    for number in 0..spent {
        let hash = sha256(&[&number.to_be_bytes()]);
        let mut short = [0; 16];
        short.copy_from_slice(&hash[..16]);
        let holder =
            Thumbprint::from_bytes(sha256(&[b"caller", &(number % CALLERS).to_be_bytes()]));
        let until = now.plus(REMEMBERED + Duration::from_secs(number % 80));
        ledger
            .spend_hash(short, holder, until, now)
            .map_err(|refusal| BenchError::preparing("spent proofs")(refusal.label()))?;
    }
    Ok(ledger)
}

async fn guard(ledger: Ledger) -> Result<Guard, BenchError> {
    let wrong = || BenchError::preparing("the guard's key");
    let key = keys::issuer().map_err(wrong())?.public().clone();
    let clock = Arc::new(WarmClock::default());
    let guard = Builder::new(ISSUER)
        .serve(ORIGIN)
        .descriptors(countersign::FILE_DESCRIPTOR_SET)
        .rules(format!(
            "[\"POST {}\"]\nscopes = [\"orders.write\"]",
            http::PATH
        ))
        .ledger(Arc::new(ledger))
        .clock(Arc::clone(&clock) as _)
        .key_source(Arc::new(OneKey(key)))
        .connect()
        .await
        .map_err(BenchError::preparing("the guard"))?;
    clock.started();
    Ok(guard)
}

struct OneKey(PublicKey);

impl KeySource for OneKey {
    fn fetch(&self) -> BoxFuture<'_, Result<PublishedKeys, KeysUnavailable>> {
        let key = PublishedKey {
            kid: "k1",
            algorithm: Algorithm::Es256,
            key: &self.0,
        };
        let keys = Jwks::parse(jwks::publish(&[key]).as_bytes()).map_err(KeysUnavailable::new);
        Box::pin(std::future::ready(keys.map(|keys| PublishedKeys {
            issuer: ISSUER.to_owned(),
            keys,
            max_age: Duration::from_secs(3600),
        })))
    }
}
