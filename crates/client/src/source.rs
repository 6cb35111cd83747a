//! Where access tokens come from.

mod cached;
mod client_credentials;
mod refresh;
mod token;

use std::pin::Pin;
use std::sync::Arc;

pub use self::cached::{Cached, Fetch};
pub use self::client_credentials::ClientCredentials;
pub use self::refresh::{RefreshToken, Rotation};
pub use self::token::{AccessToken, GivenToken};
use crate::error::TokenError;

/// A boxed future, for traits that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Hands out access tokens that are bound to the caller's proof key.
///
/// Asked on every call, so it keeps what it has.
pub trait TokenSource: Send + Sync + 'static {
    /// A token to call with now.
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>>;

    /// A guard says that this token has expired or was revoked: another is
    /// wanted. Called by every call that was refused with it, so it is about this
    /// very token and not one that is newer.
    fn discard(&self, token: &Arc<AccessToken>);
}
