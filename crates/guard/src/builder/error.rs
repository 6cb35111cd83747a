//! Why a guard does not start.

use std::time::Duration;

use countersign_client::ConnectError;
use countersign_client::random::NoRandomness;
use countersign_dpop::OriginError;

use crate::routes::RulesError;

/// Why a guard does not start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// It was not told where it is reached.
    #[error("no origin: call serve(\"https://…\") with the URL that clients call")]
    NoOrigin,
    /// It was told wrongly.
    #[error(
        "{uri:?} is not an origin: {cause}. Give scheme, host and port, such as https://orders.internal:8443"
    )]
    Origin {
        /// As given, without a password in it.
        uri: String,
        /// What is wrong with it.
        cause: OriginError,
    },
    /// The rules are wrong.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// No method has a rule, so every call would be refused.
    #[error(
        "no method has a rule: add the option countersign.policy.v1.rule to the rpcs, and give descriptors() a set encoded by protox or protoc (prost's own types drop options); or give rules_file() a file"
    )]
    NoRules,
    /// The token service's URL is wrong.
    #[error("the token service: {0}")]
    TokenService(#[from] ConnectError),
    /// The token service's issuer is another one.
    #[error(
        "the token service is the issuer {published:?}, and {expected:?} was expected: call issuer({published:?}) if that is right"
    )]
    OtherIssuer {
        /// What it says.
        published: String,
        /// What it was expected to say.
        expected: String,
    },
    /// The limit is shorter than the time between two signs of life.
    #[error(
        "knowledge_age_max is {0:?}: give at least 15 s, three times what the token service lets pass between two signs of life"
    )]
    KnowledgeAge(Duration),
    /// There is a limit, and nothing that it could be kept with.
    #[error(
        "knowledge_age_max is set, and revocations are not watched: call client(…), or revocation_source(…)"
    )]
    NoWatch,
    /// No nonce key could be made.
    #[error(
        "no nonce key could be made: {0}. Give one with nonce_key(…), or look why the system has no random bytes"
    )]
    Randomness(#[from] NoRandomness),
}
