//! Whose tokens they are: the client that they were issued to, the subject that they speak for,
//! the key that they are bound to.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use countersign_jose::{Thumbprint, UnixTime};

use crate::access_token::Claims;
use crate::change::{Revocation, RevocationTarget};
use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN, REFRESH_ABSOLUTE_MAX};
use crate::model::{ClientId, Family, Revoked, RevokedCause, Subject};

/// Tokens say when they were made in whole seconds, and some are being made while the revocation is
/// written: so a revocation holds for what is made a little later, too.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Somebody whose tokens can be revoked together. Displays as the audit log has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Holder {
    /// The client that they were issued to.
    Client(ClientId),
    /// Whom they speak for.
    Subject(Subject),
    /// The key that they are bound to.
    Key(Thumbprint),
}

/// That all tokens of a holder that were made until then are dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevokedHolder {
    /// Whose.
    pub holder: Holder,
    /// Until when they were made.
    pub at: UnixTime,
    /// When the last of them is dead anyway, and the record not needed any more.
    pub until: UnixTime,
}

impl Holder {
    /// Those whose access token it is.
    pub fn of_token(claims: &Claims) -> [Self; 3] {
        [
            Self::Client(claims.client.clone()),
            Self::Subject(claims.subject.clone()),
            Self::Key(claims.jkt),
        ]
    }

    /// Those whose family it is, with since when. Where a client may bring another key, that is the
    /// key that the family was issued to, and the one that its current refresh token was given to.
    pub fn of_family(family: &Family) -> Vec<(Self, UnixTime)> {
        let mut holders = vec![
            (Self::Client(family.client.clone()), family.created_at),
            (Self::Subject(family.subject.clone()), family.created_at),
            (Self::Key(family.jkt), family.created_at),
        ];
        if family.rotated_jkt != family.jkt {
            holders.push((Self::Key(family.rotated_jkt), family.rotated_at));
        }
        holders
    }
}

/// Until when tokens are made that are made by now, or under way.
pub(crate) fn with_what_is_under_way(now: UnixTime) -> UnixTime {
    UnixTime::from_secs(now.as_secs() + 1).plus(UNDER_WAY)
}

impl RevokedHolder {
    /// What is made by now, and what is under way.
    pub(crate) fn now(holder: Holder, now: UnixTime) -> Self {
        Self::until(holder, with_what_is_under_way(now))
    }

    /// What was made until then.
    pub fn until(holder: Holder, at: UnixTime) -> Self {
        Self {
            holder,
            at,
            until: at
                .plus(REFRESH_ABSOLUTE_MAX)
                .plus(ACCESS_TOKEN_LIFETIME_MAX)
                .plus(CLOCK_MARGIN),
        }
    }

    /// The same for those who verify offline.
    pub(crate) fn revocation(&self) -> Revocation {
        Revocation {
            target: RevocationTarget::Holder(self.holder.clone()),
            at: self.at,
            cause: RevokedCause::Requested,
            forget_at: self.at.plus(ACCESS_TOKEN_LIFETIME_MAX).plus(CLOCK_MARGIN),
        }
    }
}

impl Family {
    /// The same family, when all was revoked that its holders had at those times.
    #[must_use]
    pub fn revoked_with(self, until: &HashMap<Holder, UnixTime>) -> Self {
        if self.revoked.is_some() {
            return self;
        }
        let holders = Holder::of_family(&self).into_iter();
        let hits = holders.filter_map(|(holder, since)| {
            let until = until.get(&holder).copied();
            until.filter(|until| since <= *until)
        });
        let cause = RevokedCause::Requested;
        match hits.max() {
            Some(at) => Self {
                revoked: Some(Revoked { at, cause }),
                ..self
            },
            None => self,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => write!(f, "client:{client}"),
            Self::Subject(subject) => write!(f, "subject:{subject}"),
            Self::Key(jkt) => write!(f, "jkt:{jkt}"),
        }
    }
}
