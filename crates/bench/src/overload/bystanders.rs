//! Those who call a little while the service is flooded: health, keys and introspection, which have
//! lanes of their own.

use std::time::{Duration, Instant};

use countersign::introspection::v1::IntrospectTokenResponse;
use countersign::keys::v1::{ListKeysRequest, ListKeysResponse};
use prost::Message;
use tokio::time::{MissedTickBehavior, interval};

use crate::call::{Call, Connection, Failed, Failures, decode};
use crate::stand::{Callers, Own, Stand};
use crate::{BenchError, Measurement};

/// A round of all three, 20 times a second.
const EVERY: Duration = Duration::from_millis(50);

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
    pub health: Measurement,
    /// Key sets.
    pub keys: Measurement,
    /// Introspections.
    pub introspection: Measurement,
}

impl Bystanders {
    /// Each with its name.
    pub fn each(&self) -> [(&'static str, &Measurement); 3] {
        [
            ("health", &self.health),
            ("keys", &self.keys),
            ("introspection", &self.introspection),
        ]
    }

    /// Calls that failed or were shed: nobody's should.
    pub fn failures(&self) -> Failures {
        let mut failures = Failures::new();
        for (_, calls) in self.each() {
            for (failed, count) in &calls.failures {
                *failures.entry(failed.clone()).or_default() += count;
            }
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

/// Calls for ever, one after the other, on a connection of their own. Ends only with an error; a
/// call that is under way when this is dropped is not counted.
pub(super) async fn call(
    bystanders: &mut Bystanders,
    asking: &Asking,
    connection: &Connection,
) -> BenchError {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for nth in 0.. {
        ticks.tick().await;
        let health = Call::new(HEALTH, &Check {});
        let serving = |answer: Checked| answer.status == SERVING;
        timed(&mut bystanders.health, connection, health, serving).await;

        let keys = Call::new(LIST_KEYS, &ListKeysRequest {});
        let some = |answer: ListKeysResponse| !answer.keys.is_empty();
        timed(&mut bystanders.keys, connection, keys, some).await;

        let introspect = match asking.call(nth) {
            Ok(call) => call,
            Err(error) => return error,
        };
        let active = |answer: IntrospectTokenResponse| answer.active;
        timed(
            &mut bystanders.introspection,
            connection,
            introspect,
            active,
        )
        .await;
    }
    BenchError::Asked("more calls than there are numbers".to_owned())
}

async fn timed<M: Message + Default>(
    calls: &mut Measurement,
    connection: &Connection,
    call: Call,
    right: impl Fn(M) -> bool,
) {
    let begun = Instant::now();
    let answer = connection.call(call).await.and_then(decode::<M>);
    let took = begun.elapsed();
    calls.wall += took;
    let outcome = answer.and_then(|answer| match right(answer) {
        true => Ok(()),
        false => Err(Failed::Wrong("not what is there")),
    });
    calls.record(took, outcome);
}
