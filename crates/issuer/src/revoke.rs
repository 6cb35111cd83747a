//! Revocation (RFC 7009): a client gives up a token, or all tokens of a family.

use std::borrow::Borrow;

use countersign_jose::{PublishedKey, Thumbprint, UnixTime};

use crate::Expect;
use crate::access_token::Claims;
use crate::authenticate::Authenticated;
use crate::change::{Change, Decision, Known, Record, Revocation, RevocationTarget, RevokedToken};
use crate::event::{Actor, Event, EventKind, Object};
use crate::family;
use crate::introspect::{Recognised, Standing, recognise};
use crate::issuer::{CLOCK_MARGIN, Issuer};
use crate::model::{Client, ClientId, Family, FamilyId, Malformed, RevokedCause};
use crate::refusal::{FieldFault, NotAllowedCause, Refusal};

/// What a client wants revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Revoking {
    /// A token.
    Token(Recognised),
    /// A family.
    Family(FamilyId),
}

impl Revoking {
    /// Reads the field `token`.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] if it is empty. Garbage is no error (RFC 7009 §2.2).
    pub fn token<'k>(
        text: &str,
        keys: impl IntoIterator<Item: Borrow<PublishedKey<'k>>>,
        issuer: &Issuer,
    ) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(FieldFault::new("token", Malformed::Missing).into());
        }
        Ok(Self::Token(recognise(text, keys, issuer)))
    }

    /// Reads the field `family_id`.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] naming the field.
    pub fn family_id(text: &str) -> Result<Self, Refusal> {
        let problem = |problem| Refusal::from(FieldFault::new("family_id", problem));
        if text.is_empty() {
            return Err(problem(Malformed::Missing));
        }
        FamilyId::parse(text).map(Self::Family).map_err(problem)
    }

    /// The token whose revocation, and the family, to look up: as for introspection.
    pub fn recognised(&self) -> Option<&Recognised> {
        match self {
            Self::Token(recognised) => Some(recognised),
            Self::Family(_) => None,
        }
    }

    /// The family to load.
    pub fn family(&self) -> Option<FamilyId> {
        match self {
            Self::Token(recognised) => recognised.family(),
            Self::Family(family) => Some(*family),
        }
    }
}

/// Decides what a revocation writes. What is unknown, expired or revoked already is a success
/// that writes nothing; what is another client's is refused. `proof` is the key of the proof that
/// came with the call, if one did.
pub fn revoke(
    client: &Authenticated<'_>,
    revoking: &Revoking,
    standing: &Standing,
    proof: Option<Thumbprint>,
    now: UnixTime,
) -> Decision<()> {
    let change = Change::by(client);
    let caller = Caller {
        client: client.client(),
        proof,
    };
    match revoking {
        Revoking::Token(Recognised::Access(claims)) => {
            revoke_token(change, caller, claims, standing, now)
        }
        Revoking::Token(Recognised::Reference(_)) => match &standing.reference {
            Some(reference) => revoke_token(change, caller, &reference.claims, standing, now),
            // Swept, or never committed: it is dead.
            None => change.answer(()),
        },
        Revoking::Token(Recognised::Refresh(handle)) => {
            let id = FamilyId::new(handle.record);
            let owns = |family: &Family| caller.owns_by_secret(&family.client, family.jkt);
            revoke_family(change, caller, id, standing, owns, now)
        }
        Revoking::Family(id) => {
            let owns = |family: &Family| caller.owns(&family.client, family.jkt);
            revoke_family(change, caller, *id, standing, owns, now)
        }
        // RFC 7009 §2.2: the client cannot do anything about it anyway.
        Revoking::Token(Recognised::Neither) => change.answer(()),
    }
}

/// Who wants something revoked.
#[derive(Copy, Clone)]
struct Caller<'a> {
    client: &'a Client,
    proof: Option<Thumbprint>,
}

impl Caller<'_> {
    /// RFC 7009 §2.1: the client's own tokens only. Everybody can give the name of a public
    /// client, and whoever is shown an access token can read `fam` in it. So what is a public
    /// client's is given up with its key alone, as it is rotated (RFC 9449 §5).
    fn owns(self, owner: &ClientId, jkt: Thumbprint) -> bool {
        self.client.id == *owner && (!self.client.is_public() || self.proof == Some(jkt))
    }

    /// The same where a refresh token is shown, which nobody but its client is ever shown. Clients
    /// that are no more than RFC 7009 has them send no proof; one that comes must be of its key.
    fn owns_by_secret(self, owner: &ClientId, jkt: Thumbprint) -> bool {
        self.client.id == *owner
            && (!self.client.is_public() || self.proof.is_none_or(|shown| shown == jkt))
    }
}

fn revoke_token(
    change: Change,
    caller: Caller<'_>,
    claims: &Claims,
    standing: &Standing,
    now: UnixTime,
) -> Decision<()> {
    if !caller.owns(&claims.client, claims.jkt) {
        return change.refuse(NotAllowedCause::NotItsToken);
    }
    if standing.token_revoked || now >= claims.expires_at {
        return change.answer(());
    }
    let until = claims.expires_at.plus(CLOCK_MARGIN);
    change
        .put(
            Record::RevokedToken(RevokedToken {
                token: claims.id,
                at: now,
                until,
            }),
            Expect::Absent,
        )
        .revoke(Revocation {
            target: RevocationTarget::Token(claims.id),
            at: now,
            cause: RevokedCause::Requested,
            forget_at: until,
        })
        .event(event(
            EventKind::TokenRevoked,
            caller.client,
            Object::Token(claims.id),
            now,
        ))
        .answer(())
}

/// RFC 7009 §2.1: a refresh token takes the access tokens of its grant with it.
fn revoke_family(
    change: Change,
    caller: Caller<'_>,
    id: FamilyId,
    standing: &Standing,
    owns: impl FnOnce(&Family) -> bool,
    now: UnixTime,
) -> Decision<()> {
    let Some(Known {
        value: family,
        version,
    }) = &standing.family
    else {
        return change.answer(());
    };
    if !owns(family) {
        return change.refuse(NotAllowedCause::NotItsToken);
    }
    if family.revoked.is_some() {
        return change.answer(());
    }
    family::revoke(change, id, family, *version, RevokedCause::Requested, now)
        .event(event(
            EventKind::FamilyRevoked,
            caller.client,
            Object::Family(id),
            now,
        ))
        .answer(())
}

fn event(kind: EventKind, client: &Client, object: Object, now: UnixTime) -> Event {
    Event {
        at: now,
        kind,
        client: Some(client.id.clone()),
        actor: Actor::Client(client.id.clone()),
        object,
        reason: None,
        granted: None,
    }
}
