//! Resources.

use countersign::admin::v1 as message;
use countersign_issuer::Version;
use countersign_issuer::model::Resource;
use countersign_issuer::register::{DurationForm, ResourceForm, etag};

use super::needed;
use crate::refused::Refused;
use crate::wire::{duration, scopes, timestamp};

/// The field `resource` of a request.
pub(crate) fn resource_form(resource: Option<message::Resource>) -> Result<ResourceForm, Refused> {
    let resource = needed("resource", resource)?;
    Ok(ResourceForm {
        uri: resource.uri,
        display_name: resource.display_name,
        scopes: resource.scopes,
        access_token_lifetime: resource.access_token_lifetime.map(|lifetime| DurationForm {
            seconds: lifetime.seconds,
            nanos: lifetime.nanos,
        }),
        etag: resource.etag,
    })
}

/// A resource as it is shown.
pub(crate) fn resource(resource: &Resource, version: Version) -> message::Resource {
    message::Resource {
        uri: resource.uri.as_str().to_owned(),
        display_name: resource.display_name.as_str().to_owned(),
        scopes: scopes(&resource.scopes),
        access_token_lifetime: resource.access_token_lifetime.map(duration),
        create_time: Some(timestamp(resource.created_at)),
        update_time: Some(timestamp(resource.updated_at)),
        etag: etag(version),
    }
}
