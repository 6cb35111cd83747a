//! Names: short texts with an alphabet and a limit.

use std::fmt;
use std::sync::Arc;

use super::{Malformed, RecordId};

/// The identifier of a client.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(Arc<str>);

/// Whom a token speaks for: a person or, with client credentials, the client itself (`sub`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Subject(Arc<str>);

/// A name for people. May be empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DisplayName(String);

/// How a person proved who they are (`acr`). Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acr(Arc<str>);

/// What a client gets back with its code, unchanged (RFC 6749 §4.1.1). Never empty, and not
/// shown by `Debug`: clients keep session data in it.
#[derive(Clone, PartialEq, Eq)]
pub struct State(String);

impl ClientId {
    /// Reads 1 to 128 letters, digits, `-`, `_`, `.`, `:` and `/`.
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::ClientId`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
        match text.len() {
            0 => Err(Malformed::Missing),
            1..=128 if text.bytes().all(allowed) => Ok(Self(text.into())),
            _ => Err(Malformed::ClientId),
        }
    }

    /// An identifier for a client that came without one, from 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(RecordId::from_bytes(bytes).to_string().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Subject {
    /// Reads 1 to 255 bytes without control characters.
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::Subject`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        match text.len() {
            0 => Err(Malformed::Missing),
            1..=255 if !text.contains(char::is_control) => Ok(Self(text.into())),
            _ => Err(Malformed::Subject),
        }
    }

    /// The client as the subject of its own tokens (RFC 9068 §2.2).
    pub fn of_client(client: &ClientId) -> Self {
        Self(Arc::clone(&client.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DisplayName {
    /// Reads at most 128 characters, none of them a control character.
    ///
    /// # Errors
    /// [`Malformed::DisplayName`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        // Bytes first: counting the characters of a megabyte is work for nothing.
        let fits = text.len() <= 4 * 128 && text.chars().count() <= 128;
        if fits && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed::DisplayName)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Acr {
    /// Reads at most 255 bytes; an empty text is none.
    ///
    /// # Errors
    /// [`Malformed::Acr`].
    pub fn parse(text: &str) -> Result<Option<Self>, Malformed> {
        match text.len() {
            0 => Ok(None),
            1..=255 if !text.contains(char::is_control) => Ok(Some(Self(text.into()))),
            _ => Err(Malformed::Acr),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl State {
    /// Reads at most 512 bytes; an empty text is none.
    ///
    /// # Errors
    /// [`Malformed::State`].
    pub fn parse(text: &str) -> Result<Option<Self>, Malformed> {
        match text.len() {
            0 => Ok(None),
            1..=512 => Ok(Some(Self(text.to_owned()))),
            _ => Err(Malformed::State),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(..)")
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
