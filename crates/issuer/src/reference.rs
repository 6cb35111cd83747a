//! Reference tokens: access tokens that are handles. What one says is in the store, and dies with
//! it.

use countersign_jose::UnixTime;

use crate::Expect;
use crate::access_token::Claims;
use crate::change::{Change, Record};
use crate::handle::{Handle, HandleKind, HandleText};
use crate::issuer::{CLOCK_MARGIN, Issuer};
use crate::model::{AccessTokenFormat, Epoch, Generation};

/// What a reference token says. Whoever reads it has no token: the handle's MAC is not in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// What a JWT in its place would say.
    pub claims: Claims,
    /// The epoch of the store that it was made in: in a later one it is dead, since nobody knows
    /// what became of it.
    pub epoch: Epoch,
}

impl Reference {
    /// When nothing is decided by the record any more.
    pub(crate) fn record_ends_at(&self) -> UnixTime {
        self.claims.expires_at.plus(CLOCK_MARGIN)
    }
}

/// Makes a token in this format. What a reference token says is written with the rest of the
/// change, so that it is there before the handle is handed out; a JWT is signed afterwards.
pub(crate) fn made(
    change: Change,
    claims: &Claims,
    format: AccessTokenFormat,
    issuer: &Issuer,
) -> (Change, Option<HandleText>) {
    match format {
        AccessTokenFormat::Jwt => (change, None),
        AccessTokenFormat::Reference => {
            let reference = Reference {
                claims: claims.clone(),
                epoch: issuer.epoch,
            };
            let handle = Handle {
                kind: HandleKind::Access,
                record: claims.id.record(),
                generation: Generation::FIRST,
            };
            (
                change.put(Record::Reference(reference), Expect::Absent),
                Some(handle.text(&issuer.mac_keys)),
            )
        }
    }
}
