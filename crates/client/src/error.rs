//! What can go wrong, and what to do about it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use countersign_dpop::{OriginError, PathRefused, TargetError};
use countersign_jose::{KeyRejected, SigningFailed};
use tonic::Status;

use crate::credential::CredentialFileError;
use crate::outcome::{self, Refused};
use crate::random::NoRandomness;

/// Why [`Builder::connect`](crate::Builder::connect) or
/// [`ChannelBuilder::connect`](crate::ChannelBuilder::connect) refused its
/// configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL cannot be called.
    #[error(
        "{url:?} is not a URL that can be called: {cause}. Give scheme, host and port, such as https://orders.internal:8443"
    )]
    Url {
        /// As given, without a password in it.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Tokens and messages would cross the network unencrypted.
    #[error(
        "{url:?} is not encrypted and not on this machine: use https, or call allow_plaintext() where something else encrypts the connection"
    )]
    Plaintext {
        /// As given, without a password in it.
        url: String,
    },
    /// The URL is not one that a proof can be made for.
    #[error(
        "{url:?} is not an origin: {cause}. Give scheme, host and port, such as https://orders.internal:8443"
    )]
    Origin {
        /// As given, without a password in it.
        url: String,
        /// What is wrong with it.
        cause: OriginError,
    },
    /// TLS cannot be set up.
    #[error("TLS for {url:?} cannot be set up: {cause}. Is the certificate authority's file PEM?")]
    Tls {
        /// As given, without a password in it.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Two servers of one HTTP client have the same origin: it would be unclear whose token a
    /// request gets.
    #[error(
        "{origin} was given twice: give each origin once, with all scopes that its requests need"
    )]
    ServerTwice {
        /// The origin.
        origin: String,
    },
    /// An HTTP client that knows no server can send nothing.
    #[error("no server was given: call server(HttpServer::at(…)) before build()")]
    ServerMissing,
    /// The HTTP client underneath cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Http(String),
    /// Who calls was left out.
    #[error("no client was given: call client(\"its id\", Credential::…) before connect()")]
    ClientMissing,
    /// A certificate is shown where TLS is spoken, and nowhere else.
    #[error(
        "{url:?} is not encrypted, and a certificate is shown over TLS alone: give the https URL at which the token service asks for certificates"
    )]
    CertificateUnencrypted {
        /// As given, without a password in it.
        url: String,
    },
    /// The file of the credential is not good.
    #[error(transparent)]
    Credential(#[from] CredentialFileError),
    /// The runtime is shutting down.
    #[error("the runtime is shutting down; connect before that")]
    Interrupted,
    /// No proof key could be made.
    #[error("no proof key could be made: {0}. Give one with proof_key(…)")]
    Key(#[from] KeyRejected),
    /// No proof key could be made.
    #[error("no proof key could be made: {0}. Give one with proof_key(…)")]
    Randomness(#[from] NoRandomness),
}

/// Why [`ChannelBuilder::warm`](crate::ChannelBuilder::warm) failed.
#[derive(Debug, thiserror::Error)]
pub enum WarmError {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] ConnectError),
    /// There is no access token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The guarded server cannot be connected to.
    #[error(
        "{url:?} cannot be connected to: {cause}. Is the server up, and are host, port and certificate right?"
    )]
    Unreachable {
        /// As given, without a password in it.
        url: String,
        /// What went wrong.
        cause: String,
    },
}

/// Why there is no access token.
#[derive(Clone, Debug)]
pub enum TokenError {
    /// The token service refused. Trying again as before will not help; the
    /// reason says what would.
    Refused(Box<Refused>, Status),
    /// The token service cannot be reached or cannot answer now. Try again
    /// later.
    Unavailable(Status),
    /// Something answered that is not Countersign.
    Unexpected(Status),
    /// The answer's `token_type` is not `DPoP`: using it would be a downgrade.
    NotDpop(String),
    /// The answer lacks what it must have.
    Incomplete(&'static str),
    /// The client assertion could not be signed.
    Signing(SigningFailed),
    /// The client assertion needs an identifier.
    Randomness(NoRandomness),
    /// The file of the credential is not good, and never was.
    Credential(CredentialFileError),
    /// The token was given once and cannot be had again.
    Spent,
    /// The request was given up: the runtime it ran on is shutting down.
    Interrupted,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused, _) => write!(
                f,
                "no access token: the token service refused ({}): {}",
                refused.reason.as_str_name(),
                refused.message
            ),
            Self::Unavailable(status) => write!(
                f,
                "no access token: the token service cannot be reached or cannot answer now; try again later: {}",
                status.message()
            ),
            Self::Unexpected(status) => write!(
                f,
                "no access token: what answered is not the token service, check its URL: {}",
                status.message()
            ),
            Self::NotDpop(kind) => write!(
                f,
                "no access token: a bound one was asked for, one of type {kind:?} came, and it was thrown away; is the URL that of a Countersign?"
            ),
            Self::Incomplete(what) => write!(f, "no access token: the answer has no {what}; is the URL that of a Countersign?"),
            Self::Signing(error) => write!(f, "no access token: {error}"),
            Self::Randomness(error) => write!(f, "no access token: {error}"),
            Self::Credential(error) => write!(f, "no access token: {error}"),
            Self::Spent => f.write_str(
                "the access token that was given is not accepted any more; give a new one, or use a client's credential",
            ),
            Self::Interrupted => {
                f.write_str("no access token: the request for it was given up, the runtime is shutting down")
            }
        }
    }
}

impl Error for TokenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(_, status) | Self::Unavailable(status) | Self::Unexpected(status) => {
                Some(status)
            }
            Self::Signing(error) => Some(error),
            Self::Randomness(error) => Some(error),
            Self::Credential(error) => Some(error),
            Self::NotDpop(_) | Self::Incomplete(_) | Self::Spent | Self::Interrupted => None,
        }
    }
}

impl From<CredentialFileError> for TokenError {
    fn from(error: CredentialFileError) -> Self {
        Self::Credential(error)
    }
}

impl TokenError {
    /// How long the token service asks to wait before another attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refused, _) => refused.retry_after,
            Self::Unavailable(status) => Refused::of(status)?.retry_after,
            _ => None,
        }
    }
}

/// Why a call could not be made. Generated stubs turn it into a `Status` of a
/// fitting code; a server's own refusal is not an error here but its answer.
#[derive(Debug)]
pub enum CallError {
    /// No access token could be had.
    Token(TokenError),
    /// The deadline passed before the call could be signed and sent.
    DeadlinePassed,
    /// The proof could not be signed.
    Signing(SigningFailed),
    /// A proof needs an identifier.
    Randomness(NoRandomness),
    /// No proof can be made for the method's path.
    Path(PathRefused),
    /// No proof can be made for the request's URL.
    Target(TargetError),
    /// The request is for this origin, of which the client was told nothing: neither token nor
    /// proof goes there, and it was not sent.
    Elsewhere(String),
    /// The connection failed.
    Transport(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::DeadlinePassed => {
                f.write_str("the deadline passed before the call was sent; nothing was signed: give it more time")
            }
            Self::Signing(error) => write!(f, "the proof could not be signed: {error}"),
            Self::Randomness(error) => write!(f, "no proof: {error}"),
            Self::Path(error) => write!(f, "no proof can be made for this method: {error}"),
            Self::Target(error) => write!(f, "no proof can be made for this URL: {error}"),
            Self::Elsewhere(origin) => write!(
                f,
                "the request is for {origin} and was not sent: no server of this client is there; give it with server(…), or send what needs no token with another client"
            ),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token(error) => Some(error),
            Self::Signing(error) => Some(error),
            Self::Randomness(error) => Some(error),
            Self::Path(error) => Some(error),
            Self::Target(error) => Some(error),
            // What it says is said above; what caused it is still worth asking.
            Self::Transport(error) => Some(&**error),
            Self::DeadlinePassed | Self::Elsewhere(_) => None,
        }
    }
}

#[cfg(feature = "reqwest")]
impl CallError {
    /// Why a request could not be made, where it was for this client to make it. reqwest's own
    /// errors stay reqwest's.
    pub fn of(error: &reqwest_middleware::Error) -> Option<&Self> {
        match error {
            reqwest_middleware::Error::Middleware(error) => error.downcast_ref(),
            reqwest_middleware::Error::Reqwest(_) => None,
        }
    }
}

impl From<TokenError> for CallError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// A [`CallError`] with the status that a generated stub is to answer with
/// first in its chain of sources, where tonic looks for it.
#[derive(Debug)]
pub struct FailedCall {
    error: CallError,
    status: Option<Status>,
}

impl FailedCall {
    pub(crate) fn new(error: CallError) -> Self {
        Self {
            status: outcome::status_of(&error),
            error,
        }
    }

    /// What went wrong.
    pub fn error(&self) -> &CallError {
        &self.error
    }
}

impl fmt::Display for FailedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for FailedCall {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.status {
            Some(status) => Some(status),
            None => self.error.source(),
        }
    }
}
