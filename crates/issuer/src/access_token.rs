//! Access tokens: JWTs of RFC 9068, made and read.

mod read;

use std::time::Duration;

use countersign_jose::{Algorithm, CertificateThumbprint, Thumbprint, UnixTime, base64url};
use serde::Serialize;

pub use read::{NotAccessToken, TOKEN_BYTES_MAX, read};

use crate::issuer::{ACCESS_TOKEN_LIFETIME_MAX, IssuerName, Lifetimes};
use crate::model::{
    AccessTokenFormat, Acr, Catalogue, ClientId, Details, DetailsCause, DetailsFault, Family,
    FamilyId, Permissions, RecordId, ResourceUri, Scopes, Subject, TokenId,
};
use crate::refusal::Refusal;

/// The type of our access tokens (RFC 9068 §2.1).
const TYP: &str = "at+jwt";

/// Room for a token with one resource, a few scopes and a family, so that it is not copied while it
/// grows. A longer one grows.
const PAYLOAD_BYTES_USUAL: usize = 512;

/// A time with as many digits as times have for the next 250 years.
const SECONDS_LONG: u64 = 1_000_000_000;

/// The longest payload, so that the token has [`TOKEN_BYTES_MAX`]: three of its bytes take four
/// characters, beside the dots, a signature of 86 characters and a header of at most 200.
pub(crate) const PAYLOAD_BYTES_MAX: usize = (TOKEN_BYTES_MAX - 2 - 86 - 200) / 4 * 3;

/// What an access token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    /// Whom it speaks for (`sub`).
    pub subject: Subject,
    /// The resources that it is for (`aud`). At least one.
    pub audience: Vec<ResourceUri>,
    /// The client that it is issued to (`client_id`).
    pub client: ClientId,
    /// Its scopes (`scope`).
    pub scopes: Scopes,
    /// The key that it is bound to (`cnf.jkt`, RFC 9449 §6.1).
    pub jkt: Thumbprint,
    /// The certificate that it is bound to as well, where there is one (`cnf.x5t#S256`, RFC 8705
    /// §3.1).
    pub certificate: Option<CertificateThumbprint>,
    /// When it was issued, in whole seconds (`iat`).
    pub issued_at: UnixTime,
    /// When it ends, in whole seconds (`exp`).
    pub expires_at: UnixTime,
    /// Its name (`jti`).
    pub id: TokenId,
    /// Its family, where it belongs to one (`fam`).
    pub family: Option<FamilyId>,
    /// When the person last proved who they are (`auth_time`).
    pub auth_time: Option<UnixTime>,
    /// How they proved it (`acr`).
    pub acr: Option<Acr>,
    /// What it allows beyond scopes (`authorization_details`, RFC 9396 §9.1).
    pub details: Details,
}

/// Whom a new token is bound to, and under which name.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) jkt: Thumbprint,
    pub(crate) certificate: Option<CertificateThumbprint>,
    pub(crate) id: TokenId,
    /// In whole seconds.
    pub(crate) issued_at: UnixTime,
}

impl Claims {
    /// How long the token lives from its issue on: `expires_in`.
    pub fn lifetime(&self) -> Duration {
        self.expires_at.since(self.issued_at)
    }

    /// The payload to sign.
    pub fn payload(&self, issuer: &IssuerName) -> Vec<u8> {
        let payload = Payload {
            iss: issuer.as_str(),
            sub: self.subject.as_str(),
            aud: match self.audience.as_slice() {
                [only] => Audience::One(only.as_str()),
                several => Audience::Several(several.iter().map(ResourceUri::as_str).collect()),
            },
            client_id: self.client.as_str(),
            scope: self.scopes.to_string(),
            cnf: Confirmation {
                jkt: self.jkt.to_string(),
                certificate: self.certificate.map(|certificate| certificate.to_string()),
            },
            iat: self.issued_at.as_secs(),
            exp: self.expires_at.as_secs(),
            jti: self.id.to_string(),
            fam: self.family.map(|family| family.to_string()),
            auth_time: self.auth_time.map(UnixTime::as_secs),
            acr: self.acr.as_ref().map(Acr::as_str),
            authorization_details: &self.details,
        };
        let mut json = Vec::with_capacity(PAYLOAD_BYTES_USUAL);
        serde_json::to_writer(&mut json, &payload).expect("strings and numbers are always written");
        json
    }

    /// A token in the client's own name.
    pub(crate) fn of_client(
        client: &ClientId,
        permissions: &Permissions,
        lifetime: Duration,
        binding: Binding,
    ) -> Self {
        let issued_at = binding.issued_at;
        Self {
            subject: Subject::of_client(client),
            audience: permissions.resources().cloned().collect(),
            client: client.clone(),
            scopes: permissions.scopes(),
            jkt: binding.jkt,
            certificate: binding.certificate,
            issued_at,
            expires_at: issued_at.plus(lifetime),
            id: binding.id,
            family: None,
            auth_time: None,
            acr: None,
            details: Details::default(),
        }
    }

    /// A token of a family, with some of its permissions.
    pub(crate) fn of_family(
        id: FamilyId,
        family: &Family,
        permissions: &Permissions,
        lifetime: Duration,
        binding: Binding,
    ) -> Self {
        Self {
            subject: family.subject.clone(),
            family: Some(id),
            auth_time: family.auth_time,
            acr: family.acr.clone(),
            ..Self::of_client(&family.client, permissions, lifetime, binding)
        }
    }

    /// The largest token of a family of that client's: whoever the person will be.
    pub(crate) fn longest(client: &ClientId, permissions: &Permissions) -> Self {
        let longest = "x".repeat(255);
        let zero = RecordId::from_bytes([0; 16]);
        let binding = Binding {
            jkt: Thumbprint::from_bytes([0; 32]),
            certificate: Some(CertificateThumbprint::from_bytes([0; 32])),
            id: TokenId::of_record(zero),
            issued_at: UnixTime::from_secs(SECONDS_LONG),
        };
        Self {
            subject: Subject::parse(&longest).expect("255 letters are a subject"),
            family: Some(FamilyId::new(zero)),
            auth_time: Some(binding.issued_at),
            acr: Acr::parse(&longest).expect("255 letters are an acr"),
            ..Self::of_client(client, permissions, Duration::ZERO, binding)
        }
    }

    /// The same token with authorization details.
    ///
    /// # Errors
    /// [`DetailsCause::TokenTooLong`] where it is a JWT that no guard would take. Without details
    /// none is: what else it says has its limits.
    pub(crate) fn with_details(
        mut self,
        details: Details,
        format: AccessTokenFormat,
        issuer: &IssuerName,
    ) -> Result<Self, Refusal> {
        self.details = details;
        let fits = match format {
            _ if self.details.is_empty() => true,
            AccessTokenFormat::Reference => true,
            AccessTokenFormat::Jwt => self.payload(issuer).len() <= PAYLOAD_BYTES_MAX,
        };
        if fits {
            Ok(self)
        } else {
            Err(DetailsFault::all(DetailsCause::TokenTooLong).into())
        }
    }
}

/// The encoded header of all tokens that one key signs, for `SigningKey::sign_segments`.
pub fn header(algorithm: Algorithm, kid: &str) -> String {
    let header = Header {
        typ: TYP,
        alg: algorithm.name(),
        kid,
    };
    base64url::encode(serde_json::to_vec(&header).expect("strings are always written"))
}

/// How long a token for these resources lives: the shortest of what they ask for.
pub(crate) fn lifetime(
    permissions: &Permissions,
    catalogue: &Catalogue,
    lifetimes: &Lifetimes,
) -> Duration {
    permissions
        .resources()
        .filter_map(|uri| catalogue.resource(uri))
        .map(|resource| {
            resource
                .access_token_lifetime
                .unwrap_or(lifetimes.access_token)
        })
        .fold(ACCESS_TOKEN_LIFETIME_MAX, Duration::min)
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Payload<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Audience<'a>,
    client_id: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    cnf: Confirmation,
    iat: u64,
    exp: u64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fam: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Details::is_empty")]
    authorization_details: &'a Details,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(Vec<&'a str>),
}

#[derive(Serialize)]
struct Confirmation {
    jkt: String,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
}
