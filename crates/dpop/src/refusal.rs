//! Every way in which a proof can fail.

use std::fmt;

/// Why a proof is refused, in the order of RFC 9449 §4.3.
///
/// A proof that fails in several ways is refused for one of them; which one is not part of the
/// contract, except that what is cheap to check comes first.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// (1) No proof.
    ProofMissing,
    /// (1) Several fields, or several proofs in one.
    SeveralProofs,

    /// (2) Over [`PROOF_BYTES_MAX`](crate::PROOF_BYTES_MAX); nothing was decoded.
    TooLarge,
    /// (2) Not three segments.
    NotCompact,
    /// (2) A segment is not canonical base64url without padding.
    NotBase64Url,
    /// (2) The header or the payload is not a JSON object, or not a strict one.
    NotJson,
    /// (2) The header has `crit`, or asks for an unencoded payload: extensions that nobody here
    /// understands.
    Extension,
    /// (2) A header member is of the wrong type.
    HeaderMalformed,

    /// (3) `jti` is missing.
    JtiMissing,
    /// (3) `jti` is empty, too long, or not a string.
    JtiMalformed,
    /// (3) `htm` is missing.
    HtmMissing,
    /// (3) `htm` is not a string.
    HtmMalformed,
    /// (3) `htu` is missing.
    HtuMissing,
    /// (3) `htu` is not a string, or not an absolute `http` or `https` URI without user info.
    HtuMalformed,
    /// (3) `iat` is missing.
    IatMissing,
    /// (3) `iat` is not a number, below zero, or absurdly large.
    IatMalformed,

    /// (4) `typ` is not `dpop+jwt`.
    WrongType,

    /// (5) `alg` is missing or not a string.
    AlgorithmMissing,
    /// (5) `alg` is `none`, symmetric, unknown, or not accepted here.
    AlgorithmNotAllowed,

    /// (6) `jwk` is missing.
    KeyMissing,
    /// (6) `jwk` is not a public key that can be used here.
    KeyMalformed,
    /// (6) `jwk` or its `alg`, `use` or `key_ops` contradicts the header's `alg`.
    KeyMismatch,
    /// (6) The signature does not verify with `jwk`.
    BadSignature,

    /// (7) `jwk` holds a private key.
    PrivateKey,

    /// (8) `htm` is not the method of the call.
    WrongMethod,

    /// (9) `htu` is not the target of the call.
    WrongTarget,
    /// (9) The call's own path has a percent-encoding, a dot segment, or is not a path.
    PathNotPlain,

    /// (10) `nonce` is not a string.
    NonceMalformed,
    /// (10) A nonce is required and missing.
    NonceMissing,
    /// (10) The nonce is not one of this verifier's.
    NonceUnknown,
    /// (10) The nonce is too old.
    NonceStale,
    /// (10) The nonce is older than this verifier, which cannot know what was spent with it.
    NonceBeforeStart,

    /// (11) `iat` is out of the window; a nonce would make it irrelevant.
    NonceNeeded,
    /// (11) `iat` is too far in the past.
    TooOld,
    /// (11) `iat` is too far in the future.
    InFuture,

    /// (12) `ath` is missing.
    AthMissing,
    /// (12) `ath` is not the hash of the access token.
    AthMismatch,
}

impl Refusal {
    /// The number of the check in RFC 9449 §4.3 that failed.
    pub const fn check(self) -> u8 {
        match self {
            Self::ProofMissing | Self::SeveralProofs => 1,
            Self::TooLarge
            | Self::NotCompact
            | Self::NotBase64Url
            | Self::NotJson
            | Self::Extension
            | Self::HeaderMalformed => 2,
            Self::JtiMissing
            | Self::JtiMalformed
            | Self::HtmMissing
            | Self::HtmMalformed
            | Self::HtuMissing
            | Self::HtuMalformed
            | Self::IatMissing
            | Self::IatMalformed => 3,
            Self::WrongType => 4,
            Self::AlgorithmMissing | Self::AlgorithmNotAllowed => 5,
            Self::KeyMissing | Self::KeyMalformed | Self::KeyMismatch | Self::BadSignature => 6,
            Self::PrivateKey => 7,
            Self::WrongMethod => 8,
            Self::WrongTarget | Self::PathNotPlain => 9,
            Self::NonceMalformed
            | Self::NonceMissing
            | Self::NonceUnknown
            | Self::NonceStale
            | Self::NonceBeforeStart => 10,
            Self::NonceNeeded | Self::TooOld | Self::InFuture => 11,
            Self::AthMissing | Self::AthMismatch => 12,
        }
    }

    /// A stable name, for logs, metrics and test vectors.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ProofMissing => "proof_missing",
            Self::SeveralProofs => "several_proofs",
            Self::TooLarge => "too_large",
            Self::NotCompact => "not_compact",
            Self::NotBase64Url => "not_base64url",
            Self::NotJson => "not_json",
            Self::Extension => "extension",
            Self::HeaderMalformed => "header_malformed",
            Self::JtiMissing => "jti_missing",
            Self::JtiMalformed => "jti_malformed",
            Self::HtmMissing => "htm_missing",
            Self::HtmMalformed => "htm_malformed",
            Self::HtuMissing => "htu_missing",
            Self::HtuMalformed => "htu_malformed",
            Self::IatMissing => "iat_missing",
            Self::IatMalformed => "iat_malformed",
            Self::WrongType => "wrong_type",
            Self::AlgorithmMissing => "algorithm_missing",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::KeyMissing => "key_missing",
            Self::KeyMalformed => "key_malformed",
            Self::KeyMismatch => "key_mismatch",
            Self::BadSignature => "bad_signature",
            Self::PrivateKey => "private_key",
            Self::WrongMethod => "wrong_method",
            Self::WrongTarget => "wrong_target",
            Self::PathNotPlain => "path_not_plain",
            Self::NonceMalformed => "nonce_malformed",
            Self::NonceMissing => "nonce_missing",
            Self::NonceUnknown => "nonce_unknown",
            Self::NonceStale => "nonce_stale",
            Self::NonceBeforeStart => "nonce_before_start",
            Self::NonceNeeded => "nonce_needed",
            Self::TooOld => "too_old",
            Self::InFuture => "in_future",
            Self::AthMissing => "ath_missing",
            Self::AthMismatch => "ath_mismatch",
        }
    }

    /// Whether the answer is a fresh nonce and another try (`use_dpop_nonce`, RFC 9449 §8), not
    /// `invalid_dpop_proof`.
    pub const fn asks_for_nonce(self) -> bool {
        matches!(
            self,
            Self::NonceMissing
                | Self::NonceUnknown
                | Self::NonceStale
                | Self::NonceBeforeStart
                | Self::NonceNeeded
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the proof fails check {} of RFC 9449 §4.3: {}",
            self.check(),
            self.label()
        )
    }
}

impl std::error::Error for Refusal {}
