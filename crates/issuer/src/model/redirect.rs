//! Redirect URIs: where codes may go (RFC 8252 §7, RFC 9700 §4.1).

use std::fmt;

use url::Url;

use super::Malformed;
use super::resource::{has_user, is_uri_byte};

/// Longer than any callback, short enough for a browser's address with a code behind it.
const BYTES_MAX: usize = 1024;

/// The `http` hosts that never leave the machine (RFC 8252 §7.3, §8.3).
const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// A redirect URI, kept as it was written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RedirectUri(String);

impl RedirectUri {
    /// Reads a URI that a client may be registered with: `https`, a loopback `http`, or a private
    /// scheme with a dot; no fragment, no user information.
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::RedirectUri`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::Missing);
        }
        if text.len() > BYTES_MAX || !text.bytes().all(is_uri_byte) || text.contains('#') {
            return Err(Malformed::RedirectUri);
        }
        let url = Url::parse(text).map_err(|_| Malformed::RedirectUri)?;
        let allowed = match url.scheme() {
            // The `url` crate reads `https:host` as `https://host`; browsers are not asked to.
            "https" => text
                .get(..8)
                .is_some_and(|start| start.eq_ignore_ascii_case("https://")),
            "http" => loopback(text).is_some(),
            // RFC 8252 §7.1: a reversed domain name that the application's maker owns.
            private => private.contains('.'),
        };
        if allowed && !has_user(&url) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed::RedirectUri)
        }
    }

    /// Whether a client registered with this URI may use `presented`: character for character
    /// (RFC 9700 §4.1.3), but any port of a loopback address (RFC 8252 §7.3).
    pub fn admits(&self, presented: &Self) -> bool {
        self == presented
            || loopback(&self.0)
                .is_some_and(|registered| Some(registered) == loopback(&presented.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Host and the rest of a loopback `http` URI, without its port.
fn loopback(text: &str) -> Option<(&str, &str)> {
    let after_scheme = text.strip_prefix("http://")?;
    let authority_ends = after_scheme.find(['/', '?']).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(authority_ends);
    let host = LOOPBACK_HOSTS
        .into_iter()
        .find(|host| authority.starts_with(host))?;
    let port = authority.strip_prefix(host)?;
    let port_is_fine = match port.strip_prefix(':') {
        // `parse` alone would take a sign.
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    port_is_fine.then_some((host, rest))
}
