//! Creating, changing and removing resources.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_jose::UnixTime;

use super::current;
use super::etag::parse_etag;
use crate::change::{Change, Decision, Known, Record, RecordName};
use crate::event::{Actor, Event, EventKind, Object};
use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, IssuerName};
use crate::model::{
    AccessTokenFormat, DETAILS_TYPES_MAX, DetailsSchema, DetailsType, DisplayName, Malformed,
    RegisteredTypes, Resource, ResourceUri, SCOPES_MAX, Scope, ScopeDescription, ScopeDescriptions,
    Scopes,
};
use crate::policy;
use crate::refusal::{FieldFault, Refusal};
use crate::{Expect, Version};

/// The scope of whoever asks what tokens are worth.
pub(crate) const INTROSPECT: &str = "introspect";

/// The scopes of the service's own API: what its methods' rules ask for.
const OWN_SCOPES: [&str; 6] = [
    "admin.keys",
    "admin.read",
    "admin.write",
    "authorizations.decide",
    INTROSPECT,
    "revocations.watch",
];

/// The fields of a resource as they came, with the names that they have on the wire.
#[derive(Clone, Debug, Default)]
pub struct ResourceForm {
    /// `uri`
    pub uri: String,
    /// `display_name`
    pub display_name: String,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `access_token_lifetime`
    pub access_token_lifetime: Option<DurationForm>,
    /// `access_token_format`
    pub access_token_format: FormatForm,
    /// `details_types`
    pub details_types: Vec<DetailsTypeForm>,
    /// `scope_descriptions`
    pub scope_descriptions: Vec<ScopeDescriptionForm>,
    /// `etag`
    pub etag: String,
}

/// An entry of `details_types`.
#[derive(Clone, Debug, Default)]
pub struct DetailsTypeForm {
    /// `name`
    pub name: String,
    /// `schema`
    pub schema: String,
}

/// An entry of `scope_descriptions`.
#[derive(Clone, Debug, Default)]
pub struct ScopeDescriptionForm {
    /// `scope`
    pub scope: String,
    /// `description`
    pub description: String,
}

/// A duration as it came.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct DurationForm {
    /// `seconds`
    pub seconds: i64,
    /// `nanos`
    pub nanos: i32,
}

/// A format as it came.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum FormatForm {
    /// Not said: a JWT.
    #[default]
    Unspecified,
    /// One of ours.
    Known(AccessTokenFormat),
    /// An enumerator that this release does not know.
    Unknown,
}

/// A resource to register, each of its fields well-formed.
#[derive(Clone, Debug)]
pub struct NewResource(Resource);

/// A change to a resource, each of the new values well-formed.
#[derive(Clone, Debug)]
pub struct ResourceChange {
    uri: ResourceUri,
    fields: Fields,
    expected: Option<Version>,
}

/// What can be changed. None is left as it is.
#[derive(Clone, Debug, Default)]
struct Fields {
    display_name: Option<DisplayName>,
    scopes: Option<Scopes>,
    /// The inner option is none for the service's default.
    #[expect(
        clippy::option_option,
        reason = "left alone and reset are different changes"
    )]
    access_token_lifetime: Option<Option<Duration>>,
    access_token_format: Option<AccessTokenFormat>,
    details_types: Option<RegisteredTypes>,
    scope_descriptions: Option<ScopeDescriptions>,
}

/// The fields that can be changed, by their names in an update mask.
const DISPLAY_NAME: &str = "display_name";
const SCOPES: &str = "scopes";
const ACCESS_TOKEN_LIFETIME: &str = "access_token_lifetime";
const ACCESS_TOKEN_FORMAT: &str = "access_token_format";
const DETAILS_TYPES: &str = "details_types";
const SCOPE_DESCRIPTIONS: &str = "scope_descriptions";

impl NewResource {
    /// Reads a resource to register.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] and [`Refusal::InvalidScope`], naming the field.
    pub fn parse(form: &ResourceForm, now: UnixTime) -> Result<Self, Refusal> {
        Ok(Self(Resource {
            uri: uri(&form.uri)?,
            display_name: display_name(&form.display_name)?,
            scopes: scopes(&form.scopes)?,
            scope_descriptions: scope_descriptions(&form.scope_descriptions)?,
            access_token_lifetime: lifetime(form.access_token_lifetime)?,
            access_token_format: format(form.access_token_format)?,
            details_types: details_types(&form.details_types)?,
            created_at: now,
            updated_at: now,
        }))
    }

    /// Its URI: the record to look for.
    pub const fn uri(&self) -> &ResourceUri {
        &self.0.uri
    }
}

impl ResourceChange {
    /// Reads a change of the fields that `mask` names; an empty mask names all.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] and [`Refusal::InvalidScope`], naming the field;
    /// [`Refusal::Changed`] for an etag that no resource ever had.
    pub fn parse(form: &ResourceForm, mask: &[impl AsRef<str>]) -> Result<Self, Refusal> {
        const ALL: [&str; 6] = [
            DISPLAY_NAME,
            SCOPES,
            ACCESS_TOKEN_LIFETIME,
            ACCESS_TOKEN_FORMAT,
            DETAILS_TYPES,
            SCOPE_DESCRIPTIONS,
        ];
        if mask.iter().any(|path| !ALL.contains(&path.as_ref())) {
            return Err(FieldFault::new("update_mask", Malformed::UpdateMask).into());
        }
        let names = |field: &str| mask.is_empty() || mask.iter().any(|path| path.as_ref() == field);
        let mut fields = Fields::default();
        if names(DISPLAY_NAME) {
            fields.display_name = Some(display_name(&form.display_name)?);
        }
        if names(SCOPES) {
            fields.scopes = Some(scopes(&form.scopes)?);
        }
        if names(ACCESS_TOKEN_LIFETIME) {
            fields.access_token_lifetime = Some(lifetime(form.access_token_lifetime)?);
        }
        if names(ACCESS_TOKEN_FORMAT) {
            fields.access_token_format = Some(format(form.access_token_format)?);
        }
        if names(DETAILS_TYPES) {
            fields.details_types = Some(details_types(&form.details_types)?);
        }
        if names(SCOPE_DESCRIPTIONS) {
            let descriptions = scope_descriptions(&form.scope_descriptions)?;
            fields.scope_descriptions = Some(descriptions);
        }
        Ok(Self {
            uri: uri(&form.uri)?,
            fields,
            expected: parse_etag(&form.etag)?,
        })
    }

    /// The resource to change.
    pub const fn uri(&self) -> &ResourceUri {
        &self.uri
    }
}

/// Sees to it that the service's own API is a resource with every scope that its rules ask for: at
/// the first start there is none, and a store of an earlier release may lack some. Its URI is the
/// issuer's name.
///
/// # Errors
/// [`Malformed::ResourceUri`] for an issuer whose name cannot be a resource's.
pub fn ensure_own_resource(
    issuer: &IssuerName,
    known: Option<&Known<Resource>>,
    now: UnixTime,
) -> Result<Decision<()>, Malformed> {
    let scopes = Scopes::parse(&OWN_SCOPES)?;
    let Some(Known { value, version }) = known else {
        let own = NewResource(Resource {
            uri: own_resource_uri(issuer)?,
            display_name: DisplayName::parse("Countersign")?,
            scopes,
            scope_descriptions: ScopeDescriptions::default(),
            access_token_lifetime: None,
            access_token_format: AccessTokenFormat::Jwt,
            details_types: RegisteredTypes::default(),
            created_at: now,
            updated_at: now,
        });
        return Ok(create_resource(own, None, issuer, &Actor::Service, now).map(|_| ()));
    };
    if scopes.is_within(&value.scopes) {
        return Ok(Decision::without_change(Ok(())));
    }
    let mut resource = Resource {
        updated_at: now,
        ..value.clone()
    };
    resource.scopes.absorb(&scopes);
    let updated = event(
        EventKind::ResourceUpdated,
        &resource.uri,
        &Actor::Service,
        now,
    );
    Ok(Change::default()
        .put(Record::Resource(resource), Expect::Version(*version))
        .event(updated)
        .answer(()))
}

/// The URI of the service's own API as a resource.
///
/// # Errors
/// [`Malformed::ResourceUri`] for an issuer whose name cannot be a resource's.
pub fn own_resource_uri(issuer: &IssuerName) -> Result<ResourceUri, Malformed> {
    ResourceUri::parse(issuer.as_str())
}

/// Registers a resource. `known` is the resource of that URI, if there is one.
pub fn create_resource(
    new: NewResource,
    known: Option<&Known<Resource>>,
    issuer: &IssuerName,
    actor: &Actor,
    now: UnixTime,
) -> Decision<Resource> {
    if known.is_some() {
        return Decision::refuse(Refusal::Exists);
    }
    let NewResource(resource) = new;
    if let Err(refusal) = fits_together(&resource, issuer) {
        return Decision::refuse(refusal);
    }
    Change::default()
        .put(Record::Resource(resource.clone()), Expect::Absent)
        .event(event(EventKind::ResourceCreated, &resource.uri, actor, now))
        .answer(resource)
}

/// Changes a resource. Tokens that were issued stay as they are.
pub fn update_resource(
    change: &ResourceChange,
    known: Option<&Known<Resource>>,
    issuer: &IssuerName,
    actor: &Actor,
    now: UnixTime,
) -> Decision<Resource> {
    let known = match current(known, change.expected) {
        Ok(known) => known,
        Err(refusal) => return Decision::refuse(refusal),
    };
    let mut resource = known.value.clone();
    resource.updated_at = now;
    if let Some(display_name) = &change.fields.display_name {
        resource.display_name.clone_from(display_name);
    }
    if let Some(scopes) = &change.fields.scopes {
        resource.scopes.clone_from(scopes);
        // What is gone needs no words.
        resource.scope_descriptions.retain(scopes);
    }
    if let Some(descriptions) = &change.fields.scope_descriptions {
        resource.scope_descriptions.clone_from(descriptions);
    }
    if let Some(lifetime) = change.fields.access_token_lifetime {
        resource.access_token_lifetime = lifetime;
    }
    if let Some(format) = change.fields.access_token_format {
        resource.access_token_format = format;
    }
    if let Some(types) = &change.fields.details_types {
        resource.details_types.clone_from(types);
    }
    if let Err(refusal) = fits_together(&resource, issuer) {
        return Decision::refuse(refusal);
    }
    Change::default()
        .put(
            Record::Resource(resource.clone()),
            Expect::Version(known.version),
        )
        .event(event(EventKind::ResourceUpdated, &resource.uri, actor, now))
        .answer(resource)
}

/// Removes a resource. Nothing is issued for it any more, whatever clients are registered for.
pub fn delete_resource(
    known: Option<&Known<Resource>>,
    expected: Option<Version>,
    actor: &Actor,
    now: UnixTime,
) -> Decision<()> {
    match current(known, expected) {
        Ok(Known {
            value: resource,
            version,
        }) => Change::default()
            .remove(RecordName::Resource(resource.uri.clone()), *version)
            .event(event(EventKind::ResourceDeleted, &resource.uri, actor, now))
            .answer(()),
        Err(refusal) => Decision::refuse(refusal),
    }
}

/// What holds between the fields of every resource.
fn fits_together(resource: &Resource, issuer: &IssuerName) -> Result<(), Refusal> {
    if !resource.scope_descriptions.are_of(&resource.scopes) {
        return Err(fault(SCOPE_DESCRIPTIONS, Malformed::ScopeNotOfResource));
    }
    can_have_its_format(resource, issuer)
}

/// Whoever asks what a reference token says presents a token for the service's own interface: were
/// that one a reference too, it would have to be asked about first.
fn can_have_its_format(resource: &Resource, issuer: &IssuerName) -> Result<(), Refusal> {
    let own = resource.uri.as_str() == issuer.as_str();
    match resource.access_token_format {
        AccessTokenFormat::Reference if own => {
            Err(fault(ACCESS_TOKEN_FORMAT, Malformed::AccessTokenFormatOwn))
        }
        AccessTokenFormat::Reference | AccessTokenFormat::Jwt => Ok(()),
    }
}

fn fault(field: &str, problem: Malformed) -> Refusal {
    FieldFault::new(format!("resource.{field}"), problem).into()
}

fn uri(text: &str) -> Result<ResourceUri, Refusal> {
    ResourceUri::parse(text).map_err(|problem| fault("uri", problem))
}

fn display_name(text: &str) -> Result<DisplayName, Refusal> {
    DisplayName::parse(text).map_err(|problem| fault(DISPLAY_NAME, problem))
}

fn scopes(texts: &[String]) -> Result<Scopes, Refusal> {
    policy::scopes_field("resource.scopes", texts)
}

fn format(form: FormatForm) -> Result<AccessTokenFormat, Refusal> {
    match form {
        FormatForm::Unspecified => Ok(AccessTokenFormat::Jwt),
        FormatForm::Known(format) => Ok(format),
        FormatForm::Unknown => Err(fault(ACCESS_TOKEN_FORMAT, Malformed::AccessTokenFormat)),
    }
}

fn scope_descriptions(forms: &[ScopeDescriptionForm]) -> Result<ScopeDescriptions, Refusal> {
    if forms.len() > SCOPES_MAX {
        let problem = Malformed::TooManyEntries(SCOPES_MAX);
        return Err(fault(SCOPE_DESCRIPTIONS, problem));
    }
    let mut seen = BTreeSet::new();
    let mut described = Vec::with_capacity(forms.len());
    for (at, form) in forms.iter().enumerate() {
        let wrong =
            |member: &str, problem| fault(&format!("{SCOPE_DESCRIPTIONS}[{at}].{member}"), problem);
        let scope = Scope::parse(&form.scope).map_err(|problem| wrong("scope", problem))?;
        if !seen.insert(scope.clone()) {
            return Err(wrong("scope", Malformed::Twice));
        }
        let description = ScopeDescription::parse(&form.description)
            .map_err(|problem| wrong("description", problem))?;
        described.push((scope, description));
    }
    Ok(described.into_iter().collect())
}

/// Each with its schema, which is compiled here, once.
fn details_types(forms: &[DetailsTypeForm]) -> Result<RegisteredTypes, Refusal> {
    if forms.len() > DETAILS_TYPES_MAX {
        let problem = Malformed::TooManyEntries(DETAILS_TYPES_MAX);
        return Err(fault(DETAILS_TYPES, problem));
    }
    let mut types: Vec<(DetailsType, DetailsSchema)> = Vec::with_capacity(forms.len());
    for (at, form) in forms.iter().enumerate() {
        let wrong =
            |member: &str, problem| fault(&format!("{DETAILS_TYPES}[{at}].{member}"), problem);
        let kind = DetailsType::parse(&form.name).map_err(|problem| wrong("name", problem))?;
        if types.iter().any(|(known, _)| *known == kind) {
            return Err(wrong("name", Malformed::Twice));
        }
        let schema = DetailsSchema::parse(&kind, &form.schema).map_err(|found| {
            // The place in the schema as a URI's fragment has it.
            let place = match found.pointer.as_str() {
                "" => String::new(),
                pointer => format!("#{pointer}"),
            };
            wrong(&format!("schema{place}"), found.problem)
        })?;
        types.push((kind, schema));
    }
    Ok(types.into_iter().collect())
}

/// Whole seconds: `expires_in` and `exp` have no fractions.
fn lifetime(form: Option<DurationForm>) -> Result<Option<Duration>, Refusal> {
    let Some(DurationForm { seconds, nanos }) = form else {
        return Ok(None);
    };
    let lifetime = u64::try_from(seconds)
        .ok()
        .map(Duration::from_secs)
        .filter(|lifetime| {
            nanos == 0 && (Duration::from_secs(1)..=ACCESS_TOKEN_LIFETIME_MAX).contains(lifetime)
        });
    match lifetime {
        Some(lifetime) => Ok(Some(lifetime)),
        None => Err(fault(ACCESS_TOKEN_LIFETIME, Malformed::AccessTokenLifetime)),
    }
}

fn event(kind: EventKind, uri: &ResourceUri, actor: &Actor, now: UnixTime) -> Event {
    Event {
        at: now,
        kind,
        client: None,
        actor: actor.clone(),
        object: Object::Resource(uri.clone()),
        reason: None,
        granted: None,
    }
}
