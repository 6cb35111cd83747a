//! How a client shows who it is.

mod certificate;
mod file;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use countersign::token::v1::ClientAuthentication;
use countersign::token::v1::client_authentication::Credential as Shown;
use countersign_jose::{SigningKey, UnixTime, base64url};

pub use self::certificate::CertificateFiles;
pub(crate) use self::certificate::{Edition, KeptCertificate};
use self::file::Kept;
pub use self::file::{CredentialFileError, KeyFile};
use crate::error::TokenError;
use crate::random;
use crate::secret::Secret;

/// Long enough for a slow request and a clock that is a little off, short
/// enough that the token service need not remember its `jti` for long.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);

/// How a client shows who it is: as it was registered.
pub enum Credential {
    /// The secret that registration returned.
    ClientSecret(Secret),
    /// A key whose public half was registered (RFC 7523).
    PrivateKeyJwt(AssertionKey),
    /// The secret in this file, which is one line and readable by its owner alone. The file is
    /// read for every request to the token service, so that it may be replaced at any time; while
    /// what is in it is bad, the last good secret stays in use and the log says so.
    SecretFile(PathBuf),
    /// The private key in this file, read in the same way.
    KeyFile(KeyFile),
    /// The certificate of its connections, whose URL is then the one at which the token service
    /// asks for certificates (RFC 8705 §2). The files are read in the same way.
    Certificate(CertificateFiles),
    /// Nothing: a public client.
    Public,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientSecret(_) => "ClientSecret",
            Self::PrivateKeyJwt(_) => "PrivateKeyJwt",
            Self::SecretFile(_) => "SecretFile",
            Self::KeyFile(_) => "KeyFile",
            Self::Certificate(_) => "Certificate",
            Self::Public => "Public",
        })
    }
}

/// The key that signs a client's assertions.
pub struct AssertionKey {
    key: SigningKey,
    kid: Option<String>,
}

impl AssertionKey {
    /// Signs with `key`. Where several keys are registered, name it with
    /// [`kid`](Self::kid).
    pub fn new(key: SigningKey) -> Self {
        Self { key, kid: None }
    }

    /// Names the key as it was registered.
    #[must_use]
    pub fn kid(self, kid: impl Into<String>) -> Self {
        Self {
            kid: Some(kid.into()),
            ..self
        }
    }
}

impl From<SigningKey> for AssertionKey {
    fn from(key: SigningKey) -> Self {
        Self::new(key)
    }
}

/// A client and its credential: what authenticates a request.
pub struct Client {
    id: String,
    held: Held,
    issuer: String,
}

/// A credential, as it is held.
enum Held {
    Secret(Secret),
    Key(AssertionKey),
    SecretFile(Kept<Secret>),
    KeyFile(Kept<AssertionKey>),
    Nothing,
}

impl Client {
    /// The client `id`, which shows `credential` to `issuer`.
    pub fn new(id: impl Into<String>, credential: Credential, issuer: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            held: match credential {
                Credential::ClientSecret(secret) => Held::Secret(secret),
                Credential::PrivateKeyJwt(key) => Held::Key(key),
                Credential::SecretFile(path) => Held::SecretFile(Kept::secret(path)),
                Credential::KeyFile(file) => Held::KeyFile(Kept::key(file)),
                // What it shows is not in the request.
                Credential::Certificate(_) | Credential::Public => Held::Nothing,
            },
            issuer: issuer.into(),
        }
    }

    /// The client's identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who issues its tokens, as assertions name it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What to put into a request that is made at `now`; for one request, since
    /// an assertion is accepted once. Reads the credential's file, if it is in one.
    ///
    /// # Errors
    /// When an assertion cannot be signed, or a file was never good.
    pub fn authentication(&self, now: UnixTime) -> Result<ClientAuthentication, TokenError> {
        let secret = |secret: &Secret| Shown::ClientSecret(secret.expose().to_owned());
        let credential = match &self.held {
            Held::Secret(held) => Some(secret(held)),
            Held::SecretFile(file) => Some(secret(&*file.current()?)),
            Held::Key(key) => Some(Shown::ClientAssertion(self.assertion(key, now)?)),
            Held::KeyFile(file) => {
                let key = file.current()?;
                Some(Shown::ClientAssertion(self.assertion(&key, now)?))
            }
            Held::Nothing => None,
        };
        Ok(ClientAuthentication {
            client_id: self.id.clone(),
            credential,
        })
    }

    /// Whether [`authentication`](Self::authentication) waits for a disk.
    pub(crate) fn is_in_a_file(&self) -> bool {
        matches!(self.held, Held::SecretFile(_) | Held::KeyFile(_))
    }

    /// Reads the credential's file, if it is in one, for the first time.
    pub(crate) fn begin(&self) -> Result<(), CredentialFileError> {
        match &self.held {
            Held::SecretFile(file) => file.current().map(drop),
            Held::KeyFile(file) => file.current().map(drop),
            Held::Secret(_) | Held::Key(_) | Held::Nothing => Ok(()),
        }
    }

    /// RFC 7523 §3, RFC 10070: `iss` and `sub` are the client, `aud` is the
    /// issuer and nothing else, and `jti` is new.
    fn assertion(&self, key: &AssertionKey, now: UnixTime) -> Result<String, TokenError> {
        let jti = random::bytes::<16>().map_err(TokenError::Randomness)?;
        let mut header = serde_json::json!({
            "alg": key.key.algorithm().name(),
            "typ": "client-authentication+jwt",
        });
        if let Some(kid) = &key.kid {
            header["kid"] = kid.as_str().into();
        }
        let claims = serde_json::json!({
            "iss": self.id,
            "sub": self.id,
            "aud": self.issuer,
            "jti": base64url::encode(jti),
            "iat": now.as_secs(),
            "exp": now.plus(ASSERTION_LIFETIME).as_secs(),
        });
        key.key
            .sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
            .map_err(TokenError::Signing)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
