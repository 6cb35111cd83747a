//! Authorization details (RFC 9396): which may be asked for, and which a token carries.

use std::collections::BTreeSet;

use crate::model::{
    Catalogue, Client, Detail, Details, DetailsCause, DetailsFault, DetailsType, GrantedDetail,
    GrantedDetails, Permissions, ResourceUri,
};
use crate::policy::Ask;
use crate::refusal::Refusal;

/// Reads the field `authorization_details`; an empty text is none.
pub(crate) fn details_field(text: &str) -> Result<Option<Details>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(Details::parse(text)?))
}

/// What a client gets by its registration at the resources of `permissions`: all that it asks for,
/// or nothing (RFC 9396 §5).
pub(crate) fn choose_details(
    ask: &Ask,
    client: &Client,
    permissions: &Permissions,
    catalogue: &Catalogue,
) -> Result<GrantedDetails, Refusal> {
    let asked = ask.details().into_iter().flat_map(Details::iter);
    asked
        .enumerate()
        .map(|(index, detail)| {
            let fault = |(pointer, cause): (String, _)| DetailsFault::of(index, cause).at(&pointer);
            let at = places(detail, client, permissions, catalogue).map_err(fault)?;
            for uri in &at {
                as_its_type_has_it(detail, uri, catalogue).map_err(fault)?;
            }
            let detail = detail.clone();
            Ok(GrantedDetail { detail, at })
        })
        .collect()
}

/// Some of what is `allowed`, or all of it where nothing is named. Never others (RFC 9396 §6):
/// what is less of an object only its resource knows, so it is the same one or it is refused.
pub(crate) fn narrow_details(
    asked: Option<&Details>,
    allowed: &GrantedDetails,
) -> Result<GrantedDetails, Refusal> {
    let Some(asked) = asked else {
        return Ok(allowed.clone());
    };
    let same = |(index, detail)| {
        let granted = allowed.find(detail).cloned();
        granted.ok_or_else(|| DetailsFault::of(index, DetailsCause::Wider).into())
    };
    asked.iter().enumerate().map(same).collect()
}

/// What of an earlier grant the client would still be granted today, and where.
pub(crate) fn still_allowed_details(
    granted: &GrantedDetails,
    client: &Client,
    catalogue: &Catalogue,
) -> GrantedDetails {
    granted
        .iter()
        .filter_map(|GrantedDetail { detail, at }| {
            let stands = |uri: &&ResourceUri| {
                client.details_types.allows(uri, detail.kind())
                    && as_its_type_has_it(detail, uri, catalogue).is_ok()
            };
            let at: BTreeSet<_> = at.iter().filter(stands).cloned().collect();
            let detail = detail.clone();
            (!at.is_empty()).then_some(GrantedDetail { detail, at })
        })
        .collect()
}

/// What of `allowed` a token for the resources of `permissions` carries: that which counts at one
/// of them, or what of it is named.
pub(crate) fn carried_details(
    asked: Option<&Details>,
    allowed: &GrantedDetails,
    permissions: &Permissions,
    catalogue: &Catalogue,
) -> Result<Details, Refusal> {
    let counts =
        |granted: &GrantedDetail| permissions.resources().any(|uri| granted.at.contains(uri));
    let chosen = narrow_details(asked, allowed)?;
    let mut carried = Vec::new();
    for (index, granted) in chosen.iter().enumerate() {
        if counts(granted) {
            if spills(granted, permissions, catalogue) {
                return Err(match asked {
                    Some(_) => DetailsFault::of(index, DetailsCause::Spills),
                    None => DetailsFault::all(DetailsCause::Spills),
                }
                .into());
            }
            carried.push(granted.detail.clone());
        } else if asked.is_some() {
            return Err(not_permitted(index).into());
        }
    }
    Ok(carried.into_iter().collect())
}

/// The resources at which an object counts: those that it names, or else all of the token's that
/// have its type. The client must be permitted the type at each: a token has one list for all its
/// audience, so what is asked for at one must not open another.
fn places(
    detail: &Detail,
    client: &Client,
    permissions: &Permissions,
    catalogue: &Catalogue,
) -> Result<BTreeSet<ResourceUri>, (String, DetailsCause)> {
    let of_another = || (KIND.to_owned(), DetailsCause::NotPermitted);
    let at: BTreeSet<ResourceUri> = match detail.locations() {
        Some(named) => {
            for (place, uri) in named.iter().enumerate() {
                if permissions.at(uri).is_none() {
                    return Err((format!("/locations/{place}"), DetailsCause::Location));
                }
            }
            named.iter().cloned().collect()
        }
        None => permissions
            .resources()
            .filter(|uri| has_type(uri, detail.kind(), catalogue))
            .cloned()
            .collect(),
    };
    let is_permitted = |uri: &ResourceUri| {
        has_type(uri, detail.kind(), catalogue) && client.details_types.allows(uri, detail.kind())
    };
    if at.is_empty() || !at.iter().all(is_permitted) {
        return Err(of_another());
    }
    Ok(at)
}

const KIND: &str = "/type";

fn not_permitted(index: usize) -> DetailsFault {
    DetailsFault::of(index, DetailsCause::NotPermitted).at(KIND)
}

fn has_type(uri: &ResourceUri, kind: &DetailsType, catalogue: &Catalogue) -> bool {
    catalogue
        .resource(uri)
        .is_some_and(|resource| resource.details_types.schema(kind).is_some())
}

fn as_its_type_has_it(
    detail: &Detail,
    uri: &ResourceUri,
    catalogue: &Catalogue,
) -> Result<(), (String, DetailsCause)> {
    let schema = catalogue
        .resource(uri)
        .and_then(|resource| resource.details_types.schema(detail.kind()))
        .ok_or_else(|| (KIND.to_owned(), DetailsCause::NotPermitted))?;
    schema.check(detail)
}

/// Whether an object would count at a resource of the token where it was not granted.
fn spills(granted: &GrantedDetail, permissions: &Permissions, catalogue: &Catalogue) -> bool {
    permissions.resources().any(|uri| {
        !granted.at.contains(uri)
            && granted.detail.counts_at(uri)
            && has_type(uri, granted.detail.kind(), catalogue)
    })
}
