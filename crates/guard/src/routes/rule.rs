//! One rule: what it may say, and what it asks of a call.

use std::sync::Arc;
use std::time::Duration;

use countersign::policy::v1::Rule;

use super::error::RulesError;

/// What a guarded method asks of its caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub(crate) scopes: Box<[Box<str>]>,
    pub(crate) any_scopes: Box<[Box<str>]>,
    pub(crate) acr_values: Box<[Box<str>]>,
    pub(crate) max_age: Option<Duration>,
    /// `None`: that of the origin the proof was made for.
    pub(crate) resource: Option<Arc<str>>,
    /// A call of it may outlive its token, so it is ended.
    pub(crate) streaming: bool,
}

/// What a rule comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Public,
    Guarded(Needs),
}

impl Needs {
    /// The scopes that a token must hold, all of them.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(AsRef::as_ref)
    }

    /// The scopes of which a token must hold at least one. Empty: none of them.
    pub fn any_scopes(&self) -> impl Iterator<Item = &str> {
        self.any_scopes.iter().map(AsRef::as_ref)
    }

    /// How the person must have proved who they are: one of these. Empty: in any
    /// way (RFC 9470 §3).
    pub fn acr_values(&self) -> impl Iterator<Item = &str> {
        self.acr_values.iter().map(AsRef::as_ref)
    }

    /// How long ago they may have done so (RFC 9470 §3).
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// The resource that a token must be for. `None`: that of the origin that
    /// was called.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }
}

/// Reads a rule, of `method` as messages name it.
///
/// # Errors
/// A rule that nobody can keep, or that says less than its author thinks.
pub(super) fn meaning(method: &str, rule: Rule) -> Result<Meaning, RulesError> {
    let method = || method.to_owned();
    if rule.public {
        return match beside_public(&rule) {
            None => Ok(Meaning::Public),
            Some(also) => Err(RulesError::PublicAnd {
                method: method(),
                also,
            }),
        };
    }
    if rule.scopes.is_empty() && rule.any_scopes.is_empty() {
        return Err(RulesError::Empty { method: method() });
    }
    let mut scopes = rule.scopes.iter().chain(&rule.any_scopes);
    if let Some(scope) = scopes.find(|scope| !is_word(scope)) {
        return Err(RulesError::Scope {
            method: method(),
            scope: scope.clone(),
        });
    }
    if let Some(scope) = rule.any_scopes.iter().find(|s| rule.scopes.contains(s)) {
        return Err(RulesError::AnyAsksNothing {
            method: method(),
            scope: scope.clone(),
        });
    }
    if let Some(value) = rule.acr_values.iter().find(|value| !is_word(value)) {
        return Err(RulesError::Acr {
            method: method(),
            value: value.clone(),
        });
    }
    let max_age = match rule.max_age {
        None => None,
        Some(said) => Some(
            whole_seconds(said.seconds, said.nanos)
                .ok_or_else(|| RulesError::MaxAge { method: method() })?,
        ),
    };
    let resource = match rule.resource.as_str() {
        "" => None,
        uri => Some(resource(&method(), uri)?),
    };
    let boxed = |texts: Vec<String>| texts.into_iter().map(Into::into).collect();
    Ok(Meaning::Guarded(Needs {
        scopes: boxed(rule.scopes),
        any_scopes: boxed(rule.any_scopes),
        acr_values: boxed(rule.acr_values),
        max_age,
        resource,
        streaming: true,
    }))
}

/// A resource, as `of` names it.
pub(super) fn resource(of: &str, uri: &str) -> Result<Arc<str>, RulesError> {
    if is_resource(uri) {
        Ok(uri.into())
    } else {
        Err(RulesError::Resource {
            of: of.to_owned(),
            resource: uri.to_owned(),
        })
    }
}

fn beside_public(rule: &Rule) -> Option<&'static str> {
    [
        (!rule.scopes.is_empty(), "scopes"),
        (!rule.any_scopes.is_empty(), "any_scopes"),
        (!rule.acr_values.is_empty(), "acr_values"),
        (rule.max_age.is_some(), "max_age"),
        (!rule.resource.is_empty(), "resource"),
    ]
    .into_iter()
    .find_map(|(said, word)| said.then_some(word))
}

/// `auth_time` has whole seconds, and so has `max_age` on the wire. Within none
/// at all nobody could call.
fn whole_seconds(seconds: i64, nanos: i32) -> Option<Duration> {
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    (nanos == 0).then(|| Duration::from_secs(seconds))
}

/// RFC 6749 §3.3, scope-token; and what can stand in a list of `acr_values` and
/// in a quoted string of a challenge.
fn is_word(text: &str) -> bool {
    let is_nqchar = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(is_nqchar)
}

/// RFC 8707 §2: an absolute URI (RFC 3986 §4.3) without fragment.
fn is_resource(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_scheme)
        && is_word(rest)
        && !rest.contains(['#', '<', '>', '^', '`', '{', '|', '}'])
}
