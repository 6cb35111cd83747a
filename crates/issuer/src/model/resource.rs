//! Resources: what tokens are for (RFC 8707).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign_jose::UnixTime;
use url::Url;

use super::{DisplayName, Malformed, RegisteredTypes, ScopeDescriptions, Scopes};

/// The most resources that one request names: an audience of more is a token for everywhere.
pub const RESOURCES_MAX: usize = 8;

/// The URI of a resource, as it stands in `aud`. Compared character for character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ResourceUri(Arc<str>);

/// The resources that a request names: at most [`RESOURCES_MAX`], each once, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResourceUris(Vec<ResourceUri>);

/// A registered resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resource {
    /// Its URI, which never changes.
    pub uri: ResourceUri,
    /// Its name for people.
    pub display_name: DisplayName,
    /// Its scopes.
    pub scopes: Scopes,
    /// What these allow, in plain words.
    pub scope_descriptions: ScopeDescriptions,
    /// How long access tokens for it live: 1 to 900 s; none for the service's default.
    pub access_token_lifetime: Option<Duration>,
    /// What access tokens for it are.
    pub access_token_format: AccessTokenFormat,
    /// The types of authorization details that it understands.
    pub details_types: RegisteredTypes,
    /// When it was registered.
    pub created_at: UnixTime,
    /// When it was last changed.
    pub updated_at: UnixTime,
}

/// What access tokens for a resource are.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum AccessTokenFormat {
    /// A JWT (RFC 9068), which says everything itself and is verified offline.
    #[default]
    Jwt,
    /// A handle, which says nothing: the service keeps what it says, and tells those who serve the
    /// resource (RFC 7662). Dead at once when it is revoked.
    Reference,
}

/// The registered resources that a decision needs, by URI. One that is not in it is taken for
/// not registered.
#[derive(Clone, Debug, Default)]
pub struct Catalogue(BTreeMap<ResourceUri, Arc<Resource>>);

impl ResourceUri {
    /// Reads an absolute URI of at most 255 bytes without query and fragment.
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::ResourceUri`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::Missing);
        }
        if text.len() > 255 || !text.bytes().all(is_uri_byte) {
            return Err(Malformed::ResourceUri);
        }
        let url = Url::parse(text).map_err(|_| Malformed::ResourceUri)?;
        // RFC 8707 §2: absolute, no fragment; a query would make two names of one audience.
        if url.query().is_some() || url.fragment().is_some() || has_user(&url) {
            return Err(Malformed::ResourceUri);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ResourceUris {
    /// Reads a list.
    ///
    /// # Errors
    /// [`Malformed::TooManyResources`] before any is read, and as [`ResourceUri::parse`].
    pub fn parse(texts: &[impl AsRef<str>]) -> Result<Self, Malformed> {
        if texts.len() > RESOURCES_MAX {
            return Err(Malformed::TooManyResources);
        }
        let mut uris = texts
            .iter()
            .map(|text| ResourceUri::parse(text.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        uris.sort();
        uris.dedup();
        Ok(Self(uris))
    }

    /// The URIs, in order.
    pub fn iter(&self) -> impl Iterator<Item = &ResourceUri> {
        self.0.iter()
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Catalogue {
    /// The registered resource of that URI.
    pub fn resource(&self, uri: &ResourceUri) -> Option<&Resource> {
        self.0.get(uri).map(Arc::as_ref)
    }
}

/// Of resources, or of shared ones.
impl<R: Into<Arc<Resource>>> FromIterator<R> for Catalogue {
    fn from_iter<I: IntoIterator<Item = R>>(resources: I) -> Self {
        Self(
            resources
                .into_iter()
                .map(Into::into)
                .map(|resource: Arc<Resource>| (resource.uri.clone(), resource))
                .collect(),
        )
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 3986 §2: what a URI may be written with. The `url` crate mends the rest silently, and
/// what was mended would no longer be what was registered.
pub(super) fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

pub(super) fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}
