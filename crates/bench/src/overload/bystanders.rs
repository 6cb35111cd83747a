//! Those who call a little while the service is flooded: health, keys and introspection, which have
//! lanes of their own.

use std::slice;
use std::time::Duration;

use bytes::Bytes;
use countersign::introspection::v1::IntrospectTokenResponse;
use countersign::keys::v1::{ListKeysRequest, ListKeysResponse};
use prost::Message;

use crate::BenchError;
use crate::call::{Call, Connection, Failed, Failures, count_in, decode};
use crate::load::{Arrivals, Tally};
use crate::stand::{Callers, Own, Stand};
use crate::stats::Schedule;

/// Calls of each lane.
const PER_SEC: f64 = 20.0;

/// Whoever has no answer so long after the last call was made gets none.
const PATIENCE: Duration = Duration::from_secs(10);

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const LIST_KEYS: &str = "/countersign.keys.v1.KeyService/ListKeys";

/// `grpc.health.v1.HealthCheckRequest`, as far as it is needed.
#[derive(Clone, PartialEq, Message)]
struct Check {}

/// `grpc.health.v1.HealthCheckResponse`.
#[derive(Clone, PartialEq, Message)]
struct Checked {
    #[prost(int32, tag = "1")]
    status: i32,
}

const SERVING: i32 = 1;

/// What became of their calls.
#[derive(Clone, Debug, Default)]
pub struct Bystanders {
    /// Health checks.
    pub health: Tally,
    /// Key sets.
    pub keys: Tally,
    /// Introspections.
    pub introspection: Tally,
}

impl Bystanders {
    /// Each with its name.
    pub fn each(&self) -> [(&'static str, &Tally); 3] {
        [
            ("health", &self.health),
            ("keys", &self.keys),
            ("introspection", &self.introspection),
        ]
    }

    /// Calls that failed, were shed or had no answer: nobody's should.
    pub fn failures(&self) -> Failures {
        let mut failures = Failures::new();
        for (_, calls) in self.each() {
            count_in(&mut failures, &calls.all_failures());
        }
        failures
    }
}

/// Whoever asks what a token is worth.
pub(super) struct Asking {
    callers: Callers,
    own: Own,
    token: String,
}

impl Asking {
    pub(super) async fn of(stand: &Stand, connection: &Connection) -> Result<Self, BenchError> {
        let token = stand.callers().refresh_tokens().first().cloned();
        Ok(Self {
            callers: stand.callers(),
            own: stand.callers().own_tokens(connection).await?,
            token: token.ok_or_else(|| BenchError::Asked("no family to ask about".to_owned()))?,
        })
    }

    fn call(&self, nth: usize) -> Result<Call, BenchError> {
        self.callers.introspect(nth, self.token.clone(), &self.own)
    }
}

/// Calls in all three lanes for `span`, on a connection of their own. Every call comes when it is
/// due, whatever became of the one before: a lane that stands still makes all of them late.
pub(super) async fn call(
    asking: &Asking,
    connection: &Connection,
    span: Duration,
) -> Result<Bystanders, BenchError> {
    let schedule = Schedule::per_sec(PER_SEC)
        .ok_or_else(|| BenchError::Asked(format!("{PER_SEC} is no rate")))?;
    let lane = Arrivals {
        connections: slice::from_ref(connection),
        schedule,
        calls: schedule.calls_within(span),
        patience: PATIENCE,
    };
    let serving = |answer: Checked| answer.status == SERVING;
    let some = |answer: ListKeysResponse| !answer.keys.is_empty();
    let active = |answer: IntrospectTokenResponse| answer.active;
    let (health, keys, introspection) = tokio::try_join!(
        lane.run(|_| Ok(Call::new(HEALTH, &Check {})), right(serving)),
        lane.run(
            |_| Ok(Call::new(LIST_KEYS, &ListKeysRequest {})),
            right(some)
        ),
        lane.run(|nth| asking.call(nth), right(active)),
    )?;
    Ok(Bystanders {
        health,
        keys,
        introspection,
    })
}

fn right<M: Message + Default>(
    right: impl Fn(M) -> bool + Send + Sync + 'static,
) -> impl Fn(usize, Bytes) -> Result<(), Failed> + Send + Sync + 'static {
    move |_, bytes| match right(decode(bytes)?) {
        true => Ok(()),
        false => Err(Failed::Wrong("not what is there")),
    }
}
