//! What is wrong with a value, said as what would be right.

use countersign_jose::JwksError;
use countersign_jose::json::JsonError;

/// Why a value cannot be what its field holds. Displays as the rule that it breaks, never as the
/// value.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// The field is empty and may not be.
    #[error("must not be empty")]
    Missing,
    /// Not a client identifier.
    #[error("must be 1 to 128 letters, digits, '-', '_', '.', ':' and '/'")]
    ClientId,
    /// Not a name for people.
    #[error("must be at most 128 characters, none of them a control character")]
    DisplayName,
    /// Not a subject.
    #[error("must be 1 to 255 bytes without control characters")]
    Subject,
    /// A person has the identifier of a client (RFC 9700 §4.15).
    #[error("must not be the identifier of a client")]
    SubjectIsClient,
    /// Not an `acr` value.
    #[error("must be at most 255 bytes without control characters")]
    Acr,
    /// A time that has not come yet.
    #[error("must not be in the future")]
    InTheFuture,
    /// Not a `state`.
    #[error("must be at most 512 bytes")]
    State,
    /// Not a scope (RFC 6749 §3.3).
    #[error(
        "must be 1 to 128 printable ASCII characters other than space, quotation mark and backslash"
    )]
    Scope,
    /// Too many scopes.
    #[error("must be at most 100 scopes")]
    TooManyScopes,
    /// Scopes whose names do not fit one token together.
    #[error("must be scopes of at most 2048 bytes together: ask for fewer at a time")]
    ScopesTooLong,
    /// Not the URI of a resource (RFC 8707 §2).
    #[error("must be an absolute URI of at most 255 bytes without query and fragment")]
    ResourceUri,
    /// Too many resources.
    #[error("must be at most 8 resources")]
    TooManyResources,
    /// A resource that nobody registered.
    #[error("must be the URI of a registered resource")]
    ResourceNotRegistered,
    /// A scope that the resource does not have.
    #[error("must be a scope of the resource")]
    ScopeNotOfResource,
    /// Not what a scope allows, in words.
    #[error("must be 1 to 200 characters, none of them a control character")]
    ScopeDescription,
    /// A value stands in a list twice.
    #[error("must not be listed twice")]
    Twice,
    /// More entries than a registration may have.
    #[error("must have at most {0} entries")]
    TooManyEntries(usize),
    /// Not a redirect URI (RFC 8252 §7, RFC 9700 §4.1.3).
    #[error(
        "must be an absolute URI without fragment and user information: https, http on \
         127.0.0.1, [::1] or localhost, or a private scheme with a dot"
    )]
    RedirectUri,
    /// Not one of the client's redirect URIs.
    #[error("must be a redirect URI that the client is registered with")]
    RedirectUriNotRegistered,
    /// A client that redeems codes has nowhere to receive them.
    #[error("must not be empty for the grant type authorization code")]
    RedirectUriNeeded,
    /// Not a client that anybody can be sent to.
    #[error("must name a registered client")]
    ClientNotRegistered,
    /// A request in parameters, of a client that pushes its requests (RFC 9126 §6).
    #[error("must be there: requests are pushed first")]
    NotPushed,
    /// Not the words of `prompt`.
    #[error("must be none alone, or some of login, consent and select_account")]
    Prompt,
    /// The person logged in too long ago for the request.
    #[error("must be as recent as the request asks")]
    TooLongAgo,
    /// Not a decided request, or one that has gone back to the client.
    #[error("must be of a decided request, once: it may be over")]
    Resume,
    /// A request that began in another browser, or one that is over: then no browser keeps anything
    /// of it.
    #[error("must be opened once, in the browser in which the request began")]
    OtherBrowser,
    /// Not a PKCE challenge (RFC 7636 §4.2).
    #[error("must be the base64url form of a SHA-256 digest: 43 characters")]
    CodeChallenge,
    /// Not the PKCE method (RFC 7636 §4.3).
    #[error("must be S256")]
    CodeChallengeMethod,
    /// Not a PKCE verifier (RFC 7636 §4.1).
    #[error("must be 43 to 128 letters, digits, '-', '.', '_' and '~'")]
    CodeVerifier,
    /// Not a thumbprint (RFC 7638).
    #[error("must be the base64url form of a SHA-256 thumbprint: 43 characters")]
    Thumbprint,
    /// Two statements of the key that will redeem the code (RFC 9449 §10.1).
    #[error("must be the thumbprint of the key that signed the proof")]
    ThumbprintOfOtherKey,
    /// A `request_uri` that is unknown, expired, or was decided.
    #[error("must be a request_uri that waits for a decision")]
    RequestUri,
    /// A user code that is none, is unknown, has expired, or was decided (RFC 8628 §3.3).
    #[error("must be the code that a device shows, which waits for a decision")]
    UserCode,
    /// Nobody to count failed guesses of user codes by.
    #[error("must not be empty where subject is: whose failed attempts are counted")]
    Guesser,
    /// Not what a login application tells its visitors apart by.
    #[error("must be at most 255 bytes without control characters")]
    Source,
    /// Not a family identifier.
    #[error("must be a family_id as an answer named it")]
    FamilyId,
    /// No way to authenticate.
    #[error(
        "must be none, client secret, private key JWT, TLS client auth or self-signed TLS client auth"
    )]
    AuthenticationMethod,
    /// No name, or none of the five (RFC 8705 §2.1.2).
    #[error(
        "must be one name of the certificate: subject DN, or DNS name, URI, IP address or mail address"
    )]
    CertificateName,
    /// A name for a client that authenticates otherwise.
    #[error("must not be there unless the client authenticates by TLS client auth")]
    CertificateNameUnused,
    /// Not a distinguished name (RFC 4514).
    #[error(
        "must be a distinguished name as RFC 4514 writes it, as in CN=checkout,O=Example, of at most \
         1024 bytes"
    )]
    DistinguishedName,
    /// Not a DNS name in a certificate.
    #[error("must be a DNS name without wildcard, of at most 255 bytes")]
    CertificateDns,
    /// Not a URI in a certificate.
    #[error("must be an absolute URI of at most 255 bytes")]
    CertificateUri,
    /// Not an IP address in a certificate.
    #[error("must be an IPv4 or IPv6 address")]
    CertificateIp,
    /// Not a mail address in a certificate.
    #[error("must be a mail address of at most 255 bytes of visible ASCII")]
    CertificateEmail,
    /// Not the thumbprint of a certificate.
    #[error("must be the base64url form of the SHA-256 of a certificate in DER: 43 characters")]
    CertificateThumbprint,
    /// Certificates for a client that authenticates otherwise.
    #[error("must be empty unless the client authenticates by self-signed TLS client auth")]
    CertificatesUnused,
    /// Not a usable key set.
    #[error("{0}")]
    Jwks(JwksError),
    /// Keys for a client that authenticates otherwise.
    #[error("must be empty unless the client authenticates by private key JWT")]
    JwksUnused,
    /// A client that may not get any token.
    #[error("must name at least one grant type")]
    GrantTypeMissing,
    /// An enumerator that this release does not know.
    #[error("must be a known grant type")]
    GrantType,
    /// A public client has nothing of its own to present (RFC 6749 §4.4).
    #[error("must not be client credentials for a client that cannot authenticate")]
    GrantTypeConfidential,
    /// A refresh token comes from a code.
    #[error("must not be refresh token without authorization code or device code")]
    GrantTypeRefreshAlone,
    /// Public clients' refresh tokens are always pinned (RFC 9449 §5).
    #[error("must be pinned for a client that cannot authenticate")]
    RefreshKeyPublic,
    /// The client has no secret.
    #[error("must be a client that authenticates by secret")]
    NoSecret,
    /// Not a lifetime of an access token.
    #[error("must be whole seconds, from 1 second to 15 minutes")]
    AccessTokenLifetime,
    /// An enumerator that this release does not know.
    #[error("must be JWT or reference")]
    AccessTokenFormat,
    /// Whoever asks what a reference token says presents a token for the service itself.
    #[error("must be JWT for the service's own interface")]
    AccessTokenFormatOwn,
    /// Not the name of a type of authorization details.
    #[error(
        "must be 1 to 128 printable ASCII characters other than space, quotation mark and backslash"
    )]
    DetailsType,
    /// A type that the resource does not have.
    #[error("must be a type of authorization details of the resource")]
    DetailsTypeNotOfResource,
    /// A schema that is not JSON, or JSON that readers take differently.
    #[error("must be a JSON object: {0}")]
    DetailsSchemaJson(JsonError),
    /// A schema of more bytes than one may have.
    #[error("must be at most 4096 bytes")]
    DetailsSchemaTooLong,
    /// Not what JSON Schema has there.
    #[error("must be as JSON Schema 2020-12 has it")]
    DetailsSchema,
    /// A word that would check nothing.
    #[error("must be a word of JSON Schema 2020-12 that is checked here")]
    DetailsSchemaWord,
    /// Another dialect of JSON Schema.
    #[error("must be https://json-schema.org/draft/2020-12/schema, or left out")]
    DetailsSchemaDialect,
    /// A reference to somewhere else, or to nothing, or one that never ends.
    #[error("must lead to another part of the same schema, as in '#/$defs/name', and not back")]
    DetailsSchemaReference,
    /// A format that would not be checked.
    #[error(
        "must be date, date-time, duration, email, hostname, ipv4, ipv6, json-pointer, time, uri, \
         uri-reference, uri-template or uuid"
    )]
    DetailsSchemaFormat,
    /// A schema that is short and says much.
    #[error("must have at most 1000 parts with every reference written out")]
    DetailsSchemaTooMuch,
    /// Not a field that can be changed.
    #[error("must name fields that can be changed")]
    UpdateMask,
}

impl Malformed {
    /// The stable name of the rule, for spans and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::ClientId => "client_id",
            Self::DisplayName => "display_name",
            Self::Subject => "subject",
            Self::SubjectIsClient => "subject_is_client",
            Self::Acr => "acr",
            Self::InTheFuture => "in_the_future",
            Self::State => "state",
            Self::Scope => "scope",
            Self::TooManyScopes => "too_many_scopes",
            Self::ScopesTooLong => "scopes_too_long",
            Self::ResourceUri => "resource_uri",
            Self::TooManyResources => "too_many_resources",
            Self::ResourceNotRegistered => "resource_not_registered",
            Self::ScopeNotOfResource => "scope_not_of_resource",
            Self::ScopeDescription => "scope_description",
            Self::Twice => "twice",
            Self::TooManyEntries(_) => "too_many_entries",
            Self::RedirectUri => "redirect_uri",
            Self::RedirectUriNotRegistered => "redirect_uri_not_registered",
            Self::RedirectUriNeeded => "redirect_uri_needed",
            Self::ClientNotRegistered => "client_not_registered",
            Self::NotPushed => "not_pushed",
            Self::Prompt => "prompt",
            Self::TooLongAgo => "too_long_ago",
            Self::Resume => "resume",
            Self::OtherBrowser => "other_browser",
            Self::CodeChallenge => "code_challenge",
            Self::CodeChallengeMethod => "code_challenge_method",
            Self::CodeVerifier => "code_verifier",
            Self::Thumbprint => "thumbprint",
            Self::ThumbprintOfOtherKey => "thumbprint_of_other_key",
            Self::RequestUri => "request_uri",
            Self::UserCode => "user_code",
            Self::Guesser => "guesser",
            Self::Source => "source",
            Self::FamilyId => "family_id",
            Self::AuthenticationMethod => "authentication_method",
            Self::CertificateName => "certificate_name",
            Self::CertificateNameUnused => "certificate_name_unused",
            Self::DistinguishedName => "distinguished_name",
            Self::CertificateDns => "certificate_dns",
            Self::CertificateUri => "certificate_uri",
            Self::CertificateIp => "certificate_ip",
            Self::CertificateEmail => "certificate_email",
            Self::CertificateThumbprint => "certificate_thumbprint",
            Self::CertificatesUnused => "certificates_unused",
            Self::Jwks(_) => "jwks",
            Self::JwksUnused => "jwks_unused",
            Self::GrantTypeMissing => "grant_type_missing",
            Self::GrantType => "grant_type",
            Self::GrantTypeConfidential => "grant_type_confidential",
            Self::GrantTypeRefreshAlone => "grant_type_refresh_alone",
            Self::RefreshKeyPublic => "refresh_key_public",
            Self::NoSecret => "no_secret",
            Self::AccessTokenLifetime => "access_token_lifetime",
            Self::AccessTokenFormat => "access_token_format",
            Self::AccessTokenFormatOwn => "access_token_format_own",
            Self::DetailsType => "details_type",
            Self::DetailsTypeNotOfResource => "details_type_not_of_resource",
            Self::DetailsSchemaJson(_) => "details_schema_json",
            Self::DetailsSchemaTooLong => "details_schema_too_long",
            Self::DetailsSchema => "details_schema",
            Self::DetailsSchemaWord => "details_schema_word",
            Self::DetailsSchemaDialect => "details_schema_dialect",
            Self::DetailsSchemaReference => "details_schema_reference",
            Self::DetailsSchemaFormat => "details_schema_format",
            Self::DetailsSchemaTooMuch => "details_schema_too_much",
            Self::UpdateMask => "update_mask",
        }
    }
}
