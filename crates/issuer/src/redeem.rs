//! Authorization codes (RFC 6749 §4.1.3, RFC 7636) and device codes (RFC 8628 §3.4): redeemed once,
//! and what a second time means.

mod poll;

use std::time::Duration;

use countersign_jose::{Thumbprint, UnixTime};

use crate::Expect;
use crate::authenticate::Authenticated;
use crate::carried::Carried;
use crate::change::{Change, Decision, Known, Record};
use crate::event::{Actor, Event, EventKind, Granted, Object};
use crate::family;
use crate::handle::{Handle, HandleKind, MacKeys};
use crate::issue::{Entered, Issued};
use crate::issuer::{CLOCK_MARGIN, Issuer};
use crate::model::{
    Approval, Authorization, Catalogue, Client, CodeVerifier, Family, FamilyId, Generation,
    Malformed, RecordId, RefreshKey, RevokedCause, Stage, TokenId, Way,
};
use crate::policy::Ask;
use crate::reference;
use crate::refusal::{FieldFault, GrantCause, NotAllowedCause, Refusal};

pub use poll::SLOW_DOWN;

/// How long a redeemed code is remembered: a stolen one is tried within minutes, or when somebody
/// next reads the log that it was found in.
const REDEEMED_REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// The fields of a request that redeems a code.
#[derive(Copy, Clone)]
pub struct CodeForm<'a, S> {
    /// `authorization_code.code`
    pub code: &'a str,
    /// `authorization_code.redirect_uri`; empty where it is not said.
    pub redirect_uri: &'a str,
    /// `authorization_code.code_verifier`
    pub code_verifier: &'a str,
    /// `scopes`
    pub scopes: &'a [S],
    /// `resources`
    pub resources: &'a [S],
    /// `authorization_details`
    pub authorization_details: &'a str,
}

/// The fields of a request that asks with a device code.
#[derive(Copy, Clone)]
pub struct DeviceCodeForm<'a, S> {
    /// `device_code.device_code`
    pub device_code: &'a str,
    /// `scopes`
    pub scopes: &'a [S],
    /// `resources`
    pub resources: &'a [S],
    /// `authorization_details`
    pub authorization_details: &'a str,
}

/// A code of this service, presented for tokens.
#[derive(Clone, Debug)]
pub struct Redemption {
    handle: Handle,
    with: With,
    ask: Ask,
}

/// What is presented with a code.
#[derive(Clone, Debug)]
enum With {
    /// What an authorization code was asked for with.
    Redirect {
        redirect_uri: Option<String>,
        verifier: CodeVerifier,
    },
    /// Nothing: a device keeps its code to itself.
    Nothing,
}

/// The names of what a redemption makes.
#[derive(Copy, Clone, Debug)]
pub struct Fresh {
    /// Of the access token.
    pub token: TokenId,
    /// Of the family.
    pub family: FamilyId,
}

impl Redemption {
    /// Reads the request. A code that this service did not make is refused here, before anything
    /// is looked up.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] without code, and for a malformed verifier; what [`Ask::parse`]
    /// refuses; [`Refusal::GrantInvalid`] for garbage and without a verifier.
    pub fn parse<S: AsRef<str>>(form: &CodeForm<'_, S>, keys: &MacKeys) -> Result<Self, Refusal> {
        if form.code.is_empty() {
            return Err(FieldFault::new("authorization_code.code", Malformed::Missing).into());
        }
        let verifier =
            CodeVerifier::parse(form.code_verifier).map_err(|problem| match problem {
                // RFC 7636 §4.6: a request without verifier is an invalid grant.
                Malformed::Missing => GrantCause::VerifierMissing.into(),
                _ => Refusal::from(FieldFault::new("authorization_code.code_verifier", problem)),
            })?;
        let ask = Ask::parse(form.scopes, form.resources)?;
        let ask = ask.and_details(form.authorization_details)?;
        let handle =
            Handle::parse(HandleKind::Code, form.code, keys).map_err(|_| GrantCause::NotOurs)?;
        Ok(Self {
            handle,
            with: With::Redirect {
                redirect_uri: Some(form.redirect_uri.to_owned()).filter(|uri| !uri.is_empty()),
                verifier,
            },
            ask,
        })
    }

    /// Reads the request of a device.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] without a code; what [`Ask::parse`] refuses;
    /// [`Refusal::GrantInvalid`] for garbage.
    pub fn parse_device<S: AsRef<str>>(
        form: &DeviceCodeForm<'_, S>,
        keys: &MacKeys,
    ) -> Result<Self, Refusal> {
        if form.device_code.is_empty() {
            return Err(FieldFault::new("device_code.device_code", Malformed::Missing).into());
        }
        let ask = Ask::parse(form.scopes, form.resources)?;
        let ask = ask.and_details(form.authorization_details)?;
        let handle = Handle::parse(HandleKind::Device, form.device_code, keys)
            .map_err(|_| GrantCause::NotOurs)?;
        Ok(Self {
            handle,
            with: With::Nothing,
            ask,
        })
    }

    /// The stable name of the grant, for spans.
    pub const fn grant(&self) -> &'static str {
        match self.with {
            With::Redirect { .. } => "authorization_code",
            With::Nothing => "device_code",
        }
    }

    /// The authorization that the code is of: what to load first.
    pub const fn record(&self) -> RecordId {
        self.handle.record
    }
}

impl Authorization {
    /// The family that its code was redeemed for: what else to load.
    pub const fn redeemed_for(&self) -> Option<FamilyId> {
        match &self.stage {
            Stage::Redeemed { family, .. } => Some(*family),
            Stage::Pending | Stage::Returning(_) | Stage::Approved(_) | Stage::Denied => None,
        }
    }

    /// When nothing is decided by the record any more.
    pub(crate) fn record_ends_at(&self) -> UnixTime {
        let ends_at = match &self.stage {
            Stage::Pending | Stage::Returning(Err(_)) | Stage::Denied => self.expires_at,
            Stage::Returning(Ok(approval)) | Stage::Approved(approval) => {
                self.expires_at.max(approval.code_expires_at)
            }
            Stage::Redeemed { approval, .. } => approval.code_expires_at.plus(REDEEMED_REMEMBERED),
        };
        ends_at.plus(CLOCK_MARGIN)
    }
}

/// Decides what a code is worth.
///
/// `earlier` is the family that the code was redeemed for before, if it was: a second use that is
/// right in everything else revokes it. `catalogue` holds the resources of the authorization.
#[expect(
    clippy::too_many_arguments,
    reason = "a decision is a function of all it depends on"
)]
pub fn redeem(
    client: &Authenticated<'_>,
    redemption: &Redemption,
    known: Option<&Known<Authorization>>,
    earlier: Option<&Known<Family>>,
    catalogue: &Catalogue,
    issuer: &Issuer,
    proof: Thumbprint,
    fresh: Fresh,
    now: UnixTime,
) -> Decision<Issued> {
    let change = Change::by(client);
    let Some(known) = known else {
        return change.refuse(GrantCause::Unknown);
    };
    let authorization = &known.value;
    if let Err(cause) = presenter(client.client(), redemption, authorization, proof) {
        let id = redemption.record();
        return change
            .event(mispresented(client.client(), id, authorization, cause, now))
            .refuse(cause);
    }
    if !authorization.is_of(client.client()) {
        return change.refuse(GrantCause::ClientReplaced);
    }
    // Whether it was redeemed before, nobody knows.
    if authorization.epoch != issuer.epoch {
        return change.refuse(GrantCause::EarlierEpoch);
    }
    let approval = match &authorization.stage {
        Stage::Approved(approval) => approval,
        Stage::Redeemed { family, .. } => {
            return reused(
                change,
                *family,
                earlier,
                &authorization.way,
                client.client(),
                now,
            );
        }
        Stage::Pending | Stage::Returning(_) | Stage::Denied => {
            return match &authorization.way {
                Way::Redirect(_) => change.refuse(GrantCause::NotApproved),
                Way::Device(polling) => {
                    let id = redemption.record();
                    poll::undecided(change, client.client(), id, known, *polling, now)
                }
            };
        }
    };
    if now >= approval.code_expires_at {
        return match &authorization.way {
            // RFC 6749 §4.1.2: not after its time.
            Way::Redirect(_) => change.refuse(GrantCause::Expired),
            Way::Device(_) => change.refuse(Refusal::DeviceCodeExpired),
        };
    }
    if !authorization.way.is_granted_to(client.client()) {
        return change.refuse(NotAllowedCause::GrantType);
    }
    let granted = &approval.permissions;
    let carried = match Carried::of(granted, &redemption.ask, client, catalogue, issuer) {
        Ok(carried) => carried,
        Err(refusal) => return change.refuse(refusal),
    };
    let lifetime = carried.lifetime();
    let family = Family {
        certificate: client.refresh_bound_to(carried.certificate()),
        ..begun(client.client(), approval, issuer, proof, now, lifetime)
    };
    let claims = match carried.claims((fresh.family, &family), (proof, fresh.token), now) {
        Ok(claims) => claims,
        Err(refusal) => return change.refuse(refusal),
    };
    let refresh_token = family
        .refreshable
        .then(|| family::refresh_token(fresh.family, Generation::FIRST, issuer));
    let redeemed = Authorization {
        stage: Stage::Redeemed {
            approval: approval.clone(),
            family: fresh.family,
        },
        ..authorization.clone()
    };
    let (change, reference) = reference::made(change, &claims, carried.format(), issuer);
    change
        .put(
            Record::Authorization(redemption.record(), redeemed),
            Expect::Version(known.version),
        )
        .event(Event {
            granted: Some(Granted::of(&claims)),
            reason: authorization.way.label(),
            ..event(EventKind::CodeRedeemed, client.client(), fresh.family, now)
        })
        .answer(Issued {
            claims,
            reference,
            family: refresh_token.as_ref().map(|_| fresh.family),
            refresh_token,
            entered: Entered::WithChange,
        })
        .with_family(fresh.family, family)
}

impl<T> Decision<T> {
    fn with_family(mut self, id: FamilyId, family: Family) -> Self {
        self.change = self.change.put(Record::Family(id, family), Expect::Absent);
        self
    }
}

/// Whether the code is in the hands that asked for it.
fn presenter(
    client: &Client,
    redemption: &Redemption,
    authorization: &Authorization,
    proof: Thumbprint,
) -> Result<(), GrantCause> {
    // RFC 6749 §4.1.3, RFC 8628 §3.4: issued to this client.
    if authorization.client != client.id {
        return Err(GrantCause::OtherClient);
    }
    // RFC 9449 §10: for this key, if the client said so.
    if authorization.dpop_jkt.is_some_and(|jkt| jkt != proof) {
        return Err(GrantCause::OtherKey);
    }
    match (&authorization.way, &redemption.with) {
        (Way::Device(_), With::Nothing) => Ok(()),
        (
            Way::Redirect(redirect),
            With::Redirect {
                redirect_uri,
                verifier,
            },
        ) => {
            // OAuth 2.1 §10.2: it need not be said, since the verifier shows that the code comes
            // of the request that this client began. RFC 6749 §4.1.3: if it is, it is the same one,
            // character for character.
            let said = redirect_uri.as_deref();
            if said.is_some_and(|said| said != redirect.uri.as_str()) {
                return Err(GrantCause::OtherRedirectUri);
            }
            // RFC 7636 §4.6.
            if !redirect.challenge.is_met_by(verifier) {
                return Err(GrantCause::VerifierWrong);
            }
            Ok(())
        }
        // No handle of one kind is made for a request of the other.
        (Way::Device(_), With::Redirect { .. }) | (Way::Redirect(_), With::Nothing) => {
            Err(GrantCause::Unknown)
        }
    }
}

/// RFC 6749 §4.1.2: a second use revokes what the first issued.
fn reused<T>(
    change: Change,
    id: FamilyId,
    earlier: Option<&Known<Family>>,
    way: &Way,
    client: &Client,
    now: UnixTime,
) -> Decision<T> {
    let change = match earlier {
        Some(Known { value, version }) => {
            let code_reuse = RevokedCause::CodeReuse;
            family::revoke(change, id, value, *version, code_reuse, now)
        }
        // Swept: its tokens are dead by themselves.
        None => change,
    };
    change
        .event(Event {
            reason: way.label(),
            ..event(EventKind::CodeReused, client, id, now)
        })
        .refuse(GrantCause::Reused)
}

/// A family with all that was approved, even where its first access token has less.
fn begun(
    client: &Client,
    approval: &Approval,
    issuer: &Issuer,
    proof: Thumbprint,
    now: UnixTime,
    lifetime: Duration,
) -> Family {
    let refreshable = client.grant_types.refresh_token;
    let (absolute, idle) = if refreshable {
        (
            issuer.lifetimes.refresh_absolute,
            issuer.lifetimes.refresh_idle,
        )
    } else {
        // It is there to be revoked, as long as there is a token to revoke.
        (lifetime, lifetime)
    };
    Family {
        client: client.id.clone(),
        subject: approval.subject.clone(),
        permissions: approval.permissions.clone(),
        details: approval.details.clone(),
        jkt: proof,
        pinned: client.is_public() || client.refresh_key == RefreshKey::Pinned,
        certificate: None,
        refreshable,
        generation: Generation::FIRST,
        rotated_at: now,
        rotated_jkt: proof,
        // A clock that was set back must not make the family older than its client.
        created_at: now.max(client.created_at),
        expires_at: now.plus(absolute),
        idle_expires_at: now.plus(idle),
        epoch: issuer.epoch,
        auth_time: Some(approval.auth_time),
        acr: approval.acr.clone(),
        revoked: None,
    }
}

fn event(kind: EventKind, client: &Client, family: FamilyId, now: UnixTime) -> Event {
    Event {
        at: now,
        kind,
        client: Some(client.id.clone()),
        actor: Actor::Client(client.id.clone()),
        object: Object::Family(family),
        reason: None,
        granted: None,
    }
}

/// A code in other hands: whoever presents it found it, or was made to (RFC 9700 §4.5).
fn mispresented(
    client: &Client,
    id: RecordId,
    authorization: &Authorization,
    cause: GrantCause,
    now: UnixTime,
) -> Event {
    Event {
        at: now,
        kind: EventKind::CodeMispresented,
        client: Some(authorization.client.clone()),
        actor: Actor::Client(client.id.clone()),
        object: Object::Authorization(id),
        reason: Some(cause.label()),
        granted: None,
    }
}
