//! Watching the token service (`RevocationService.WatchRevocations`).

use std::time::Duration;

use countersign::error::v1::Reason;
use countersign::revocation::v1::revocation::Target;
use countersign::revocation::v1::revocation_service_client::RevocationServiceClient;
use countersign::revocation::v1::{
    Revocation as Message, WatchRevocationsRequest, WatchRevocationsResponse,
};
use countersign_client::GuardedChannel;
use countersign_client::clock::{Clock as _, SystemClock};
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
        revocations: message.revocations.into_iter().map(read).collect(),
        cursor: message.cursor,
        complete: message.complete,
        heartbeat: message
            .heartbeat_interval
            .and_then(|interval| Duration::try_from(interval).ok())
            .unwrap_or(HEARTBEAT),
    }
}

/// A revocation of a later release may hit what this one knows nothing of: then everything that
/// was issued until then is refused, since what is not understood must not be passed over.
fn read(message: Message) -> Revocation {
    let number = message.number;
    let revoked_at = message.revoke_time.and_then(time);
    let forget_at = message.forget_time.and_then(time);
    let target = message.target.and_then(|target| {
        Some(match target {
            Target::TokenId(id) => RevokedTarget::Token(id),
            Target::FamilyId(id) => RevokedTarget::Family(id),
            Target::ClientId(id) => RevokedTarget::Client(id),
            Target::Subject(subject) => RevokedTarget::Subject(subject),
            Target::Jkt(jkt) => RevokedTarget::Key(Thumbprint::parse(&jkt).ok()?),
            Target::Signer(signer) => RevokedTarget::Signer(Thumbprint::parse(&signer).ok()?),
            Target::References(_) => RevokedTarget::References,
            Target::Everything(_) => RevokedTarget::Everything,
        })
    });
    match (target, revoked_at, forget_at) {
        (Some(target), Some(revoked_at), Some(forget_at)) => Revocation {
            target,
            revoked_at,
            forget_at,
        },
        (_, revoked_at, _) => {
            warn!(
                number,
                "a revocation is not understood: all tokens that were issued until then are refused"
            );
            let revoked_at = revoked_at.unwrap_or_else(|| SystemClock.now());
            Revocation {
                target: RevokedTarget::Everything,
                revoked_at,
                forget_at: revoked_at,
            }
        }
    }
}

fn time(time: prost_types::Timestamp) -> Option<UnixTime> {
    let secs = u64::try_from(time.seconds).ok()?;
    let nanos = u64::try_from(time.nanos).ok()?;
    Some(UnixTime::from_millis(
        secs.checked_mul(1_000)?.checked_add(nanos / 1_000_000)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_revokes_everything_until_then() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let good = Message {
            number: 1,
            target: Some(Target::ClientId("c".to_owned())),
            revoke_time: at(1_000),
            forget_time: at(2_000),
        };
        let client = RevokedTarget::Client("c".to_owned());
        assert_eq!(read(good.clone()).target, client);
        let target = |target| Message {
            target,
            ..good.clone()
        };
        for message in [
            // What a later release writes into a field that is not known here.
            target(None),
            target(Some(Target::Jkt("no thumbprint".to_owned()))),
            target(Some(Target::Signer("no thumbprint".to_owned()))),
            Message {
                forget_time: None,
                ..good.clone()
            },
            Message {
                forget_time: at(-1),
                ..good.clone()
            },
        ] {
            let row = format!("{message:?}");
            let read = read(message);
            assert_eq!(read.target, RevokedTarget::Everything, "{row}");
            assert_eq!(read.revoked_at, UnixTime::from_secs(1_000), "{row}");
        }
        let timeless = Message {
            revoke_time: None,
            ..good
        };
        let read = read(timeless);
        assert_eq!(read.target, RevokedTarget::Everything);
        assert!(read.revoked_at > UnixTime::from_secs(1_700_000_000));
    }
}
