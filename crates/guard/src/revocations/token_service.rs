//! Watching the token service (`RevocationService.WatchRevocations`).

use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::revocation::v1::revocation::Target;
use countersign::revocation::v1::revocation_service_client::RevocationServiceClient;
use countersign::revocation::v1::{
    Revocation as Message, WatchRevocationsRequest, WatchRevocationsResponse,
};
use countersign_client::GuardedChannel;
use countersign_client::outcome::Refused;
use countersign_client::source::BoxFuture;
use countersign_jose::{Thumbprint, UnixTime};
use futures_util::StreamExt as _;
use tonic::Status;
use tracing::warn;

use super::{
    Revocation, RevocationSource, Revocations, RevocationsTold, RevokedTarget, WatchFailed,
};

/// No message of the token service comes near; nothing larger is read.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// What a message says that does not say when the next one comes.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Watches the token service, over a connection that several guards of a process
/// may share. A guard with a [client](crate::Builder::client) makes its own.
pub struct TokenServiceRevocations(RevocationServiceClient<GuardedChannel>);

impl TokenServiceRevocations {
    /// Over a channel to the token service, whose tokens are for its own API and
    /// have the scope `revocations.watch`.
    pub fn new(channel: GuardedChannel) -> Self {
        let client = RevocationServiceClient::new(channel);
        Self(client.max_decoding_message_size(MESSAGE_BYTES_MAX))
    }
}

impl RevocationSource for TokenServiceRevocations {
    fn watch(&self, cursor: Option<String>) -> BoxFuture<'_, Result<Revocations, WatchFailed>> {
        let mut client = self.0.clone();
        let request = WatchRevocationsRequest {
            cursor: cursor.unwrap_or_default(),
        };
        Box::pin(async move {
            let answer = client.watch_revocations(request).await.map_err(failed)?;
            let told = answer.into_inner().map(|message| match message {
                Ok(message) => Ok(told(message)),
                Err(status) => Err(failed(status)),
            });
            Ok(told.boxed())
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err gives")]
fn failed(status: Status) -> WatchFailed {
    match Refused::of(&status) {
        Some(refused) if refused.reason == Reason::CursorTooOld => WatchFailed::CursorTooOld,
        _ => WatchFailed::Unavailable(status.message().to_owned()),
    }
}

fn told(message: WatchRevocationsResponse) -> RevocationsTold {
    RevocationsTold {
        revocations: message.revocations.into_iter().filter_map(read).collect(),
        cursor: message.cursor,
        complete: message.complete,
        heartbeat: message
            .heartbeat_interval
            .and_then(|interval| Duration::try_from(interval).ok())
            .unwrap_or(HEARTBEAT),
    }
}

/// A revocation of a later release may hit what this one knows nothing of: it is passed over, and
/// the log says so.
fn read(message: Message) -> Option<Revocation> {
    let number = message.number;
    let read = || {
        Some(Revocation {
            target: match message.target? {
                Target::TokenId(id) => RevokedTarget::Token(id),
                Target::FamilyId(id) => RevokedTarget::Family(id),
                Target::ClientId(id) => RevokedTarget::Client(id),
                Target::Subject(subject) => RevokedTarget::Subject(subject),
                Target::Jkt(jkt) => RevokedTarget::Key(Thumbprint::parse(&jkt).ok()?),
                Target::Everything(_) => RevokedTarget::Everything,
            },
            revoked_at: time(message.revoke_time?)?,
            forget_at: time(message.forget_time?)?,
        })
    };
    let revocation = read();
    if revocation.is_none() {
        warn!(
            number,
            "a revocation cannot be read, and is not in force here"
        );
    }
    revocation
}

fn time(time: prost_types::Timestamp) -> Option<UnixTime> {
    let secs = u64::try_from(time.seconds).ok()?;
    let nanos = u64::try_from(time.nanos).ok()?;
    Some(UnixTime::from_millis(
        secs.checked_mul(1_000)?.checked_add(nanos / 1_000_000)?,
    ))
}
