//! Introspection (RFC 7662): what a token is worth now, to those it is for.

use std::borrow::Borrow;
use std::sync::Arc;

use countersign_jose::{CertificateThumbprint, PublishedKey, Thumbprint, UnixTime};

use crate::access_token::{self, Claims};
use crate::authenticate::Authenticated;
use crate::change::{Change, Decision, Known};
use crate::handle::{Handle, HandleKind};
use crate::holder::Holder;
use crate::issuer::Issuer;
use crate::model::{
    Catalogue, Client, ClientId, Family, FamilyId, GrantedDetails, Permissions, Subject, TokenId,
};
use crate::policy::{self, Ask};
use crate::reference::Reference;
use crate::refusal::NotAllowedCause;
use crate::register::INTROSPECT;

/// What a text turns out to be, whatever its sender thinks that it is: hints are not needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recognised {
    /// An access token of this issuer, expired or not.
    Access(Box<Claims>),
    /// A reference access token of this issuer, by the record that has what it says.
    Reference(TokenId),
    /// A refresh token of this issuer.
    Refresh(Handle),
    /// Anything else.
    Neither,
}

/// What the store knows of a token.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// It was revoked alone: the record of [`Recognised::token`] is there.
    pub token_revoked: bool,
    /// The record of [`Recognised::reference`].
    pub reference: Option<Reference>,
    /// The family of [`Recognised::family`], or the one that the reference names.
    pub family: Option<Known<Family>>,
    /// The client that an access token was issued to, if it is registered.
    pub owner: Option<Arc<Client>>,
    /// The latest time until when everything was revoked that one of the token's
    /// [holders](Recognised::holders) had.
    pub holders_revoked_at: Option<UnixTime>,
}

/// What a token is worth. Whatever is not active is told apart from nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Introspection<'a> {
    /// Nothing, as far as the caller is concerned.
    Inactive,
    /// An access token that may be used now.
    Access(&'a Claims),
    /// A refresh token that may be used now, shown to its own client.
    Refresh(RefreshStanding<'a>),
}

/// What an active refresh token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshStanding<'a> {
    /// Its family.
    pub family: FamilyId,
    /// Whom it speaks for.
    pub subject: &'a Subject,
    /// The client it was issued to.
    pub client: &'a ClientId,
    /// What was granted.
    pub permissions: &'a Permissions,
    /// What was granted beyond scopes.
    pub details: &'a GrantedDetails,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// The key that it is bound to, if it is.
    pub jkt: Option<Thumbprint>,
    /// The certificate that it is bound to as well, if it is.
    pub certificate: Option<CertificateThumbprint>,
}

/// Tells what a text is. Nothing is looked up: its form says what it claims to be, signature or MAC
/// whether it is.
pub fn recognise<'k>(
    text: &str,
    keys: impl IntoIterator<Item: Borrow<PublishedKey<'k>>>,
    issuer: &Issuer,
) -> Recognised {
    if text.starts_with(HandleKind::Refresh.prefix()) {
        match Handle::parse(HandleKind::Refresh, text, &issuer.mac_keys) {
            Ok(handle) => Recognised::Refresh(handle),
            Err(_) => Recognised::Neither,
        }
    } else if text.starts_with(HandleKind::Access.prefix()) {
        match Handle::parse(HandleKind::Access, text, &issuer.mac_keys) {
            Ok(handle) => Recognised::Reference(TokenId::of_record(handle.record)),
            Err(_) => Recognised::Neither,
        }
    } else {
        match access_token::read(text, keys, &issuer.name) {
            Ok(claims) => Recognised::Access(Box::new(claims)),
            Err(_) => Recognised::Neither,
        }
    }
}

impl Recognised {
    /// The access token whose revocation to look up.
    pub fn token(&self) -> Option<TokenId> {
        match self {
            Self::Access(claims) => Some(claims.id),
            Self::Reference(token) => Some(*token),
            Self::Refresh(_) | Self::Neither => None,
        }
    }

    /// The client that an access token was issued to: what to load. Of a reference, its record
    /// says it.
    pub fn owner(&self) -> Option<&ClientId> {
        match self {
            Self::Access(claims) => Some(&claims.client),
            Self::Reference(_) | Self::Refresh(_) | Self::Neither => None,
        }
    }

    /// Those whose access token it is: what of theirs was revoked is to be loaded. Of a reference,
    /// its record says it.
    pub fn holders(&self) -> Option<[Holder; 3]> {
        match self {
            Self::Access(claims) => Some(Holder::of_token(claims)),
            Self::Reference(_) | Self::Refresh(_) | Self::Neither => None,
        }
    }

    /// The reference token whose record to load. Its family, owner and holders are known only
    /// then.
    pub fn reference(&self) -> Option<TokenId> {
        match self {
            Self::Reference(token) => Some(*token),
            Self::Access(_) | Self::Refresh(_) | Self::Neither => None,
        }
    }

    /// The family to load.
    pub fn family(&self) -> Option<FamilyId> {
        match self {
            Self::Access(claims) => claims.family,
            Self::Refresh(handle) => Some(FamilyId::new(handle.record)),
            Self::Reference(_) | Self::Neither => None,
        }
    }
}

/// Decides whether a client that has shown who it is may ask at all (RFC 7662 §2.1): who could get
/// itself an access token with the scope `introspect` may. `catalogue` holds the service's own
/// resource. Writes nothing but that an assertion was used.
pub fn admit(client: &Authenticated<'_>, catalogue: &Catalogue, issuer: &Issuer) -> Decision<()> {
    let change = Change::by(client);
    let client = client.client();
    let has_its_own = !client.is_public() && client.grant_types.client_credentials;
    let ask = Ask::parse(&[INTROSPECT], &[issuer.name.as_str()]);
    let granted = ask.and_then(|ask| policy::choose(&ask, client, catalogue));
    match granted {
        Ok(_) if has_its_own => change.answer(()),
        Ok(_) | Err(_) => change.refuse(NotAllowedCause::Introspection),
    }
}

/// Decides what `caller` may know. An access token is shown to those who serve one of its
/// resources, a refresh token to its own client.
pub fn introspect<'a>(
    recognised: &'a Recognised,
    standing: &'a Standing,
    caller: Option<&Client>,
    issuer: &Issuer,
    now: UnixTime,
) -> Introspection<'a> {
    let Some(caller) = caller.filter(|caller| !caller.disabled) else {
        return Introspection::Inactive;
    };
    match recognised {
        Recognised::Access(claims) if access_is_active(claims, standing, caller, issuer, now) => {
            Introspection::Access(claims)
        }
        Recognised::Reference(_) => standing
            .reference
            .as_ref()
            .filter(|reference| reference.epoch == issuer.epoch)
            .map(|reference| &reference.claims)
            .filter(|claims| access_is_active(claims, standing, caller, issuer, now))
            .map_or(Introspection::Inactive, Introspection::Access),
        Recognised::Refresh(handle) => refresh(handle, standing, caller, issuer, now)
            .map_or(Introspection::Inactive, Introspection::Refresh),
        Recognised::Access(_) | Recognised::Neither => Introspection::Inactive,
    }
}

fn access_is_active(
    claims: &Claims,
    standing: &Standing,
    caller: &Client,
    issuer: &Issuer,
    now: UnixTime,
) -> bool {
    let family_stands = match (claims.family, &standing.family) {
        (None, _) => true,
        (Some(_), Some(known)) => known.value.stands(issuer.epoch),
        (Some(_), None) => false,
    };
    // RFC 7662 §4: a caller sees what is meant for it.
    let is_for_caller = claims
        .audience
        .iter()
        .any(|uri| caller.serves.contains(uri));
    let is_remembered = !issuer.may_have_forgotten(claims.issued_at);
    let owner_stands = standing.owner.as_deref().is_some_and(|owner| {
        // Made in whole seconds, for this client and not for an earlier one of its name.
        !owner.disabled
            && claims.issued_at.as_secs() >= owner.created_at.as_secs()
            && owner
                .tokens_revoked_at
                .is_none_or(|at| claims.issued_at > at)
    });
    let holders_stand = standing
        .holders_revoked_at
        .is_none_or(|at| claims.issued_at > at);
    is_for_caller
        && now < claims.expires_at
        && !standing.token_revoked
        && family_stands
        && owner_stands
        && holders_stand
        && is_remembered
}

fn refresh<'a>(
    handle: &Handle,
    standing: &'a Standing,
    caller: &Client,
    issuer: &Issuer,
    now: UnixTime,
) -> Option<RefreshStanding<'a>> {
    let family = &standing.family.as_ref()?.value;
    let is_current = family.refreshable && family.generation == handle.generation;
    let lives = family.stands(issuer.epoch) && now < family.ends_at();
    let is_the_owners = family.client == caller.id && family.created_at >= caller.created_at;
    let is_worth_something = caller.grant_types.refresh_token;
    (is_current && lives && is_the_owners && is_worth_something).then(|| RefreshStanding {
        family: FamilyId::new(handle.record),
        subject: &family.subject,
        client: &family.client,
        permissions: &family.permissions,
        details: &family.details,
        issued_at: family.rotated_at,
        expires_at: family.ends_at(),
        jkt: family.pinned.then_some(family.jkt),
        certificate: family.certificate,
    })
}
