//! Revocation by an operator: a token, a family, or all that somebody holds.

use countersign_jose::UnixTime;

use crate::Expect;
use crate::change::{Change, Decision, Known, Record, Revocation, RevocationTarget, RevokedToken};
use crate::event::{Actor, Event, EventKind, Object};
use crate::family;
use crate::holder::{Holder, RevokedHolder};
use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN};
use crate::model::{Family, FamilyId, RevokedCause, TokenId};
use crate::refusal::Refusal;

/// What an operator revokes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// One access token.
    Token(TokenId),
    /// All tokens of a family.
    Family(FamilyId),
    /// All tokens of a holder that were made until now.
    Holder(Holder),
}

/// What the store knows of the target.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The token was revoked before.
    pub token_revoked: bool,
    /// The family.
    pub family: Option<Known<Family>>,
    /// What of the holder's was revoked before.
    pub holder: Option<Known<RevokedHolder>>,
}

/// Decides what an operator's revocation writes; the answer is until when tokens that were made
/// are dead.
///
/// A token's name says nothing about its end, so its revocation is kept for as long as a token
/// lives at most.
pub fn revoke_all(
    target: &Target,
    found: &Found,
    actor: &Actor,
    now: UnixTime,
) -> Decision<UnixTime> {
    let change = Change::default();
    match target {
        Target::Token(_) if found.token_revoked => change.answer(now),
        Target::Token(token) => {
            let until = now.plus(ACCESS_TOKEN_LIFETIME_MAX).plus(CLOCK_MARGIN);
            let revoked = RevokedToken {
                token: *token,
                at: now,
                until,
            };
            change
                .put(Record::RevokedToken(revoked), Expect::Absent)
                .revoke(Revocation {
                    target: RevocationTarget::Token(*token),
                    at: now,
                    cause: RevokedCause::Requested,
                    forget_at: until,
                })
                .event(event(Object::Token(*token), actor, now))
                .answer(now)
        }
        Target::Family(id) => match &found.family {
            None => change.refuse(Refusal::NotFound),
            Some(known) if known.value.revoked.is_some() => change.answer(now),
            Some(known) => {
                let cause = RevokedCause::Requested;
                family::revoke(change, *id, &known.value, known.version, cause, now)
                    .event(event(Object::Family(*id), actor, now))
                    .answer(now)
            }
        },
        Target::Holder(holder) => {
            let before = found.holder.as_ref();
            let revoked = RevokedHolder::now(holder.clone(), now);
            let revoked = match before {
                // A clock that was set back takes nothing back.
                Some(known) if known.value.at > revoked.at => known.value.clone(),
                Some(_) | None => revoked,
            };
            let (told, at) = (revoked.revocation(), revoked.at);
            let expect = before.map_or(Expect::Absent, |known| Expect::Version(known.version));
            change
                .put(Record::RevokedHolder(revoked), expect)
                .revoke(told)
                .event(event(Object::Holder(holder.clone()), actor, now))
                .answer(at)
        }
    }
}

fn event(object: Object, actor: &Actor, now: UnixTime) -> Event {
    Event {
        at: now,
        kind: EventKind::TokensRevoked,
        client: match &object {
            Object::Holder(Holder::Client(client)) => Some(client.clone()),
            _ => None,
        },
        actor: actor.clone(),
        object,
        reason: None,
        granted: None,
    }
}
