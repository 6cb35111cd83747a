//! Messages of `countersign.admin.v1`.

mod account;
mod audit;
mod client;
mod key;
mod page;
mod resource;
pub(crate) mod store;

pub(crate) use account::{account, account_form, account_name};
pub(crate) use audit::{LogAsking, event, filter, log};
pub(crate) use client::{client, client_form};
pub(crate) use key::{key, key_purpose, keys};
#[cfg(feature = "fuzz")]
pub(crate) use page::key as page_key;
pub(crate) use page::{Asking, Listing, PAGE_BYTES_MAX};
pub(crate) use resource::{resource, resource_form};

use countersign_issuer::model::{ClientId, Malformed, ResourceUri};
use prost_types::FieldMask;

use crate::refused::Refused;

/// The field `client_id` of a request.
pub(crate) fn client_id(text: &str) -> Result<ClientId, Refused> {
    ClientId::parse(text).map_err(|problem| Refused::field("client_id", problem))
}

/// The field `uri` of a request.
pub(crate) fn uri(text: &str) -> Result<ResourceUri, Refused> {
    ResourceUri::parse(text).map_err(|problem| Refused::field("uri", problem))
}

/// The paths of an update mask; none means all.
pub(crate) fn mask(mask: Option<FieldMask>) -> Vec<String> {
    mask.map(|mask| mask.paths).unwrap_or_default()
}

fn needed<T>(field: &'static str, message: Option<T>) -> Result<T, Refused> {
    message.ok_or_else(|| Refused::field(field, Malformed::Missing))
}
