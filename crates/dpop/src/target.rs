//! What a proof is for: the target URI of a call, without query and fragment.

mod normalise;

use std::borrow::Cow;
use std::fmt;

pub use normalise::TargetError;
use normalise::normalise;

/// A normalised absolute URI without query and fragment: what `htu` says (RFC 9449 §4.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Target(String);

impl Target {
    /// Reads an absolute `http` or `https` URI and normalises it (RFC 3986 §6.2.2, §6.2.3); query
    /// and fragment are dropped.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(uri: &str) -> Result<Self, TargetError> {
        normalise(uri).map(Self)
    }

    /// The URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is reached at this origin.
    pub fn is_at(&self, origin: &Origin) -> bool {
        let path = self.0.strip_prefix(&*origin.0);
        path.is_some_and(|path| path.starts_with('/'))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not an origin.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OriginError {
    /// Not a base URI.
    #[error("{0}")]
    Uri(TargetError),
    /// A base URI has no query and no fragment: a path is put behind it.
    #[error("a base URI has no query and no fragment")]
    QueryOrFragment,
}

/// A URL as messages and logs may show it: a name and password in it (RFC 3986 §3.2.1) become `…`,
/// whether it is otherwise well-formed or not.
pub fn without_userinfo(url: &str) -> Cow<'_, str> {
    let (scheme, rest) = url
        .find("//")
        .map_or(("", url), |slashes| url.split_at(slashes + 2));
    // Up to the last, wherever it is: a password that was not encoded may hold any character.
    match rest.rfind('@') {
        Some(at) => Cow::Owned(format!("{scheme}…{}", &rest[at..])),
        None => Cow::Borrowed(url),
    }
}

/// The call's path cannot be compared without interpreting it: it is not absolute, or has a
/// percent-encoding, a dot segment, a query, or a character that no path has.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the path is not plain: absolute, without percent-encodings, dot segments or a query")]
pub struct PathRefused;

/// What a call's path may be made of, so that it is compared as it was received.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Paths {
    /// As gRPC's: nothing that could be written in another way.
    Plain,
    /// As HTTP's: also percent-encodings that cannot be written in another way (RFC 3986 §6.2.2):
    /// in upper case, and of no unreserved character.
    Encoded,
}

/// Where a service is reached: scheme, host and port, perhaps a path prefix. Configured, never
/// taken from a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Origin(String);

impl Origin {
    /// Reads a base URI and normalises it; a slash at its end makes no difference.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub fn parse(uri: &str) -> Result<Self, OriginError> {
        if uri.contains(['?', '#']) {
            return Err(OriginError::QueryOrFragment);
        }
        let base = normalise(uri).map_err(OriginError::Uri)?;
        Ok(Self(base.trim_end_matches('/').to_owned()))
    }

    /// The base URI, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The target of a call to `path` at this origin.
    ///
    /// # Errors
    /// The path is not plain.
    pub fn target(&self, path: &str) -> Result<Target, PathRefused> {
        if Paths::Plain.has(path) {
            Ok(Target(self.0.clone() + path))
        } else {
            Err(PathRefused)
        }
    }

    fn is_base_of(&self, htu: &str, path: &str) -> bool {
        htu.strip_prefix(&*self.0) == Some(path)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why `htu` is not the target of the call.
pub(crate) enum Astray {
    Path,
    Malformed,
    Elsewhere,
}

/// Which origin `htu` means, given the path of the call. Paths are case-sensitive and compared
/// exactly, after normalising what the client wrote.
pub(crate) fn origin_of(
    htu: &str,
    origins: &[Origin],
    path: &str,
    paths: Paths,
) -> Result<usize, Astray> {
    if !paths.has(path) {
        return Err(Astray::Path);
    }
    let find = |htu: &str| {
        origins
            .iter()
            .position(|origin| origin.is_base_of(htu, path))
    };
    // A client that writes the target as we would, as nearly all do, is not normalised: origins
    // and plain paths are normal already.
    if let Some(at) = find(htu) {
        return Ok(at);
    }
    find(&normalise(htu).map_err(|_| Astray::Malformed)?).ok_or(Astray::Elsewhere)
}

impl Paths {
    /// Whether a path is one of these: they are their own normal form.
    fn has(self, path: &str) -> bool {
        path.starts_with('/') && self.has_characters(path) && !has_dot_segment(path)
    }

    fn has_characters(self, path: &str) -> bool {
        let mut rest = path.as_bytes();
        while let [byte, after @ ..] = rest {
            rest = match byte {
                b'%' if self == Self::Encoded && normalise::is_normal_encoding(after) => {
                    &after[2..]
                }
                byte if *byte == b'/' || normalise::is_pchar(*byte) => after,
                _ => return false,
            };
        }
        true
    }
}

fn has_dot_segment(path: &str) -> bool {
    path.split('/')
        .any(|segment| segment == "." || segment == "..")
}
