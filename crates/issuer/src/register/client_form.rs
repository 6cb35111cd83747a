//! The fields of a client, each checked by itself.

use std::collections::BTreeSet;

use countersign_jose::{CertificateThumbprint, Jwks};

use super::etag::parse_etag;
use crate::Version;
use crate::model::{
    CERTIFICATES_MAX, CertificateName, ClientId, DETAILS_TYPES_MAX, DetailsType, DisplayName,
    GrantType, GrantTypes, Malformed, PERMISSIONS_MAX, Permissions, PermittedTypes,
    REDIRECT_URIS_MAX, RedirectUri, RefreshKey, ResourceUri, SERVES_MAX, Scopes,
};
use crate::policy;
use crate::refusal::{FieldFault, Refusal};

/// The fields of a client as they came, with the names that they have on the wire.
#[derive(Clone, Debug, Default)]
pub struct ClientForm {
    /// `client_id`
    pub client_id: String,
    /// `display_name`
    pub display_name: String,
    /// `authentication_method`; none where it is not one that is known.
    pub authentication_method: Option<AuthenticationMethod>,
    /// `jwks`
    pub jwks: String,
    /// `grant_types`; none for each that is not known.
    pub grant_types: Vec<Option<GrantType>>,
    /// `redirect_uris`
    pub redirect_uris: Vec<String>,
    /// `permissions`
    pub permissions: Vec<PermissionForm>,
    /// `serves`
    pub serves: Vec<String>,
    /// `refresh_key`
    pub refresh_key: RefreshKey,
    /// `tls_client_auth`
    pub certificate_name: Option<CertificateNameForm>,
    /// `tls_client_certificates`
    pub certificates: Vec<String>,
    /// `tls_client_certificate_bound_access_tokens`
    pub certificate_bound: bool,
    /// `require_pushed_authorization_requests`
    pub only_pushed: bool,
    /// `disabled`
    pub disabled: bool,
    /// `etag`
    pub etag: String,
}

/// An entry of `permissions`.
#[derive(Clone, Debug, Default)]
pub struct PermissionForm {
    /// `resource`
    pub resource: String,
    /// `scopes`
    pub scopes: Vec<String>,
    /// `details_types`
    pub details_types: Vec<String>,
}

/// What a certificate must name, as it came.
#[derive(Clone, Debug)]
pub enum CertificateNameForm {
    /// `tls_client_auth_subject_dn`
    Subject(String),
    /// `tls_client_auth_san_dns`
    Dns(String),
    /// `tls_client_auth_san_uri`
    Uri(String),
    /// `tls_client_auth_san_ip`
    Ip(String),
    /// `tls_client_auth_san_email`
    Email(String),
}

/// How a client authenticates, without what it is checked by.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum AuthenticationMethod {
    /// It cannot.
    None,
    /// By the secret that the service makes.
    Secret,
    /// By a JWT signed with one of its keys.
    PrivateKeyJwt,
    /// By a certificate from an authority, which names it.
    TlsClientAuth,
    /// By one of its certificates.
    SelfSignedTlsClientAuth,
}

/// A client to register, each of its fields well-formed.
#[derive(Clone, Debug)]
pub struct NewClient {
    pub(super) id: ClientId,
    pub(super) method: AuthenticationMethod,
    pub(super) fields: Fields,
}

/// A change to a client, each of the new values well-formed.
#[derive(Clone, Debug)]
pub struct ClientChange {
    pub(super) id: ClientId,
    pub(super) fields: Fields,
    pub(super) expected: Option<Version>,
}

/// What can be changed. None is left as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) display_name: Option<DisplayName>,
    /// The inner option is none for an empty field.
    #[expect(
        clippy::option_option,
        reason = "left alone and emptied are different changes"
    )]
    pub(super) jwks: Option<Option<Jwks>>,
    /// The same.
    #[expect(
        clippy::option_option,
        reason = "left alone and emptied are different changes"
    )]
    pub(super) certificate_name: Option<Option<CertificateName>>,
    pub(super) certificates: Option<Vec<CertificateThumbprint>>,
    pub(super) certificate_bound: Option<bool>,
    pub(super) only_pushed: Option<bool>,
    pub(super) grant_types: Option<GrantTypes>,
    pub(super) redirect_uris: Option<Vec<RedirectUri>>,
    pub(super) permissions: Option<Permissions>,
    /// Comes with the permissions.
    pub(super) details_types: Option<PermittedTypes>,
    pub(super) serves: Option<Vec<ResourceUri>>,
    pub(super) refresh_key: Option<RefreshKey>,
    pub(super) disabled: Option<bool>,
}

/// The fields that can be changed, by their names in an update mask.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Field {
    DisplayName,
    Jwks,
    GrantTypes,
    RedirectUris,
    Permissions,
    Serves,
    RefreshKey,
    Disabled,
    CertificateName,
    Certificates,
    CertificateBound,
    OnlyPushed,
}

/// What a client's certificate may be named by in an update mask: all of them mean the one that is
/// there.
const CERTIFICATE_NAMES: [&str; 6] = [
    "tls_client_auth",
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
];

impl NewClient {
    /// Reads a client to register. `random` names it if it came without an identifier.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] and [`Refusal::InvalidScope`], naming the field.
    pub fn parse(form: &ClientForm, random: [u8; 16]) -> Result<Self, Refusal> {
        let id = match form.client_id.as_str() {
            "" => ClientId::from_random(random),
            text => client_id(text)?,
        };
        let method = form
            .authentication_method
            .ok_or_else(|| fault("authentication_method", Malformed::AuthenticationMethod))?;
        Ok(Self {
            id,
            method,
            fields: Fields::parse(form, &Field::ALL)?,
        })
    }

    /// The identifier that the client will have: the record to look for.
    pub const fn id(&self) -> &ClientId {
        &self.id
    }

    /// The resources that must be registered: what to load.
    pub fn resources(&self) -> BTreeSet<&ResourceUri> {
        self.fields.resources()
    }
}

impl ClientChange {
    /// Reads a change of the fields that `mask` names; an empty mask names all.
    ///
    /// # Errors
    /// [`Refusal::InvalidRequest`] and [`Refusal::InvalidScope`], naming the field;
    /// [`Refusal::Changed`] for an etag that no client ever had.
    pub fn parse(form: &ClientForm, mask: &[impl AsRef<str>]) -> Result<Self, Refusal> {
        Ok(Self {
            id: client_id(&form.client_id)?,
            fields: Fields::parse(form, &masked(mask)?)?,
            expected: parse_etag(&form.etag)?,
        })
    }

    /// The client to change.
    pub const fn id(&self) -> &ClientId {
        &self.id
    }

    /// The resources that must be registered: what to load.
    pub fn resources(&self) -> BTreeSet<&ResourceUri> {
        self.fields.resources()
    }
}

impl Field {
    const ALL: [Self; 12] = [
        Self::DisplayName,
        Self::Jwks,
        Self::GrantTypes,
        Self::RedirectUris,
        Self::Permissions,
        Self::Serves,
        Self::RefreshKey,
        Self::Disabled,
        Self::CertificateName,
        Self::Certificates,
        Self::CertificateBound,
        Self::OnlyPushed,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::DisplayName => "display_name",
            Self::Jwks => "jwks",
            Self::GrantTypes => "grant_types",
            Self::RedirectUris => "redirect_uris",
            Self::Permissions => "permissions",
            Self::Serves => "serves",
            Self::RefreshKey => "refresh_key",
            Self::Disabled => "disabled",
            Self::CertificateName => CERTIFICATE_NAMES[0],
            Self::Certificates => "tls_client_certificates",
            Self::CertificateBound => "tls_client_certificate_bound_access_tokens",
            Self::OnlyPushed => "require_pushed_authorization_requests",
        }
    }

    /// The field that a path of an update mask means.
    fn named(path: &str) -> Option<Self> {
        if CERTIFICATE_NAMES.contains(&path) {
            return Some(Self::CertificateName);
        }
        Self::ALL.into_iter().find(|field| field.name() == path)
    }
}

impl Fields {
    fn parse(form: &ClientForm, named: &[Field]) -> Result<Self, Refusal> {
        let mut fields = Self::default();
        for field in named {
            match field {
                Field::DisplayName => {
                    let name = DisplayName::parse(&form.display_name);
                    fields.display_name = Some(name.map_err(|bad| fault("display_name", bad))?);
                }
                Field::Jwks => fields.jwks = Some(jwks(&form.jwks)?),
                Field::GrantTypes => fields.grant_types = Some(grant_types(&form.grant_types)?),
                Field::RedirectUris => {
                    let parse = |text: &String| RedirectUri::parse(text);
                    let texts = &form.redirect_uris;
                    fields.redirect_uris =
                        Some(list("redirect_uris", texts, REDIRECT_URIS_MAX, parse)?);
                }
                Field::Permissions => {
                    fields.permissions = Some(permissions(&form.permissions)?);
                    fields.details_types = Some(details_types(&form.permissions)?);
                }
                Field::Serves => {
                    let parse = |text: &String| ResourceUri::parse(text);
                    fields.serves = Some(list("serves", &form.serves, SERVES_MAX, parse)?);
                }
                Field::RefreshKey => fields.refresh_key = Some(form.refresh_key),
                Field::Disabled => fields.disabled = Some(form.disabled),
                Field::CertificateName => {
                    let name = form.certificate_name.as_ref();
                    fields.certificate_name = Some(name.map(certificate_name).transpose()?);
                }
                Field::Certificates => {
                    let certificates = certificates(&form.certificates)?;
                    fields.certificates = Some(certificates);
                }
                Field::CertificateBound => {
                    fields.certificate_bound = Some(form.certificate_bound);
                }
                Field::OnlyPushed => fields.only_pushed = Some(form.only_pushed),
            }
        }
        Ok(fields)
    }

    fn resources(&self) -> BTreeSet<&ResourceUri> {
        let asked = self.permissions.iter().flat_map(Permissions::resources);
        asked.chain(self.serves.iter().flatten()).collect()
    }
}

/// The fault of a field of the message `client`.
pub(super) fn fault(field: &str, problem: Malformed) -> Refusal {
    FieldFault::new(format!("client.{field}"), problem).into()
}

fn client_id(text: &str) -> Result<ClientId, Refusal> {
    ClientId::parse(text).map_err(|problem| fault("client_id", problem))
}

fn masked(mask: &[impl AsRef<str>]) -> Result<Vec<Field>, Refusal> {
    if mask.is_empty() {
        return Ok(Field::ALL.to_vec());
    }
    let named: Option<Vec<Field>> = mask
        .iter()
        .map(|path| Field::named(path.as_ref()))
        .collect();
    let named = named.ok_or_else(|| FieldFault::new("update_mask", Malformed::UpdateMask))?;
    // Each once, however often it is named: reading a key set ten thousand times is work.
    Ok(Field::ALL
        .into_iter()
        .filter(|field| named.contains(field))
        .collect())
}

fn jwks(text: &str) -> Result<Option<Jwks>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let keys = Jwks::parse(text.as_bytes());
    keys.map(Some)
        .map_err(|problem| fault("jwks", Malformed::Jwks(problem)))
}

fn certificate_name(form: &CertificateNameForm) -> Result<CertificateName, Refusal> {
    let (field, read) = match form {
        CertificateNameForm::Subject(text) => {
            ("tls_client_auth_subject_dn", CertificateName::subject(text))
        }
        CertificateNameForm::Dns(text) => ("tls_client_auth_san_dns", CertificateName::dns(text)),
        CertificateNameForm::Uri(text) => ("tls_client_auth_san_uri", CertificateName::uri(text)),
        CertificateNameForm::Ip(text) => ("tls_client_auth_san_ip", CertificateName::ip(text)),
        CertificateNameForm::Email(text) => {
            ("tls_client_auth_san_email", CertificateName::email(text))
        }
    };
    read.map_err(|problem| fault(field, problem))
}

fn certificates(texts: &[String]) -> Result<Vec<CertificateThumbprint>, Refusal> {
    let field = "tls_client_certificates";
    if texts.len() > CERTIFICATES_MAX {
        return Err(fault(field, Malformed::TooManyEntries(CERTIFICATES_MAX)));
    }
    let mut read = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let at = |problem| fault(&format!("{field}[{at}]"), problem);
        let thumbprint =
            CertificateThumbprint::parse(text).map_err(|_| at(Malformed::CertificateThumbprint))?;
        if read.contains(&thumbprint) {
            return Err(at(Malformed::Twice));
        }
        read.push(thumbprint);
    }
    Ok(read)
}

fn grant_types(listed: &[Option<GrantType>]) -> Result<GrantTypes, Refusal> {
    if listed.is_empty() {
        return Err(fault("grant_types", Malformed::GrantTypeMissing));
    }
    let known: Option<GrantTypes> = listed.iter().copied().collect();
    known.ok_or_else(|| fault("grant_types", Malformed::GrantType))
}

fn permissions(listed: &[PermissionForm]) -> Result<Permissions, Refusal> {
    let parse = |entry: &PermissionForm| ResourceUri::parse(&entry.resource);
    let uris = list("permissions", listed, PERMISSIONS_MAX, parse)?;
    let entries = uris.into_iter().zip(listed).map(|(uri, entry)| {
        Ok((
            uri,
            policy::scopes_field("client.permissions.scopes", &entry.scopes)?,
        ))
    });
    entries
        .collect::<Result<Vec<(ResourceUri, Scopes)>, Refusal>>()
        .map(Permissions::from_iter)
}

/// The types of the entries, whose resources were read before.
fn details_types(listed: &[PermissionForm]) -> Result<PermittedTypes, Refusal> {
    let types = |entry: &PermissionForm| {
        let uri = ResourceUri::parse(&entry.resource)
            .map_err(|problem| fault("permissions.resource", problem))?;
        let parse = |text: &String| DetailsType::parse(text);
        let field = "permissions.details_types";
        let types = list(field, &entry.details_types, DETAILS_TYPES_MAX, parse)?;
        Ok((uri, types.into_iter().collect()))
    };
    let entries = listed.iter().map(types);
    entries
        .collect::<Result<Vec<(ResourceUri, BTreeSet<DetailsType>)>, Refusal>>()
        .map(PermittedTypes::from_iter)
}

/// Reads a list without duplicates, naming the entry that is wrong.
fn list<F, T: Ord>(
    field: &str,
    entries: &[F],
    max: usize,
    parse: impl Fn(&F) -> Result<T, Malformed>,
) -> Result<Vec<T>, Refusal> {
    if entries.len() > max {
        return Err(fault(field, Malformed::TooManyEntries(max)));
    }
    let mut read: Vec<T> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let value = parse(entry).map_err(|problem| fault(&format!("{field}[{at}]"), problem))?;
        if read.contains(&value) {
            return Err(fault(&format!("{field}[{at}]"), Malformed::Twice));
        }
        read.push(value);
    }
    Ok(read)
}
