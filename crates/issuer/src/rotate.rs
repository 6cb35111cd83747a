//! Rotation: a refresh token for its successor, and what an old one means.

use countersign_jose::{Thumbprint, UnixTime};

use crate::Expect;
use crate::authenticate::Authenticated;
use crate::carried::Carried;
use crate::change::{Change, Decision, Known, Record};
use crate::event::{Actor, Event, EventKind, Granted, Object};
use crate::family;
use crate::handle::{Handle, HandleKind, MacKeys};
use crate::issue::{Entered, Issued};
use crate::issuer::Issuer;
use crate::model::{
    Catalogue, Client, Family, FamilyId, Generation, Malformed, RevokedCause, TokenId,
};
use crate::policy::Ask;
use crate::reference;
use crate::refusal::{FieldFault, GrantCause, NotAllowedCause, Refusal};

/// A refresh token of this service, presented for its successor.
#[derive(Clone, Debug)]
pub struct Rotation {
    handle: Handle,
    ask: Ask,
}

impl Rotation {
    /// Reads the request. A token that this service did not make is refused here, before anything
    /// is looked up.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] without a token; what [`Ask::parse`] and [`Ask::and_details`]
    /// refuse; [`Refusal::GrantInvalid`] for garbage.
    pub fn parse(
        refresh_token: &str,
        scopes: &[impl AsRef<str>],
        resources: &[impl AsRef<str>],
        authorization_details: &str,
        keys: &MacKeys,
    ) -> Result<Self, Refusal> {
        if refresh_token.is_empty() {
            return Err(FieldFault::new("refresh_token", Malformed::Missing).into());
        }
        let ask = Ask::parse(scopes, resources)?.and_details(authorization_details)?;
        let handle = Handle::parse(HandleKind::Refresh, refresh_token, keys)
            .map_err(|_| GrantCause::NotOurs)?;
        Ok(Self { handle, ask })
    }

    /// The family that the token is of: what to load.
    pub const fn family(&self) -> FamilyId {
        FamilyId::new(self.handle.record)
    }
}

/// Decides what a refresh token is worth.
///
/// Another client's, or (pinned) another key's or certificate's call is refused before generations
/// are looked at, and changes nothing but the audit log. Reuse revokes the family. `catalogue` holds the
/// resources of the family's permissions.
#[expect(
    clippy::too_many_arguments,
    reason = "a decision is a function of all it depends on"
)]
pub fn rotate(
    client: &Authenticated<'_>,
    rotation: &Rotation,
    known: Option<&Known<Family>>,
    catalogue: &Catalogue,
    issuer: &Issuer,
    proof: Thumbprint,
    id: TokenId,
    now: UnixTime,
) -> Decision<Issued> {
    let change = Change::by(client);
    let Some(Known {
        value: family,
        version,
    }) = known
    else {
        return change.refuse(GrantCause::Unknown);
    };
    let family_id = rotation.family();
    if let Err(cause) = presenter(client, family, proof) {
        return change
            .event(mispresented(client.client(), family_id, family, cause, now))
            .refuse(cause);
    }
    if let Err(cause) = stands(client.client(), family, issuer) {
        return change.refuse(cause);
    }
    let step = match step(rotation.handle.generation, family, proof, issuer, now) {
        Ok(step) => step,
        Err(GrantCause::Reused) => {
            let reused = RevokedCause::RefreshReuse;
            return family::revoke(change, family_id, family, *version, reused, now)
                .event(reuse(client.client(), family_id, now))
                .refuse(GrantCause::Reused);
        }
        Err(cause) => return change.refuse(cause),
    };
    // Only now: the access tokens of a family outlive its end, and those of a client its grant,
    // so reuse revokes them until they are dead by themselves.
    if now >= family.ends_at() {
        return change.refuse(GrantCause::Expired);
    }
    if !client.client().grant_types.refresh_token {
        return change.refuse(NotAllowedCause::GrantType);
    }
    let granted = &family.permissions;
    let carried = match Carried::of(granted, &rotation.ask, client, catalogue, issuer) {
        Ok(carried) => carried,
        Err(refusal) => return change.refuse(refusal),
    };
    let claims = match carried.claims((family_id, family), (proof, id), now) {
        Ok(claims) => claims,
        Err(refusal) => return change.refuse(refusal),
    };
    let (change, reference) = reference::made(change, &claims, carried.format(), issuer);
    let issued = Issued {
        claims,
        reference,
        refresh_token: Some(family::refresh_token(family_id, step.generation(), issuer)),
        family: Some(family_id),
        entered: match step {
            Step::Again(_) => Entered::Alone {
                reason: Some("answer_lost"),
            },
            Step::Forward(_) => Entered::WithChange,
        },
    };
    // A family of before its client was registered so is bound from here on.
    let bound_to = family
        .certificate
        .or_else(|| client.refresh_bound_to(carried.certificate()));
    match step {
        Step::Again(_) => change.answer(issued),
        Step::Forward(generation) => change
            .put(
                Record::Family(
                    family_id,
                    Family {
                        certificate: bound_to,
                        ..rotated(family, generation, proof, issuer, now)
                    },
                ),
                Expect::Version(*version),
            )
            .event(Event {
                at: now,
                kind: EventKind::RefreshRotated,
                client: Some(family.client.clone()),
                actor: Actor::Client(family.client.clone()),
                object: Object::Family(family_id),
                reason: None,
                granted: Some(Granted::of(&issued.claims)),
            })
            .answer(issued),
    }
}

/// What presenting a generation leads to.
#[derive(Copy, Clone)]
enum Step {
    /// To this generation, for the first time.
    Forward(Generation),
    /// To this generation, whose answer was lost.
    Again(Generation),
}

impl Step {
    const fn generation(self) -> Generation {
        match self {
            Self::Forward(generation) | Self::Again(generation) => generation,
        }
    }
}

/// Whether the token is in the hands that it was given to.
fn presenter(
    presenter: &Authenticated<'_>,
    family: &Family,
    proof: Thumbprint,
) -> Result<(), GrantCause> {
    let client = presenter.client();
    // RFC 6749 §6: bound to the client.
    if family.client != client.id {
        return Err(GrantCause::OtherClient);
    }
    // RFC 9449 §5: a public client's is bound to the key, whatever the family says.
    if (family.pinned || client.is_public()) && family.jkt != proof {
        return Err(GrantCause::OtherKey);
    }
    // RFC 8705 §4: and to the certificate, however the client is registered today.
    if family.certificate.is_some() && family.certificate != presenter.certificate() {
        return Err(GrantCause::OtherCertificate);
    }
    Ok(())
}

/// Whether there is anything that could be rotated, or revoked for reuse.
fn stands(client: &Client, family: &Family, issuer: &Issuer) -> Result<(), GrantCause> {
    if family.created_at < client.created_at {
        Err(GrantCause::ClientReplaced)
    } else if family.epoch != issuer.epoch {
        Err(GrantCause::EarlierEpoch)
    } else if family.revoked.is_some() {
        Err(GrantCause::Revoked)
    } else if !family.refreshable {
        Err(GrantCause::Unknown)
    } else {
        Ok(())
    }
}

fn step(
    presented: Generation,
    family: &Family,
    proof: Thumbprint,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Step, GrantCause> {
    if presented == family.generation {
        return presented
            .next()
            .map(Step::Forward)
            .ok_or(GrantCause::Exhausted);
    }
    // The clock of another replica, or a clock that was set, may be behind the rotation.
    let apart = now
        .since(family.rotated_at)
        .max(family.rotated_at.since(now));
    let answer_was_lost = presented.next() == Some(family.generation)
        && family.rotated_jkt == proof
        && apart <= issuer.lifetimes.retry_window;
    if answer_was_lost {
        return Ok(Step::Again(family.generation));
    }
    // Also a generation that is yet to come: the record is behind what was handed out, and nobody
    // knows what else was.
    Err(GrantCause::Reused)
}

fn rotated(
    family: &Family,
    generation: Generation,
    proof: Thumbprint,
    issuer: &Issuer,
    now: UnixTime,
) -> Family {
    Family {
        generation,
        rotated_at: now,
        rotated_jkt: proof,
        idle_expires_at: now.plus(issuer.lifetimes.refresh_idle),
        ..family.clone()
    }
}

fn mispresented(
    client: &Client,
    id: FamilyId,
    family: &Family,
    cause: GrantCause,
    now: UnixTime,
) -> Event {
    Event {
        at: now,
        kind: EventKind::RefreshMispresented,
        client: Some(family.client.clone()),
        actor: Actor::Client(client.id.clone()),
        object: Object::Family(id),
        reason: Some(cause.label()),
        granted: None,
    }
}

fn reuse(client: &Client, id: FamilyId, now: UnixTime) -> Event {
    Event {
        at: now,
        kind: EventKind::RefreshReused,
        client: Some(client.id.clone()),
        actor: Actor::Client(client.id.clone()),
        object: Object::Family(id),
        reason: Some(GrantCause::Reused.label()),
        granted: None,
    }
}
