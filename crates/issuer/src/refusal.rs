//! Why the issuer says no.
//!
//! A [`Refusal`] is what the peer learns; the cause inside it is for the operator, by its label.

use std::fmt;
use std::time::Duration;

use crate::model::{DetailsFault, Malformed};

/// A refusal, in the order of RFC 6749 §5.2 with RFC 8628 §3.5, then RFC 8707, RFC 9396 and the
/// admin services.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// `invalid_request`: a field is missing, malformed or contradicts another.
    #[error("{0}")]
    InvalidRequest(FieldFault),
    /// `invalid_client`: one answer for all causes.
    #[error("client authentication failed")]
    ClientAuthentication(AuthenticationCause),
    /// `invalid_grant`: one answer for all causes.
    #[error("the grant is not valid")]
    GrantInvalid(GrantCause),
    /// `unauthorized_client`, `access_denied`: the client is not registered for what it asks.
    #[error("the client is not allowed to do this: {0}")]
    ClientNotAllowed(NotAllowedCause),
    /// `access_denied` (RFC 8628 §3.5): the person declined.
    #[error("the person declined")]
    AccessDenied,
    /// `authorization_pending` (RFC 8628 §3.5): the person has not decided yet.
    #[error("the person has not decided yet: ask again in {} s", interval.as_secs())]
    AuthorizationPending {
        /// The least time to the next question.
        interval: Duration,
    },
    /// `slow_down` (RFC 8628 §3.5): as [`Self::AuthorizationPending`], and asked too soon.
    #[error("asked too soon: from now on ask every {} s", interval.as_secs())]
    SlowDown {
        /// The least time to the next question, from now on.
        interval: Duration,
    },
    /// `expired_token` (RFC 8628 §3.5): nobody decided in time.
    #[error("the device code has expired: begin anew")]
    DeviceCodeExpired,
    /// `unsupported_grant_type`: the request names no grant.
    #[error("the request names no grant that this service knows")]
    UnsupportedGrantType,
    /// `unsupported_response_type` (RFC 6749 §4.1.2.1): something else than a code is asked for.
    #[error("the response type must be code")]
    UnsupportedResponseType,
    /// `invalid_scope`: a scope is malformed or more than may be granted.
    #[error("{field}: {cause}")]
    InvalidScope {
        /// The field that lists the scopes.
        field: &'static str,
        /// What is wrong.
        cause: ScopeCause,
    },
    /// `invalid_target` (RFC 8707 §2): a resource is malformed or not the client's.
    #[error("{field}: {cause}")]
    InvalidTarget {
        /// The field that lists the resources.
        field: &'static str,
        /// What is wrong.
        cause: TargetCause,
    },
    /// `invalid_authorization_details` (RFC 9396 §5): an object is not of a type that may be asked
    /// for, not as its type has it, or not among those granted.
    #[error("{}: {_0}", _0.field)]
    InvalidAuthorizationDetails(DetailsFault),
    /// The registered thing is not there.
    #[error("not registered")]
    NotFound,
    /// A registered thing of that name is there already.
    #[error("registered already")]
    Exists,
    /// The registered thing changed since it was read.
    #[error("changed since it was read")]
    Changed,
}

/// A field of the request, and the rule that its value breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldFault {
    /// The field's path in the request message, such as `client.redirect_uris[2]`.
    pub field: String,
    /// What would be right.
    pub problem: Malformed,
}

/// Why a client was not authenticated. Never told to the peer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum AuthenticationCause {
    /// Nothing says which client it is, or it authenticates by a method that there is not.
    NotNamed,
    /// No client of that identifier.
    Unknown,
    /// The client is disabled.
    Disabled,
    /// Another method than the one it is registered with.
    OtherMethod,
    /// A certificate of the connection and something in the request (RFC 6749 §2.3).
    SeveralMethods,
    /// Not its secret.
    WrongSecret,
    /// The certificate is not valid yet, or not any more.
    CertificateTime,
    /// No authority that is trusted for clients has issued the certificate, or not for this use.
    CertificateNotIssued,
    /// The certificate does not have the name that the client is registered with.
    CertificateName,
    /// The certificate is not one of the client's.
    CertificateUnknown,
    /// The assertion is not a JWS that can be accepted.
    AssertionForm,
    /// `typ` says that the JWT is something else (RFC 10070).
    AssertionType,
    /// No key of the client's has that `kid` and `alg`.
    AssertionKey,
    /// The signature does not verify.
    AssertionSignature,
    /// The payload is not a claims set with the types of RFC 7519 §4.1.
    AssertionClaims,
    /// `iss` or `sub` is not the client (RFC 7523 §3 (1), (2)).
    AssertionIssuer,
    /// `aud` is not the issuer alone (RFC 10070).
    AssertionAudience,
    /// `exp` is missing (RFC 7523 §3 (4)).
    AssertionExpiryMissing,
    /// It has expired.
    AssertionExpired,
    /// `exp` is further ahead than an assertion may live.
    AssertionTooLong,
    /// `nbf` or `iat` is ahead.
    AssertionNotYet,
    /// It was made before the store was set back: it may have been used then.
    AssertionForgotten,
    /// `jti` is missing, empty or too long.
    AssertionId,
    /// It was used before. Decided by the store: the write of the spent assertion conflicts.
    AssertionReplayed,
}

/// Why a code or refresh token is refused. Never told to the peer.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum GrantCause {
    /// Not a handle of this service: its form or its MAC is wrong.
    NotOurs,
    /// Its record is not there.
    Unknown,
    /// It belongs to another client.
    OtherClient,
    /// It is bound to another key.
    OtherKey,
    /// It is bound to another certificate than the connection has, or the connection has none (RFC
    /// 8705 §4).
    OtherCertificate,
    /// The client was removed and registered anew since.
    ClientReplaced,
    /// It was made before the store was restored from a backup.
    EarlierEpoch,
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
    /// An old generation, or the second use of a code: what came of it is revoked.
    Reused,
    /// Its family has no further generation.
    Exhausted,
    /// The code's redirect URI is another.
    OtherRedirectUri,
    /// There is no PKCE verifier (RFC 7636 §4.6).
    VerifierMissing,
    /// The PKCE verifier does not fit the challenge.
    VerifierWrong,
    /// The request was not approved.
    NotApproved,
}

/// What the client is not registered for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NotAllowedCause {
    /// The grant.
    GrantType,
    /// A public client may not use client credentials.
    Public,
    /// Nothing is left of what was granted: the registrations changed since.
    NothingLeft,
    /// The token or family was issued to another client, or to another key of a public one (RFC 7009
    /// §2.1).
    NotItsToken,
    /// Introspection: it could not get itself a token for that (RFC 7662 §2.1).
    Introspection,
    /// Its tokens are bound to a certificate, and the connection has none (RFC 8705 §3).
    CertificateMissing,
}

/// What is wrong with the scopes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ScopeCause {
    /// Their form.
    Malformed(Malformed),
    /// One is not the client's at these resources.
    NotPermitted,
    /// One is more than was granted (RFC 6749 §6).
    Wider,
    /// One that is granted at one of the resources would also open another of them, where it is
    /// not: tokens for each are to be asked for one by one.
    Spills,
}

/// What is wrong with the resources.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TargetCause {
    /// Their form.
    Malformed(Malformed),
    /// One is not registered, or not the client's.
    NotPermitted,
    /// None is named, and several are possible.
    Ambiguous,
    /// Some want a JWT, others a reference token, and a token is one of the two.
    Formats,
}

impl Refusal {
    /// The stable name of the refusal with its cause, for spans and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::InvalidRequest(fault) => fault.problem.label(),
            Self::ClientAuthentication(cause) => cause.label(),
            Self::GrantInvalid(cause) => cause.label(),
            Self::ClientNotAllowed(cause) => cause.label(),
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending { .. } => "authorization_pending",
            Self::SlowDown { .. } => "slow_down",
            Self::DeviceCodeExpired => "device_code_expired",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope { cause, .. } => cause.label(),
            Self::InvalidTarget { cause, .. } => cause.label(),
            Self::InvalidAuthorizationDetails(fault) => fault.cause.label(),
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::Changed => "changed",
        }
    }

    /// The field that is wrong and the rule it breaks, where there is one.
    pub fn fault(&self) -> Option<(&str, String)> {
        match self {
            Self::InvalidRequest(fault) => Some((&fault.field, fault.problem.to_string())),
            Self::InvalidScope { field, cause } => Some((field, cause.to_string())),
            Self::InvalidTarget { field, cause } => Some((field, cause.to_string())),
            Self::InvalidAuthorizationDetails(fault) => Some((&fault.field, fault.to_string())),
            Self::ClientAuthentication(_)
            | Self::GrantInvalid(_)
            | Self::ClientNotAllowed(_)
            | Self::AccessDenied
            | Self::AuthorizationPending { .. }
            | Self::SlowDown { .. }
            | Self::DeviceCodeExpired
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::NotFound
            | Self::Exists
            | Self::Changed => None,
        }
    }
}

impl FieldFault {
    /// The fault of that field.
    pub fn new(field: impl Into<String>, problem: Malformed) -> Self {
        Self {
            field: field.into(),
            problem,
        }
    }
}

impl AuthenticationCause {
    /// The stable name, for spans and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotNamed => "client_not_named",
            Self::Unknown => "client_unknown",
            Self::Disabled => "client_disabled",
            Self::OtherMethod => "client_other_method",
            Self::SeveralMethods => "client_several_methods",
            Self::WrongSecret => "client_wrong_secret",
            Self::CertificateTime => "certificate_time",
            Self::CertificateNotIssued => "certificate_not_issued",
            Self::CertificateName => "certificate_name",
            Self::CertificateUnknown => "certificate_unknown",
            Self::AssertionForm => "assertion_form",
            Self::AssertionType => "assertion_typ",
            Self::AssertionKey => "assertion_key",
            Self::AssertionSignature => "assertion_signature",
            Self::AssertionClaims => "assertion_claims",
            Self::AssertionIssuer => "assertion_iss",
            Self::AssertionAudience => "assertion_aud",
            Self::AssertionExpiryMissing => "assertion_exp_missing",
            Self::AssertionExpired => "assertion_expired",
            Self::AssertionTooLong => "assertion_too_long",
            Self::AssertionNotYet => "assertion_not_yet",
            Self::AssertionForgotten => "assertion_forgotten",
            Self::AssertionId => "assertion_jti",
            Self::AssertionReplayed => "assertion_replayed",
        }
    }
}

impl GrantCause {
    /// The stable name, for spans, logs and events.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotOurs => "grant_not_ours",
            Self::Unknown => "grant_unknown",
            Self::OtherClient => "grant_other_client",
            Self::OtherKey => "grant_other_key",
            Self::OtherCertificate => "grant_other_certificate",
            Self::ClientReplaced => "grant_client_replaced",
            Self::EarlierEpoch => "grant_earlier_epoch",
            Self::Revoked => "grant_revoked",
            Self::Expired => "grant_expired",
            Self::Reused => "grant_reused",
            Self::Exhausted => "grant_exhausted",
            Self::OtherRedirectUri => "grant_other_redirect_uri",
            Self::VerifierMissing => "grant_verifier_missing",
            Self::VerifierWrong => "grant_verifier_wrong",
            Self::NotApproved => "grant_not_approved",
        }
    }
}

impl NotAllowedCause {
    /// The stable name, for spans and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::GrantType => "grant_type_not_allowed",
            Self::Public => "public_client",
            Self::NothingLeft => "nothing_left",
            Self::NotItsToken => "not_its_token",
            Self::Introspection => "introspection_not_allowed",
            Self::CertificateMissing => "certificate_missing",
        }
    }
}

impl ScopeCause {
    /// The stable name, for spans and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed(_) => "scope_malformed",
            Self::NotPermitted => "scope_not_permitted",
            Self::Wider => "scope_wider",
            Self::Spills => "scope_spills",
        }
    }
}

impl TargetCause {
    /// The stable name, for spans and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed(_) => "target_malformed",
            Self::NotPermitted => "target_not_permitted",
            Self::Ambiguous => "target_ambiguous",
            Self::Formats => "target_formats",
        }
    }
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl fmt::Display for NotAllowedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GrantType => "it is not registered for this grant",
            Self::Public => "a client that cannot authenticate has no credentials of its own",
            Self::NothingLeft => "nothing is left of what was granted",
            Self::NotItsToken => "the token was issued to another client, or to another key",
            Self::Introspection => "it is not registered for introspection",
            Self::CertificateMissing => {
                "its tokens are bound to a certificate, and the connection has none"
            }
        })
    }
}

impl fmt::Display for ScopeCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => problem.fmt(f),
            Self::NotPermitted => {
                f.write_str("must be scopes that the client is registered for at the resources")
            }
            Self::Wider => f.write_str("must be some of the scopes that were granted"),
            Self::Spills => f.write_str(
                "a scope granted at one of the resources exists at another where it is not \
                 granted: ask for one resource at a time",
            ),
        }
    }
}

impl fmt::Display for TargetCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(problem) => problem.fmt(f),
            Self::NotPermitted => {
                f.write_str("must be registered resources that the client may ask for")
            }
            Self::Ambiguous => f.write_str("must be named, since several are possible"),
            Self::Formats => f.write_str(
                "must be resources whose access tokens have one format: ask for those with JWTs \
                 and those with reference tokens one by one",
            ),
        }
    }
}

impl From<FieldFault> for Refusal {
    fn from(fault: FieldFault) -> Self {
        Self::InvalidRequest(fault)
    }
}

impl From<DetailsFault> for Refusal {
    fn from(fault: DetailsFault) -> Self {
        Self::InvalidAuthorizationDetails(fault)
    }
}

impl From<AuthenticationCause> for Refusal {
    fn from(cause: AuthenticationCause) -> Self {
        Self::ClientAuthentication(cause)
    }
}

impl From<GrantCause> for Refusal {
    fn from(cause: GrantCause) -> Self {
        Self::GrantInvalid(cause)
    }
}

impl From<NotAllowedCause> for Refusal {
    fn from(cause: NotAllowedCause) -> Self {
        Self::ClientNotAllowed(cause)
    }
}
