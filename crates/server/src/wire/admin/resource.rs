//! Resources.

use countersign::admin::v1 as message;
use countersign_issuer::Version;
use countersign_issuer::model::{AccessTokenFormat, Resource};
use countersign_issuer::register::{
    DetailsTypeForm, DurationForm, FormatForm, ResourceForm, ScopeDescriptionForm, etag,
};

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
        access_token_format: format_form(resource.access_token_format),
        details_types: resource
            .details_types
            .into_iter()
            .map(|kind| DetailsTypeForm {
                name: kind.name,
                schema: kind.schema,
            })
            .collect(),
        scope_descriptions: resource
            .scope_descriptions
            .into_iter()
            .map(|described| ScopeDescriptionForm {
                scope: described.scope,
                description: described.description,
            })
            .collect(),
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
        access_token_format: format(resource.access_token_format).into(),
        create_time: Some(timestamp(resource.created_at)),
        update_time: Some(timestamp(resource.updated_at)),
        etag: etag(version),
        details_types: resource
            .details_types
            .iter()
            .map(|(kind, schema)| message::DetailsType {
                name: kind.as_str().to_owned(),
                schema: schema.as_str().to_owned(),
            })
            .collect(),
        scope_descriptions: resource
            .scope_descriptions
            .iter()
            .map(|(scope, description)| message::ScopeDescription {
                scope: scope.as_str().to_owned(),
                description: description.as_str().to_owned(),
            })
            .collect(),
    }
}

fn format_form(number: i32) -> FormatForm {
    match message::AccessTokenFormat::try_from(number) {
        Ok(message::AccessTokenFormat::Unspecified) => FormatForm::Unspecified,
        Ok(message::AccessTokenFormat::Jwt) => FormatForm::Known(AccessTokenFormat::Jwt),
        Ok(message::AccessTokenFormat::Reference) => {
            FormatForm::Known(AccessTokenFormat::Reference)
        }
        Err(_) => FormatForm::Unknown,
    }
}

/// Always said, also where it is the default.
fn format(format: AccessTokenFormat) -> message::AccessTokenFormat {
    match format {
        AccessTokenFormat::Jwt => message::AccessTokenFormat::Jwt,
        AccessTokenFormat::Reference => message::AccessTokenFormat::Reference,
    }
}
