//! What becomes of a family: how it begins, how it ends, what it hands out.

use countersign_jose::UnixTime;

use crate::change::{Change, Record, Revocation, RevocationTarget};
use crate::handle::{Handle, HandleKind, HandleText};
use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, CLOCK_MARGIN, Issuer};
use crate::model::{Family, FamilyId, Generation, Revoked, RevokedCause};
use crate::{Expect, Version};

/// Writes that the family is revoked, and tells those who verify offline. A family that was
/// revoked before stays as it was.
pub(crate) fn revoke(
    change: Change,
    id: FamilyId,
    family: &Family,
    version: Version,
    cause: RevokedCause,
    now: UnixTime,
) -> Change {
    if family.revoked.is_some() {
        return change;
    }
    let revoked = Family {
        revoked: Some(Revoked { at: now, cause }),
        ..family.clone()
    };
    change
        .put(Record::Family(id, revoked), Expect::Version(version))
        .revoke(Revocation {
            target: RevocationTarget::Family(id),
            at: now,
            cause,
            forget_at: now.plus(ACCESS_TOKEN_LIFETIME_MAX).plus(CLOCK_MARGIN),
        })
}

/// The refresh token of that generation: a function of family and generation.
pub(crate) fn refresh_token(id: FamilyId, generation: Generation, issuer: &Issuer) -> HandleText {
    Handle {
        kind: HandleKind::Refresh,
        record: id.record(),
        generation,
    }
    .text(&issuer.mac_keys)
}

impl Family {
    /// When nothing is decided by the record any more: its last access token is dead.
    pub(crate) fn record_ends_at(&self) -> UnixTime {
        self.ends_at()
            .plus(ACCESS_TOKEN_LIFETIME_MAX)
            .plus(CLOCK_MARGIN)
    }
}
