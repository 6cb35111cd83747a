//! Every way in which the guard refuses a call.

use std::time::Duration;

use crate::ledger::LedgerRefusal;

/// Why a call is refused, in the order in which the guard looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The method has no rule, or is not known.
    MethodNotAllowed,
    /// There is no `authorization`, or one of a scheme that is not ours (RFC
    /// 6750 §3.1).
    CredentialsMissing,
    /// More than one `authorization`, or a comma in it.
    AuthorizationRepeated,
    /// `authorization` is not a scheme and a token.
    AuthorizationMalformed,
    /// The deadline has passed already.
    DeadlinePassed,
    /// The access token cannot be accepted.
    Token(TokenRefusal),
    /// The proof fails one of the checks of RFC 9449 §4.3.
    Proof(countersign_dpop::Refusal),
    /// No key set was ever had, so nobody can vouch for the token.
    AuthorityUnreachable,
    /// Nobody could be asked what the reference token says.
    IntrospectionUnreachable,
    /// So many reference tokens are being asked about that this one is not.
    IntrospectionsFull,
    /// So many tokens of the same key are being asked about that this one is not.
    IntrospectionsKeyFull,
    /// What had to be found out about the token took longer than an observing
    /// guard waits.
    NotWaitedFor,
    /// What was revoked was last heard too long ago.
    KnowledgeTooOld,
    /// The token lacks these scopes.
    ScopeInsufficient(Vec<String>),
    /// The person behind the token must prove again, or in another way, who they
    /// are (RFC 9470).
    StepUpRequired(Box<StepUp>),
    /// The proof was used before, or cannot be remembered.
    Ledger(LedgerRefusal),
}

/// How and how recently someone must have proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepUp {
    /// One of these; empty: in any way.
    pub(crate) acr_values: Vec<String>,
    pub(crate) max_age: Option<Duration>,
}

/// Why an access token is refused, in the order of RFC 9068 §4 and RFC 9449
/// §6 and §7.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    /// Larger than 8 KiB; nothing was decoded.
    TooLarge,
    /// Not a compact JWS with a strict JSON header (RFC 7515), or one with
    /// `crit`.
    NotJws,
    /// `typ` is neither `at+jwt` nor `application/at+jwt`.
    WrongType,
    /// The header brings or points to a key of its own.
    NamesKey,
    /// `alg` is `none`, symmetric, or not accepted here.
    AlgorithmNotAllowed,
    /// `kid` is missing or not that of a key in the key set.
    UnknownKey,
    /// The signature does not verify.
    BadSignature,
    /// The payload is not a strict JSON object.
    NotJson,
    /// A required claim is missing or of the wrong type.
    ClaimMalformed,
    /// `iss` is not our issuer, character for character.
    WrongIssuer,
    /// `aud` does not contain the resource that was called.
    WrongAudience,
    /// `exp` is not in the future.
    Expired,
    /// It was revoked: alone, or with all that its family, client, subject or
    /// key had.
    Revoked,
    /// `nbf` or `iat` is in the future.
    NotYetValid,
    /// The token is bound to something that cannot be checked here, alone or
    /// besides a key.
    BindingNotSupported,
    /// The token is not bound to a key.
    Unbound,
    /// The token is bound to a key and was presented as a bearer token: someone
    /// may have stolen it (RFC 9449 §7.2).
    BoundAsBearer,
    /// The token is bound to another key than the proof's (RFC 9449 §6).
    OtherKey,
    /// The token is bound to a certificate as well, and the connection was not opened with that one:
    /// with another, with none, or nobody here knows with which (RFC 8705 §3).
    OtherCertificate,
    /// A reference token, and this guard has nobody to ask about it.
    ReferenceNotTaken,
    /// A reference token that was presented as a bearer token. What it says is
    /// not asked: there is no proof.
    ReferenceAsBearer,
    /// It begins like a reference token and does not look like one; nobody was
    /// asked.
    ReferenceMalformed,
    /// A reference token that its issuer says nothing of: unknown, expired,
    /// revoked, or not for this resource.
    NotActive,
}

impl Refusal {
    /// A name that stays the same.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "method_without_rule",
            Self::CredentialsMissing => "credentials_missing",
            Self::AuthorizationRepeated => "authorization_repeated",
            Self::AuthorizationMalformed => "authorization_malformed",
            Self::DeadlinePassed => "deadline_passed",
            Self::Token(token) => token.label(),
            Self::Proof(proof) => proof.label(),
            Self::AuthorityUnreachable => "no_key_set",
            Self::IntrospectionUnreachable => "introspection_unreachable",
            Self::IntrospectionsFull => "introspections_full",
            Self::IntrospectionsKeyFull => "introspections_key_full",
            Self::NotWaitedFor => "observer_did_not_wait",
            Self::KnowledgeTooOld => "knowledge_too_old",
            Self::ScopeInsufficient(_) => "scope_insufficient",
            Self::StepUpRequired(_) => "step_up_required",
            Self::Ledger(ledger) => ledger.label(),
        }
    }
}

impl TokenRefusal {
    /// A name that stays the same.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::NotJws => "token_not_jws",
            Self::WrongType => "token_wrong_type",
            Self::NamesKey => "token_names_key",
            Self::AlgorithmNotAllowed => "token_algorithm_not_allowed",
            Self::UnknownKey => "token_unknown_key",
            Self::BadSignature => "token_bad_signature",
            Self::NotJson => "token_not_json",
            Self::ClaimMalformed => "token_claim_malformed",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongAudience => "token_wrong_audience",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::NotYetValid => "token_not_yet_valid",
            Self::BindingNotSupported => "token_binding_not_supported",
            Self::Unbound => "token_unbound",
            Self::BoundAsBearer => "bound_token_as_bearer",
            Self::OtherKey => "token_of_other_key",
            Self::OtherCertificate => "token_of_other_certificate",
            Self::ReferenceNotTaken => "reference_token_not_taken",
            Self::ReferenceAsBearer => "reference_token_as_bearer",
            Self::ReferenceMalformed => "reference_token_malformed",
            Self::NotActive => "token_not_active",
        }
    }
}

impl From<TokenRefusal> for Refusal {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Token(refusal)
    }
}

impl From<countersign_dpop::Refusal> for Refusal {
    fn from(refusal: countersign_dpop::Refusal) -> Self {
        Self::Proof(refusal)
    }
}

impl From<LedgerRefusal> for Refusal {
    fn from(refusal: LedgerRefusal) -> Self {
        Self::Ledger(refusal)
    }
}
