//! Clients: what tokens are given to.

use countersign_jose::{CertificateThumbprint, Jwks, UnixTime};

use super::{
    CertificateName, ClientId, DisplayName, Permissions, PermittedTypes, RedirectUri, ResourceUri,
    SecretHash,
};

/// The most redirect URIs of one client: every stage of every product, with room to spare.
pub const REDIRECT_URIS_MAX: usize = 64;

/// The most resources that one client may ask for.
pub const PERMISSIONS_MAX: usize = 100;

/// The most resources that one client serves.
pub const SERVES_MAX: usize = 100;

/// A registered client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its identifier, which never changes.
    pub id: ClientId,
    /// Its name for people.
    pub display_name: DisplayName,
    /// How it authenticates.
    pub authentication: Authentication,
    /// What it may present to get tokens.
    pub grant_types: GrantTypes,
    /// Where its codes may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for.
    pub permissions: Permissions,
    /// The types of authorization details that it may ask for.
    pub details_types: PermittedTypes,
    /// The resources that it serves, and whose tokens it may introspect.
    pub serves: Vec<ResourceUri>,
    /// What its refresh tokens are bound to.
    pub refresh_key: RefreshKey,
    /// Its access tokens are bound to the certificate of the connection that they are asked for over
    /// (RFC 8705 §3), besides the proof key.
    pub certificate_bound: bool,
    /// Its browsers bring only requests that it has pushed (RFC 9126 §6).
    pub only_pushed: bool,
    /// It is refused as if it were unknown.
    pub disabled: bool,
    /// Its access tokens that were made until then are dead: it was disabled.
    pub tokens_revoked_at: Option<UnixTime>,
    /// When it was registered. Families from before that were another client's of this name.
    pub created_at: UnixTime,
    /// When it was last changed.
    pub updated_at: UnixTime,
}

/// How a client authenticates (RFC 7591 §2), with what it is checked by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Authentication {
    /// It cannot: a public client.
    None,
    /// By the secret that the service made.
    Secret(SecretHash),
    /// By a JWT signed with one of these keys (RFC 7523).
    PrivateKeyJwt(Jwks),
    /// By a certificate from an authority, with this name in it (RFC 8705 §2.1).
    TlsClientAuth(CertificateName),
    /// By one of these certificates, whoever signed it (RFC 8705 §2.2).
    SelfSignedTlsClientAuth(Vec<CertificateThumbprint>),
}

/// What a client may present to get tokens.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum GrantType {
    /// Its own registration.
    ClientCredentials,
    /// A code that a person's approval led to.
    AuthorizationCode,
    /// A refresh token.
    RefreshToken,
    /// A device code (RFC 8628).
    DeviceCode,
}

/// A set of grant types.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct GrantTypes {
    /// Its own registration.
    pub client_credentials: bool,
    /// A code that a person's approval led to.
    pub authorization_code: bool,
    /// A refresh token.
    pub refresh_token: bool,
    /// A device code (RFC 8628).
    pub device_code: bool,
}

/// What a client's refresh tokens are bound to.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum RefreshKey {
    /// To the proof key that they were issued to. Always so for public clients (RFC 9449 §5).
    #[default]
    Pinned,
    /// To the client, which may bring a new proof key.
    Replaceable,
}

impl Client {
    /// Whether the client authenticates by nothing but its name.
    pub fn is_public(&self) -> bool {
        matches!(self.authentication, Authentication::None)
    }

    /// Whether `uri` is one it may be sent to.
    pub fn may_redirect_to(&self, uri: &RedirectUri) -> bool {
        self.redirect_uris
            .iter()
            .any(|registered| registered.admits(uri))
    }
}

impl GrantTypes {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl FromIterator<GrantType> for GrantTypes {
    fn from_iter<I: IntoIterator<Item = GrantType>>(types: I) -> Self {
        let mut set = Self::default();
        for grant_type in types {
            match grant_type {
                GrantType::ClientCredentials => set.client_credentials = true,
                GrantType::AuthorizationCode => set.authorization_code = true,
                GrantType::RefreshToken => set.refresh_token = true,
                GrantType::DeviceCode => set.device_code = true,
            }
        }
        set
    }
}
