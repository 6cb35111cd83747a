//! Resources, and scopes by resource.

use std::time::Duration;

use bytes::Bytes;
use countersign_issuer::model::{
    AccessTokenFormat, DetailsSchema, DetailsType, DisplayName, Permissions, RegisteredTypes,
    Resource, ResourceUri, Scope, ScopeDescription, ScopeDescriptions, Scopes,
};
use countersign_jose::UnixTime;

use super::{Damaged, Recorded, bytes_of, message_of, read, stored};

impl Recorded for Resource {
    fn encode(&self) -> Bytes {
        bytes_of(&stored::ResourceRecord {
            uri: self.uri.as_str().to_owned(),
            display_name: self.display_name.as_str().to_owned(),
            scopes: scope_texts(&self.scopes),
            scope_descriptions: description_records(&self.scope_descriptions),
            // At most 900; 0 says that the service's default holds.
            access_token_lifetime_secs: self.access_token_lifetime.map_or(0, |lifetime| {
                u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
            }),
            access_token_format: format_number(self.access_token_format).into(),
            created_millis: self.created_at.as_millis(),
            updated_millis: self.updated_at.as_millis(),
            details_types: type_records(&self.details_types),
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let record: stored::ResourceRecord = message_of(bytes)?;
        let lifetime_secs = record.access_token_lifetime_secs;
        Ok(Self {
            uri: read(ResourceUri::parse(&record.uri))?,
            display_name: read(DisplayName::parse(&record.display_name))?,
            scopes: read(Scopes::parse(&record.scopes))?,
            scope_descriptions: descriptions(&record.scope_descriptions)?,
            access_token_lifetime: (lifetime_secs != 0)
                .then(|| Duration::from_secs(u64::from(lifetime_secs))),
            access_token_format: format(record.access_token_format)?,
            details_types: types(&record.details_types)?,
            created_at: UnixTime::from_millis(record.created_millis),
            updated_at: UnixTime::from_millis(record.updated_millis),
        })
    }
}

fn format_number(format: AccessTokenFormat) -> stored::AccessTokenFormat {
    match format {
        AccessTokenFormat::Jwt => stored::AccessTokenFormat::Jwt,
        AccessTokenFormat::Reference => stored::AccessTokenFormat::Reference,
    }
}

/// Records of the first releases do not say: there were JWTs only.
fn format(number: i32) -> Result<AccessTokenFormat, Damaged> {
    match stored::AccessTokenFormat::try_from(number) {
        Ok(stored::AccessTokenFormat::Unspecified | stored::AccessTokenFormat::Jwt) => {
            Ok(AccessTokenFormat::Jwt)
        }
        Ok(stored::AccessTokenFormat::Reference) => Ok(AccessTokenFormat::Reference),
        Err(_) => Err(Damaged),
    }
}

fn description_records(described: &ScopeDescriptions) -> Vec<stored::ScopeDescriptionRecord> {
    described
        .iter()
        .map(|(scope, description)| stored::ScopeDescriptionRecord {
            scope: scope.as_str().to_owned(),
            description: description.as_str().to_owned(),
        })
        .collect()
}

fn descriptions(records: &[stored::ScopeDescriptionRecord]) -> Result<ScopeDescriptions, Damaged> {
    records
        .iter()
        .map(|record| {
            let scope = read(Scope::parse(&record.scope))?;
            let description = read(ScopeDescription::parse(&record.description))?;
            Ok((scope, description))
        })
        .collect()
}

fn type_records(types: &RegisteredTypes) -> Vec<stored::DetailsTypeRecord> {
    types
        .iter()
        .map(|(kind, schema)| stored::DetailsTypeRecord {
            name: kind.as_str().to_owned(),
            schema: schema.as_str().to_owned(),
        })
        .collect()
}

/// A schema is compiled when a request has an object of its type, once for each version of the
/// record.
fn types(records: &[stored::DetailsTypeRecord]) -> Result<RegisteredTypes, Damaged> {
    records
        .iter()
        .map(|record| {
            let kind = read(DetailsType::parse(&record.name))?;
            let schema = DetailsSchema::registered(&kind, &record.schema);
            Ok((kind, schema))
        })
        .collect()
}

/// What was granted, where the types of details are those of the objects.
pub(super) fn permission_records(permissions: &Permissions) -> Vec<stored::PermissionRecord> {
    permissions
        .iter()
        .map(|(uri, scopes)| stored::PermissionRecord {
            resource: uri.as_str().to_owned(),
            scopes: scope_texts(scopes),
            details_types: Vec::new(),
        })
        .collect()
}

pub(super) fn permissions(records: &[stored::PermissionRecord]) -> Result<Permissions, Damaged> {
    records
        .iter()
        .map(|record| {
            Ok((
                read(ResourceUri::parse(&record.resource))?,
                read(Scopes::parse(&record.scopes))?,
            ))
        })
        .collect()
}

pub(super) fn scope_texts(scopes: &Scopes) -> Vec<String> {
    scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect()
}
