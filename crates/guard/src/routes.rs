//! Which rule a method has: the option `countersign.policy.v1.rule`, read from
//! the descriptors of the services that are guarded.

#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use countersign::policy::v1::Rule;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor};

/// What the guard does with a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Lets every call through, without looking at it.
    Exempt,
    /// Lets every call through.
    Public,
    /// Lets a call through whose token has these scopes.
    Guarded {
        scopes: Arc<[Box<str>]>,
        streaming: bool,
    },
}

/// The rules of all methods.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// By path, `/package.Service/Method`.
    methods: HashMap<Box<str>, Route>,
    /// Full names of services.
    exempt: HashSet<Box<str>>,
}

/// Why a guard does not start with these rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Not a descriptor set, or one without what it imports.
    #[error(
        "the descriptor set cannot be read: {0}. Give an encoded FileDescriptorSet that includes imports, as protox's encode_file_descriptor_set writes it"
    )]
    Descriptors(String),
    /// A rule with scopes that also lets everybody in.
    #[error("{method}: the rule is public and names scopes; it must be one of the two")]
    PublicAndScopes {
        /// `package.Service.Method`.
        method: String,
    },
    /// A rule that says nothing.
    #[error("{method}: the rule names no scope; name one, or write public: true")]
    Empty {
        /// `package.Service.Method`.
        method: String,
    },
    /// A scope that no token can hold.
    #[error(
        "{method}: {scope:?} is not a scope; a scope is printable ASCII without spaces, quotes and backslashes (RFC 6749 §3.3)"
    )]
    Scope {
        /// `package.Service.Method`.
        method: String,
        /// As written.
        scope: String,
    },
    /// The option holds something that is not a rule.
    #[error("{method}: the option countersign.policy.v1.rule does not hold a rule: {cause}")]
    NotARule {
        /// `package.Service.Method`.
        method: String,
        /// What it holds.
        cause: String,
    },
    /// Two descriptor sets disagree.
    #[error("{path}: two descriptor sets give it different rules")]
    Conflict {
        /// `/package.Service/Method`.
        path: String,
    },
    /// Neither a service nor a method.
    #[error(
        "cannot exempt {0:?}: write a service as package.Service, a method as /package.Service/Method"
    )]
    Exempt(String),
}

impl Routes {
    /// What to do with a call to this path. `None`: nobody said, so nobody may.
    pub(crate) fn find(&self, path: &str) -> Option<&Route> {
        if let Some(route) = self.methods.get(path) {
            return Some(route);
        }
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        // A path that something behind us may read as another one, such as
        // `/exempt.Service/../other.Service/Method`, is nobody's method.
        (is_name(method) && self.exempt.contains(service)).then_some(&Route::Exempt)
    }

    /// The paths that have a rule of their own.
    #[cfg(feature = "fuzz")]
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(AsRef::as_ref)
    }

    /// Whether any method has a rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.methods.is_empty()
    }

    /// Leaves a service or a method alone.
    pub(crate) fn exempt(&mut self, name: &str) -> Result<(), RulesError> {
        let refuse = || RulesError::Exempt(name.to_owned());
        match name.strip_prefix('/') {
            Some(path) => {
                let (service, method) = path.split_once('/').ok_or_else(refuse)?;
                if service.is_empty() || method.is_empty() || method.contains('/') {
                    return Err(refuse());
                }
                self.methods.insert(name.into(), Route::Exempt);
            }
            None if name.is_empty() || name.contains('/') => return Err(refuse()),
            None => {
                // Its rules, if any were read, are not asked.
                let prefix = format!("/{name}/");
                self.methods.retain(|path, _| !path.starts_with(&prefix));
                self.exempt.insert(name.into());
            }
        }
        Ok(())
    }

    /// Adds the rules of all services in an encoded `FileDescriptorSet`.
    pub(crate) fn add(&mut self, descriptors: &[u8]) -> Result<(), RulesError> {
        let pool = pool(descriptors)?;
        // By its full name: another extension may bear the same number.
        let Some(option) = pool.get_extension_by_name(countersign::RULE_OPTION) else {
            return Ok(());
        };
        let files = files(descriptors)?;
        let services = pool
            .services()
            .filter(|service| files.contains(service.parent_file().name()));
        for method in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
            if let Some(route) = route(&method, &option)? {
                self.put(path(&method), route)?;
            }
        }
        Ok(())
    }

    fn put(&mut self, path: String, route: Route) -> Result<(), RulesError> {
        match self.methods.entry(path.into()) {
            Entry::Vacant(vacant) => {
                vacant.insert(route);
                Ok(())
            }
            // The same service in two sets; or exempted by name, which wins.
            Entry::Occupied(known) if *known.get() == route => Ok(()),
            Entry::Occupied(known) if *known.get() == Route::Exempt => Ok(()),
            Entry::Occupied(known) => Err(RulesError::Conflict {
                path: known.key().to_string(),
            }),
        }
    }
}

/// A set that lacks the policy's own file is completed with it.
fn pool(descriptors: &[u8]) -> Result<DescriptorPool, RulesError> {
    of_known_syntax(descriptors)?;
    let alone = match DescriptorPool::decode(descriptors) {
        Ok(pool) => return Ok(pool),
        Err(error) => error,
    };
    let mut pool = DescriptorPool::decode(countersign::FILE_DESCRIPTOR_SET)
        .map_err(|error| RulesError::Descriptors(error.to_string()))?;
    pool.decode_file_descriptor_set(descriptors)
        .map_err(|_| RulesError::Descriptors(alone.to_string()))?;
    Ok(pool)
}

/// prost-reflect knows no editions, and panics where it should say so.
fn of_known_syntax(descriptors: &[u8]) -> Result<(), RulesError> {
    let set = FileDescriptorSet::decode(descriptors)
        .map_err(|error| RulesError::Descriptors(error.to_string()))?;
    match set
        .file
        .iter()
        .find(|file| !matches!(file.syntax(), "" | "proto2" | "proto3"))
    {
        None => Ok(()),
        Some(file) => Err(RulesError::Descriptors(format!(
            "{} is of the syntax {:?}, and only proto2 and proto3 are understood",
            file.name(),
            file.syntax()
        ))),
    }
}

/// The files of the set itself: completing it must not add rules for services
/// that it does not have.
fn files(descriptors: &[u8]) -> Result<HashSet<String>, RulesError> {
    let set = FileDescriptorSet::decode(descriptors)
        .map_err(|error| RulesError::Descriptors(error.to_string()))?;
    Ok(set.file.into_iter().filter_map(|file| file.name).collect())
}

fn route(
    method: &MethodDescriptor,
    option: &ExtensionDescriptor,
) -> Result<Option<Route>, RulesError> {
    let options = method.options();
    if !options.has_extension(option) {
        return Ok(None);
    }
    let name = || method.full_name().to_owned();
    let not_a_rule = |cause: String| RulesError::NotARule {
        method: name(),
        cause,
    };
    let held = options.get_extension(option);
    let rule: Rule = held
        .as_message()
        .ok_or_else(|| not_a_rule("not a message".to_owned()))?
        .transcode_to()
        .map_err(|error| not_a_rule(error.to_string()))?;
    if rule.public && !rule.scopes.is_empty() {
        return Err(RulesError::PublicAndScopes { method: name() });
    }
    if rule.public {
        return Ok(Some(Route::Public));
    }
    if rule.scopes.is_empty() {
        return Err(RulesError::Empty { method: name() });
    }
    if let Some(scope) = rule.scopes.iter().find(|scope| !is_scope(scope)) {
        return Err(RulesError::Scope {
            method: name(),
            scope: scope.clone(),
        });
    }
    Ok(Some(Route::Guarded {
        scopes: rule.scopes.into_iter().map(Into::into).collect(),
        streaming: method.is_client_streaming() || method.is_server_streaming(),
    }))
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// As protobuf names a method.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(is_part)
}

/// RFC 6749 §3.3, scope-token.
fn is_scope(text: &str) -> bool {
    let is_nqchar = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(is_nqchar)
}
