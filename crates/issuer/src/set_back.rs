//! A store that is set back: to a backup, or to what was left of it. What became of anything since
//! is unknown, so a new epoch begins, and whatever was made before is dead.

use countersign_jose::UnixTime;

use crate::change::{Change, Decision, Revocation, RevocationTarget};
use crate::event::{Actor, Event, EventKind, Object};
use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN};
use crate::model::{Epoch, RevokedCause};

/// To what a store was set back.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SetBack {
    /// To a backup.
    Restored,
    /// To what was left after its end was lost.
    Recovered,
}

impl SetBack {
    /// The stable name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Recovered => "recovered",
        }
    }

    /// What [`label`](Self::label) gave.
    pub fn of_label(label: &str) -> Option<Self> {
        [Self::Restored, Self::Recovered]
            .into_iter()
            .find(|how| how.label() == label)
    }
}

/// What is written with the new epoch: that it began, and, for those who verify offline, that every
/// access token from before is dead. `last` is the last entry of the audit log before it, as
/// `log:number:hash`: whoever has a copy of the log sees where the two part.
pub fn begin_epoch(
    how: SetBack,
    epoch: Epoch,
    last: String,
    actor: Actor,
    now: UnixTime,
) -> Change {
    let kind = match how {
        SetBack::Restored => EventKind::StoreRestored,
        SetBack::Recovered => EventKind::StoreRecovered,
    };
    Change::default()
        .event(event(kind, Object::StoreAfter(epoch, last), actor, now))
        .revoke(Revocation {
            target: RevocationTarget::Everything,
            at: now,
            cause: RevokedCause::SetBack,
            forget_at: now.plus(ACCESS_TOKEN_LIFETIME_MAX).plus(CLOCK_MARGIN),
        })
}

/// Lets an operator have a copy of the whole store.
pub fn back_up(epoch: Epoch, actor: Actor, now: UnixTime) -> Decision<()> {
    Change::default()
        .event(event(
            EventKind::StoreBackedUp,
            Object::Store(epoch),
            actor,
            now,
        ))
        .answer(())
}

fn event(kind: EventKind, object: Object, actor: Actor, now: UnixTime) -> Event {
    Event {
        at: now,
        kind,
        client: None,
        actor,
        object,
        reason: None,
        granted: None,
    }
}
