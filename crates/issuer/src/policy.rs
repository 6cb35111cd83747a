//! What may be asked for: scopes of resources, by registration or by an earlier grant.

mod details;

use std::collections::BTreeSet;

pub(crate) use self::details::{
    carried_details, choose_details, details_field, narrow_details, still_allowed_details,
};
use crate::model::{
    AccessTokenFormat, Catalogue, Client, Detail, Details, Malformed, Permissions, ResourceUri,
    ResourceUris, SCOPE_CLAIM_BYTES_MAX, SCOPES_MAX, Scopes,
};
use crate::refusal::{FieldFault, Refusal, ScopeCause, TargetCause};

const SCOPES: &str = "scopes";
const RESOURCES: &str = "resources";

/// The scopes, resources and authorization details that a request names. All may be empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ask {
    scopes: Scopes,
    resources: ResourceUris,
    /// None: the request says nothing of them, which means what it means without scopes.
    details: Option<Details>,
}

impl Ask {
    /// Reads the fields `scopes` and `resources` of a request.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] for too many, before any is read; [`Refusal::InvalidScope`]
    /// and [`Refusal::InvalidTarget`] for malformed ones.
    pub fn parse(
        scopes: &[impl AsRef<str>],
        resources: &[impl AsRef<str>],
    ) -> Result<Self, Refusal> {
        Ok(Self {
            scopes: scopes_field(SCOPES, scopes)?,
            resources: ResourceUris::parse(resources).map_err(|problem| match problem {
                Malformed::TooManyResources => FieldFault::new(RESOURCES, problem).into(),
                _ => target(TargetCause::Malformed(problem)),
            })?,
            details: None,
        })
    }

    /// The same with the field `authorization_details`, a JSON array; an empty text is none.
    ///
    /// # Errors
    /// [`Refusal::InvalidAuthorizationDetails`].
    pub fn and_details(self, text: &str) -> Result<Self, Refusal> {
        Ok(Self {
            details: details_field(text)?,
            ..self
        })
    }

    /// The authorization details that it names.
    pub(crate) const fn details(&self) -> Option<&Details> {
        self.details.as_ref()
    }

    /// The resources that deciding needs to know: those named, or else all that the client may
    /// ask for.
    pub fn concerns<'a>(&'a self, client: &'a Client) -> Vec<&'a ResourceUri> {
        if self.resources.is_empty() {
            client.permissions.resources().collect()
        } else {
            self.resources.iter().collect()
        }
    }
}

/// Reads a field that lists scopes.
pub(crate) fn scopes_field(
    field: &'static str,
    texts: &[impl AsRef<str>],
) -> Result<Scopes, Refusal> {
    Scopes::parse(texts).map_err(|problem| match problem {
        Malformed::TooManyScopes => FieldFault::new(field, problem).into(),
        _ => Refusal::InvalidScope {
            field,
            cause: ScopeCause::Malformed(problem),
        },
    })
}

/// What a client gets by its registration. Without a resource there must be only one that has all
/// the scopes, and the client all the types; without scopes, all of the resources' are meant.
pub(crate) fn choose(
    ask: &Ask,
    client: &Client,
    catalogue: &Catalogue,
) -> Result<Permissions, Refusal> {
    let allowed = available(&client.permissions, catalogue);
    if !ask.resources.is_empty() {
        return narrow(ask, &allowed, catalogue, ScopeCause::NotPermitted);
    }
    if !ask.scopes.is_within(&allowed.scopes()) {
        return Err(scope(ScopeCause::NotPermitted));
    }
    let mut possible: Vec<_> = allowed
        .iter()
        .filter(|(_, scopes)| ask.scopes.is_within(scopes))
        .collect();
    if possible.len() > 1 {
        let types = &client.details_types;
        let kinds = || ask.details.iter().flat_map(Details::iter).map(Detail::kind);
        possible.retain(|(uri, _)| kinds().all(|kind| types.allows(uri, kind)));
    }
    match possible.as_slice() {
        [(uri, scopes)] => {
            let only = Permissions::from_iter([((*uri).clone(), (*scopes).clone())]);
            narrow(ask, &only, catalogue, ScopeCause::NotPermitted)
        }
        [] if allowed.is_empty() => Err(target(TargetCause::NotPermitted)),
        _ => Err(target(TargetCause::Ambiguous)),
    }
}

/// Some of what is `allowed`, or all of it where nothing is named. Never more.
pub(crate) fn narrow(
    ask: &Ask,
    allowed: &Permissions,
    catalogue: &Catalogue,
    wider: ScopeCause,
) -> Result<Permissions, Refusal> {
    let granted: Permissions = if ask.resources.is_empty() {
        allowed.clone()
    } else {
        let at = |uri: &ResourceUri| Some((uri.clone(), allowed.at(uri)?.clone()));
        // RFC 8707 §2: invalid_target.
        let named: Option<Permissions> = ask.resources.iter().map(at).collect();
        named.ok_or_else(|| target(TargetCause::NotPermitted))?
    };
    let granted = restrict(granted, &ask.scopes).ok_or_else(|| scope(wider))?;
    let together = granted.scopes();
    if together.len() > SCOPES_MAX {
        return Err(FieldFault::new(SCOPES, Malformed::TooManyScopes).into());
    }
    if together.claim_bytes() > SCOPE_CLAIM_BYTES_MAX {
        return Err(FieldFault::new(SCOPES, Malformed::ScopesTooLong).into());
    }
    if spills(&granted, allowed, catalogue) {
        return Err(scope(ScopeCause::Spills));
    }
    Ok(granted)
}

/// The same resources with those of their scopes that are asked for; none if a scope is asked for
/// that no resource has. No scope means all.
pub(crate) fn restrict(permissions: Permissions, scopes: &Scopes) -> Option<Permissions> {
    if scopes.is_empty() {
        return Some(permissions);
    }
    if !scopes.is_within(&permissions.scopes()) {
        return None;
    }
    Some(
        permissions
            .iter()
            .map(|(uri, at)| (uri.clone(), at.common(scopes)))
            .collect(),
    )
}

/// What of `permissions` exists: resources that are registered, scopes that they have.
pub(crate) fn available(permissions: &Permissions, catalogue: &Catalogue) -> Permissions {
    permissions
        .iter()
        .filter_map(|(uri, scopes)| {
            let resource = catalogue.resource(uri)?;
            Some((uri.clone(), scopes.common(&resource.scopes)))
        })
        .collect()
}

/// What of an earlier grant the client would still be granted today.
pub(crate) fn still_allowed(
    granted: &Permissions,
    client: &Client,
    catalogue: &Catalogue,
) -> Permissions {
    let today = available(&client.permissions, catalogue);
    granted
        .iter()
        .filter_map(|(uri, scopes)| Some((uri.clone(), scopes.common(today.at(uri)?))))
        .collect()
}

/// What a token for these resources is. One token cannot be both: a JWT would go on being honoured
/// offline where a resource counts on revocation at once, and show there what it keeps from its
/// callers; a handle would need the service where a resource counts on doing without.
pub(crate) fn format(
    permissions: &Permissions,
    catalogue: &Catalogue,
) -> Result<AccessTokenFormat, Refusal> {
    let mut formats = permissions
        .resources()
        .filter_map(|uri| catalogue.resource(uri))
        .map(|resource| resource.access_token_format);
    let first = formats.next().unwrap_or_default();
    if formats.all(|format| format == first) {
        Ok(first)
    } else {
        Err(target(TargetCause::Formats))
    }
}

/// A token has one list of scopes for all its audience. So a scope that is granted at one
/// resource must not mean something at another where it is not allowed.
fn spills(granted: &Permissions, allowed: &Permissions, catalogue: &Catalogue) -> bool {
    // What is granted at a resource is allowed there.
    if granted.len() < 2 {
        return false;
    }
    let scopes: BTreeSet<_> = granted
        .iter()
        .flat_map(|(_, scopes)| scopes.iter())
        .collect();
    granted.resources().any(|uri| {
        let known = catalogue.resource(uri).map(|resource| &resource.scopes);
        scopes.iter().any(|scope| {
            known.is_some_and(|known| known.contains(scope))
                && !allowed
                    .at(uri)
                    .is_some_and(|allowed| allowed.contains(scope))
        })
    })
}

fn scope(cause: ScopeCause) -> Refusal {
    Refusal::InvalidScope {
        field: SCOPES,
        cause,
    }
}

fn target(cause: TargetCause) -> Refusal {
    Refusal::InvalidTarget {
        field: RESOURCES,
        cause,
    }
}
