//! What the token service is asked. It decides; the application says who the person is and what
//! they said.

use std::time::Duration;

use async_trait::async_trait;
use countersign_jose::UnixTime;
use thiserror::Error;

/// How a person who gave a password proved who they are (`acr`).
pub const ACR_PASSWORD: &str = "pwd";

/// An authorization request, as the token service tells of it. All of it but the URIs was written
/// by the client or its administrator.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// The client that asks.
    pub client_id: String,
    /// When it was registered: another client may have had its identifier before. None where the
    /// token service does not tell.
    pub client_created_at: Option<UnixTime>,
    /// Its name for people; may be empty.
    pub client_display_name: String,
    /// Where the browser goes in the end; empty for a device.
    pub redirect_uri: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// The scopes at each resource, where the token service tells them.
    pub scopes_at: Vec<ScopeAt>,
    /// What is asked for beyond scopes (RFC 9396): a JSON array, as text; empty without any.
    pub details: String,
    /// A device asks.
    pub device: bool,
    /// The person must have given the password since then.
    pub authenticated_since: Option<UnixTime>,
    /// How they should prove who they are, the best first (RFC 9470 §4); empty where any way will do.
    pub acr_values: Vec<String>,
    /// They have to give it for this request (`prompt=login`).
    pub login_again: bool,
    /// They have to say for this request who they are (`prompt=select_account`), with the password.
    pub name_again: bool,
    /// They have to be shown what they allow, whatever they allowed before (`prompt=consent`).
    pub ask_again: bool,
    /// They must be shown nothing (`prompt=none`): what cannot go on without them is declined.
    pub silently: bool,
}

impl Asked {
    /// Whether somebody who gave a password has proved who they are as the client wants it.
    pub(crate) fn is_met_by_password(&self) -> bool {
        self.acr_values.is_empty() || self.acr_values.iter().any(|acr| acr == ACR_PASSWORD)
    }
}

/// A scope at a resource.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScopeAt {
    /// The scope.
    pub scope: String,
    /// The resource.
    pub resource: String,
    /// What it allows there, in plain words; may be empty.
    pub description: String,
}

/// What the person allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Who they are in tokens.
    pub subject: String,
    /// The scopes: some of those asked for, never none.
    pub scopes: Vec<String>,
    /// When they gave the password.
    pub auth_time: UnixTime,
    /// How they proved who they are.
    pub acr: &'static str,
}

/// Why a request is declined, as the client is told.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Denial {
    /// The person declined (RFC 6749 §4.1.2.1).
    Declined,
    /// They would have to log in, and must be shown nothing (OpenID Connect Core §3.1.2.6).
    LoginRequired,
    /// They would have to allow it, and must be shown nothing (there).
    ConsentRequired,
    /// A password is not enough (RFC 9470 §5).
    Unmet,
}

/// A user code (RFC 8628 §3.3).
#[derive(Copy, Clone, Debug)]
pub struct Typed<'a> {
    /// As the person typed it.
    pub user_code: &'a str,
    /// Who they are in tokens, if they have logged in.
    pub subject: Option<&'a str>,
    /// Where they are, told apart from others.
    pub source: &'a str,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Trouble {
    /// No such request waits: it is over, decided, or never was.
    #[error("no such request waits for a decision")]
    Gone,
    /// Too much is asked of the token service.
    #[error("the token service has too much to do")]
    Busy(Option<Duration>),
    /// It cannot be asked, or it refuses the application.
    #[error("the token service: {0}")]
    Away(String),
}

/// The token service, as the login application sees it.
#[async_trait]
pub trait TokenService: Send + Sync + 'static {
    /// Which request the user code stands for: its name, and what it asks. Wrong codes are counted
    /// by who typed them and from where.
    async fn find(&self, typed: &Typed<'_>) -> Result<(String, Asked), Trouble>;

    /// What a person is asked to approve.
    async fn show(&self, handle: &str) -> Result<Asked, Trouble>;

    /// They approve. Where the browser goes next; empty for a device.
    async fn approve(&self, handle: &str, approval: &Approval) -> Result<String, Trouble>;

    /// It is declined. Where the browser goes next; empty for a device.
    async fn deny(&self, handle: &str, why: Denial) -> Result<String, Trouble>;
}
