//! What the decisions are about: parsed types, no strings that could be anything.

mod authorization;
mod certificate;
mod client;
mod denial;
mod described;
mod details;
mod distinguished_name;
mod family;
mod ids;
mod malformed;
mod names;
mod permissions;
mod pkce;
mod redirect;
mod resource;
mod scope;
mod secret;
mod service_key;
mod user_code;
mod wishes;

pub use authorization::{Approval, Authorization, Polling, Redirect, Stage, Way};
pub use certificate::{AlternativeNames, CERTIFICATES_MAX, CertificateName, PeerCertificate};
pub use client::{
    Authentication, Client, GrantType, GrantTypes, PERMISSIONS_MAX, REDIRECT_URIS_MAX, RefreshKey,
    SERVES_MAX,
};
pub use denial::Denial;
pub use described::{ScopeAt, ScopeDescription, ScopeDescriptions};
pub use details::{
    DETAIL_DEPTH_MAX, DETAILS_BYTES_MAX, DETAILS_MAX, DETAILS_TYPES_MAX, Detail, Details,
    DetailsCause, DetailsFault, DetailsSchema, DetailsType, GrantedDetail, GrantedDetails,
    PermittedTypes, RegisteredTypes, SCHEMA_BYTES_MAX, SchemaFault,
};
pub use distinguished_name::DistinguishedName;
pub use family::{Family, Revoked, RevokedCause};
pub use ids::{Epoch, FamilyId, Generation, RecordId, TokenId};
pub use malformed::Malformed;
pub use names::{Acr, ClientId, DisplayName, State, Subject};
pub use permissions::Permissions;
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect::RedirectUri;
pub use resource::{
    AccessTokenFormat, Catalogue, RESOURCES_MAX, Resource, ResourceUri, ResourceUris,
};
pub use scope::{SCOPE_CLAIM_BYTES_MAX, SCOPES_MAX, Scope, Scopes};
pub use secret::{ClientSecret, SecretHash};
pub use service_key::{KeyId, KeyPurpose, KeyState, Lock, SealedKey, ServiceKey};
pub use user_code::UserCode;
pub(crate) use wishes::acr_values;
pub use wishes::{Prompts, Wishes};
