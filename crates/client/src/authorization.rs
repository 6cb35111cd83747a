//! A person approves in a browser (RFC 6749 §4.1): the request is pushed (RFC 9126), the browser is
//! sent to where it is decided, and what the browser brings back is checked.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use countersign_client::loopback::LoopbackReceiver;
//! use countersign_client::{Countersign, Credential};
//!
//! # async fn login() -> Result<(), Box<dyn std::error::Error>> {
//! let countersign = countersign_client::Builder::new("https://tokens.internal:7443")
//!     .client("orders-cli", Credential::Public)
//!     .connect()
//!     .await?;
//! let receiver = LoopbackReceiver::bind("http://127.0.0.1/back").await?;
//! let pending = countersign
//!     .authorization(receiver.redirect_uri())
//!     .scopes(["orders.read"])
//!     .push()
//!     .await?;
//! println!("open {}", pending.url());
//! let code = receiver.receive(&pending, Duration::from_secs(300)).await?;
//! let issued = countersign.token_service().redeem(&code, &[], &[]).await?;
//! let channel = countersign
//!     .channel("https://orders.internal:8443")
//!     .tokens(countersign.tokens_of(&issued)?)
//!     .connect()
//!     .await?;
//! # let _ = channel;
//! # Ok(())
//! # }
//! ```

mod answer;
mod kept;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use countersign::authorization::v1::PushAuthorizationRequest;
use countersign_dpop::without_userinfo;
use countersign_jose::base64url;
use url::Url;

use self::answer::Expected;
pub use self::answer::{AnswerError, AuthorizationRefused, RefusedError};
pub use self::kept::NotKept;
use crate::countersign::Countersign;
use crate::error::TokenError;
use crate::pkce::{self, Pkce};
use crate::random;
use crate::reach::is_confidential;
use crate::secret::Secret;
use crate::token_service::Code;
use crate::wanted::{Wanted, wanted_setters};

/// Below the issuer, unless somebody says otherwise.
const ENDPOINT: &str = "authorize";

/// What a person is asked for; made by [`Countersign::authorization`].
#[must_use]
#[derive(Clone)]
pub struct AuthorizationRequest {
    countersign: Countersign,
    endpoint: Option<String>,
    redirect_uri: String,
    wanted: Wanted,
    state: Option<Secret>,
    prompts: Vec<Prompt>,
    max_age: Option<Duration>,
    acr_values: Vec<String>,
}

/// What the person shall be asked whatever is known of them (OpenID Connect Core §3.1.2.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing: where something would have to be asked, the request is declined. Alone.
    None,
    /// Who they are.
    Login,
    /// Whether they approve.
    Consent,
    /// As whom they act.
    SelectAccount,
}

impl Prompt {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }
}

/// Why nobody can be asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PushError {
    /// A browser must not be sent there.
    #[error(
        "{0:?} is no place to send a browser: give the authorization endpoint as https URL (http on this machine) with endpoint(…), or the issuer with Builder::issuer(…)"
    )]
    Endpoint(String),
    /// No timestamp is so far away.
    #[error("max_age: {0:?} is more than a request can say; leave it out where any login will do")]
    MaxAge(Duration),
    /// The token service did not take the request.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl AuthorizationRequest {
    pub(crate) fn new(countersign: Countersign, redirect_uri: String) -> Self {
        Self {
            countersign,
            endpoint: None,
            redirect_uri,
            wanted: Wanted::default(),
            state: None,
            prompts: Vec::new(),
            max_age: None,
            acr_values: Vec::new(),
        }
    }

    wanted_setters!();

    /// Ties the answer to this request. Without it a new one is drawn, which is what programs want
    /// that ask one person; it must be new for every request, and nobody's guess.
    pub fn state(mut self, state: impl Into<Secret>) -> Self {
        self.state = Some(state.into());
        self
    }

    /// What the person shall be asked in any case.
    pub fn prompts(mut self, prompts: impl IntoIterator<Item = Prompt>) -> Self {
        self.prompts = prompts.into_iter().collect();
        self
    }

    /// How long ago the person may have proved who they are.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// How the person should prove it, the best first (RFC 9470 §4).
    pub fn acr_values<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Where browsers bring requests, where that is not `/authorize` below the issuer.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Pushes the request, with a PKCE challenge and the proof key's thumbprint: the code is of use
    /// to this client object alone, and to its key (RFC 9449 §10).
    ///
    /// # Errors
    /// See [`PushError`].
    pub async fn push(self) -> Result<PendingAuthorization, PushError> {
        let service = self.countersign.token_service();
        let issuer = service.client().issuer();
        let endpoint = endpoint(self.endpoint.as_deref(), issuer)?;
        let max_age = self.max_age.map(|max_age| {
            let told = max_age.try_into();
            told.map_err(|_| PushError::MaxAge(max_age))
        });
        let max_age = max_age.transpose()?;
        let randomness = |error| PushError::Token(TokenError::Randomness(error));
        let pkce = Pkce::new().map_err(randomness)?;
        let state = match self.state {
            Some(state) => state,
            // RFC 9700 §2.1: 128 bits are nobody's guess.
            None => Secret::new(base64url::encode(
                random::bytes::<16>().map_err(randomness)?,
            )),
        };
        let lodged = service
            .lodge(PushAuthorizationRequest {
                redirect_uri: self.redirect_uri.clone(),
                scopes: self.wanted.scopes,
                resources: self.wanted.resources,
                authorization_details: self.wanted.authorization_details,
                state: state.expose().to_owned(),
                code_challenge: pkce.challenge().to_owned(),
                code_challenge_method: pkce::METHOD.to_owned(),
                dpop_jkt: self.countersign.thumbprint().to_string(),
                max_age,
                acr_values: self.acr_values,
                prompts: self
                    .prompts
                    .into_iter()
                    .map(|prompt| prompt.name().to_owned())
                    .collect(),
                ..PushAuthorizationRequest::default()
            })
            .await?;
        let lifetime = lodged
            .expires_in
            .and_then(|lifetime| Duration::try_from(lifetime).ok())
            .ok_or(TokenError::Incomplete("lifetime"))?;
        if lodged.request_uri.is_empty() {
            return Err(TokenError::Incomplete("request_uri").into());
        }
        let mut url = endpoint;
        // RFC 9126 §4: these two, and nothing that was pushed.
        url.query_pairs_mut()
            .append_pair("client_id", service.client().id())
            .append_pair("request_uri", &lodged.request_uri);
        Ok(PendingAuthorization {
            url: url.into(),
            expires_in: lifetime,
            redirect_uri: self.redirect_uri,
            pkce,
            expected: Arc::new(Expected::new(state, issuer)),
        })
    }
}

/// Where a browser may be sent: encrypted, or on this machine.
fn endpoint(given: Option<&str>, issuer: &str) -> Result<Url, PushError> {
    let below_issuer = || format!("{}/{ENDPOINT}", issuer.trim_end_matches('/'));
    let text = given.map_or_else(below_issuer, str::to_owned);
    let refuse = || PushError::Endpoint(without_userinfo(&text).into_owned());
    let url = Url::parse(&text).map_err(|_| refuse())?;
    let fits = is_confidential(url.scheme(), url.host_str().unwrap_or_default());
    let has_user = !url.username().is_empty() || url.password().is_some();
    // RFC 6749 §3.1: no fragment.
    if fits && !has_user && url.fragment().is_none() {
        Ok(url)
    } else {
        Err(refuse())
    }
}

/// A request that waits for its person.
pub struct PendingAuthorization {
    url: String,
    expires_in: Duration,
    redirect_uri: String,
    pkce: Pkce,
    expected: Arc<Expected>,
}

impl PendingAuthorization {
    /// Where the person's browser is to be sent. Good for one visit.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How long the person has to decide, from when it was pushed.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// What came back: where the browser was sent to, the whole of it. The code in it, for
    /// [`TokenService::redeem`](crate::TokenService::redeem), if it is the answer to this request,
    /// of this issuer, and says yes.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn check(&self, redirected_to: &str) -> Result<Code, AnswerError> {
        self.expected
            .check(redirected_to)
            .map(|code| self.code(code))
    }

    pub(crate) fn expected(&self) -> &Arc<Expected> {
        &self.expected
    }

    pub(crate) fn code(&self, code: Secret) -> Code {
        Code {
            code,
            redirect_uri: self.redirect_uri.clone(),
            verifier: self.pkce.verifier().clone(),
        }
    }
}

pub(crate) use self::answer::Expected as ExpectedAnswer;

/// Its address is left out: whoever has it can bring the request.
impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("redirect_uri", &self.redirect_uri)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: Option<&str>, issuer: &str, expected: Option<&str>) {
        let found = endpoint(given, issuer).ok().map(String::from);
        assert_eq!(found.as_deref(), expected, "{given:?} of {issuer}");
    }

    #[test]
    fn a_browser_is_sent_where_nobody_reads_along() {
        let issuer = "https://tokens.example/a";
        check(None, issuer, Some("https://tokens.example/a/authorize"));
        check(
            None,
            "https://tokens.example/",
            Some("https://tokens.example/authorize"),
        );
        check(
            None,
            "http://127.0.0.1:7443",
            Some("http://127.0.0.1:7443/authorize"),
        );
        check(
            None,
            "http://[::1]:7443",
            Some("http://[::1]:7443/authorize"),
        );
        check(
            Some("https://login.example/x?a=b"),
            issuer,
            Some("https://login.example/x?a=b"),
        );
        for wrong in [
            "http://tokens.example",
            "http://localhost.example",
            "https://user@tokens.example",
            "https://tokens.example/#a",
            "javascript:alert(1)",
            "tokens",
        ] {
            check(Some(wrong), issuer, None);
        }
        check(None, "tokens", None);
    }
}
