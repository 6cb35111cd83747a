//! Which rule a method has: the option `countersign.policy.v1.rule`, read from
//! the descriptors of the services that are guarded, or configuration in the
//! same words.

mod book;
mod config;
mod descriptors;
mod error;
mod http;
mod rule;

#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use countersign_jose::UnixTime;

pub(crate) use self::book::read as read_rules;
pub use self::book::{MethodRule, RuleBook, Who, WrongRule};
use self::config::Statement;
pub use self::error::RulesError;
use self::http::{HttpRoutes, RouteName};
use self::rule::Meaning;
pub use self::rule::Needs;

/// What the guard does with a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Lets every call through, without looking at it.
    Exempt,
    /// Lets every call through.
    Public,
    /// Lets a call through whose token has what it needs.
    Guarded(Guarded),
}

/// A method that asks for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guarded {
    pub(crate) needs: Needs,
    /// Its resource is that of its service.
    inherits: bool,
    /// Until when a token without a key is accepted as a bearer token.
    pub(crate) bearer_until: Option<UnixTime>,
}

/// The rules of all methods.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// By path, `/package.Service/Method`.
    methods: HashMap<Box<str>, Route>,
    /// Full names of services.
    exempt: HashSet<Box<str>>,
    /// All methods of all descriptor sets, and which of them stream.
    known: BTreeMap<Box<str>, bool>,
    /// Of HTTP requests.
    http: HttpRoutes,
    /// The resources of services.
    resources: HashMap<Box<str>, Arc<str>>,
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

    /// What to do with an HTTP request for this path, without its query, and the name of the rule
    /// that says so.
    pub(crate) fn find_http(&self, method: &str, path: &str) -> Option<(&str, &Route)> {
        self.http.find(method, path)
    }

    /// What HTTP requests are asked for.
    pub(crate) fn http_needs(&self) -> impl Iterator<Item = &Needs> {
        self.http.all().filter_map(|(_, route)| match route {
            Route::Guarded(guarded) => Some(&guarded.needs),
            Route::Exempt | Route::Public => None,
        })
    }

    /// The paths that have a rule of their own.
    #[cfg(feature = "fuzz")]
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(AsRef::as_ref)
    }

    /// Whether any method has a rule.
    pub(crate) fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.http.is_empty()
    }

    /// Leaves a service or a method alone.
    pub(crate) fn exempt(&mut self, name: &str) -> Result<(), RulesError> {
        let refuse = || RulesError::Exempt(name.to_owned());
        if name.contains(' ') {
            let route = RouteName::parse(name).map_err(|_| refuse())?;
            return self.http.put(&route, Route::Exempt);
        }
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

    /// Accepts unbound bearer tokens for a method until then.
    pub(crate) fn accept_bearer(&mut self, path: &str, until: UnixTime) -> Result<(), RulesError> {
        let route = match path.contains(' ') {
            true => RouteName::parse(path)
                .ok()
                .and_then(|name| self.http.get_mut(&name)),
            false => self.methods.get_mut(path),
        };
        match route {
            Some(Route::Guarded(guarded)) => {
                guarded.bearer_until = Some(until);
                Ok(())
            }
            Some(Route::Exempt | Route::Public) | None => Err(RulesError::Bearer(path.to_owned())),
        }
    }

    /// Adds the rules of all services in an encoded `FileDescriptorSet`.
    pub(crate) fn add(&mut self, descriptors: &[u8]) -> Result<(), RulesError> {
        first(self.add_all(descriptors)?)
    }

    /// Adds the rules of a text, which messages call `file`, after all
    /// descriptor sets.
    pub(crate) fn configure(&mut self, file: &str, text: &str) -> Result<(), RulesError> {
        first(self.configure_all(file, text)?)
    }

    /// The same, and tells everything that is wrong with them.
    fn add_all(&mut self, descriptors: &[u8]) -> Result<Vec<WrongRule>, RulesError> {
        let mut wrong = Vec::new();
        for service in descriptors::services(descriptors)? {
            let resource = service.resource.and_then(|uri| match uri.as_str() {
                "" => Ok(()),
                uri => self.put_resource(&service.name, rule::resource(&service.name, uri)?),
            });
            wrong.extend(resource.err().map(|error| WrongRule {
                path: service.name.clone(),
                error,
            }));
            for method in service.methods {
                self.known
                    .insert(method.path.as_str().into(), method.streaming);
                let put = match method.rule {
                    Ok(None) => Ok(()),
                    Ok(Some(said)) => rule::meaning(&method.name, said)
                        .map(|meaning| Route::of(meaning, method.streaming))
                        .and_then(|route| self.put(&method.path, route)),
                    Err(error) => Err(error),
                };
                wrong.extend(put.err().map(|error| WrongRule {
                    path: method.path,
                    error,
                }));
            }
        }
        self.spread_resources();
        Ok(wrong)
    }

    fn configure_all(&mut self, file: &str, text: &str) -> Result<Vec<WrongRule>, RulesError> {
        let mut wrong = Vec::new();
        for stated in config::read(file, text)? {
            let put = stated.statement.and_then(|statement| self.state(statement));
            wrong.extend(put.err().map(|cause| WrongRule {
                path: stated.name,
                error: RulesError::InFile {
                    file: file.to_owned(),
                    line: stated.line,
                    cause: Box::new(cause),
                },
            }));
        }
        self.spread_resources();
        Ok(wrong)
    }

    fn state(&mut self, statement: Statement) -> Result<(), RulesError> {
        match statement {
            Statement::Method { path, rule } => {
                // Where nobody says what streams, every call ends with its token.
                let streaming = match self.known.get(path.as_str()) {
                    Some(streaming) => *streaming,
                    None if self.known.is_empty() => true,
                    None => return Err(RulesError::Unknown { path }),
                };
                let route = Route::of(rule::meaning(&path, *rule)?, streaming);
                match self.methods.entry(path.into()) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(route);
                        Ok(())
                    }
                    Entry::Occupied(known) => Err(RulesError::SecondRule {
                        path: known.key().to_string(),
                    }),
                }
            }
            Statement::Http { route, rule } => {
                let meaning = rule::meaning(&route.to_string(), *rule)?;
                // Nobody says which answers are long: each ends with its token.
                self.http.add(&route, Route::of(meaning, true))
            }
            Statement::Service { name, resource } => {
                let prefix = format!("/{name}/");
                let known = |path: &str| path.starts_with(&prefix);
                if !self.known.is_empty() && !self.known.keys().any(|path| known(path)) {
                    return Err(RulesError::Unknown { path: name });
                }
                let resource = rule::resource(&name, &resource)?;
                if self.resources.contains_key(name.as_str()) {
                    return Err(RulesError::SecondRule { path: name });
                }
                self.put_resource(&name, resource)
            }
        }
    }

    fn put(&mut self, path: &str, route: Route) -> Result<(), RulesError> {
        match self.methods.entry(path.into()) {
            Entry::Vacant(vacant) => {
                vacant.insert(route);
                Ok(())
            }
            // The same service in two sets; or exempted by name, which wins.
            Entry::Occupied(known) if known.get().says_the_same(&route) => Ok(()),
            Entry::Occupied(known) if *known.get() == Route::Exempt => Ok(()),
            Entry::Occupied(known) => Err(RulesError::Conflict {
                path: known.key().to_string(),
            }),
        }
    }

    fn put_resource(&mut self, service: &str, resource: Arc<str>) -> Result<(), RulesError> {
        match self.resources.entry(service.into()) {
            Entry::Vacant(vacant) => {
                vacant.insert(resource);
                Ok(())
            }
            Entry::Occupied(known) if *known.get() == resource => Ok(()),
            Entry::Occupied(known) => Err(RulesError::Conflict {
                path: known.key().to_string(),
            }),
        }
    }

    /// Gives the methods that name no resource that of their service.
    fn spread_resources(&mut self) {
        for (path, route) in &mut self.methods {
            let service = path[1..].split_once('/').map(|(service, _)| service);
            let resource = service.and_then(|service| self.resources.get(service));
            if let (Route::Guarded(guarded), Some(resource)) = (route, resource)
                && guarded.needs.resource.is_none()
            {
                guarded.needs.resource = Some(Arc::clone(resource));
                guarded.inherits = true;
            }
        }
    }
}

impl Route {
    fn of(meaning: Meaning, streaming: bool) -> Self {
        match meaning {
            Meaning::Public => Self::Public,
            Meaning::Guarded(needs) => Self::Guarded(Guarded {
                needs: Needs { streaming, ..needs },
                inherits: false,
                bearer_until: None,
            }),
        }
    }

    /// Whether a set that is read again says what was read before. That may have
    /// its service's resource by now.
    fn says_the_same(&self, again: &Self) -> bool {
        match (self, again) {
            (Self::Guarded(known), Self::Guarded(again)) if known.inherits => {
                let mut needs = known.needs.clone();
                needs.resource = None;
                needs == again.needs
            }
            (known, again) => known == again,
        }
    }
}

fn first(wrong: Vec<WrongRule>) -> Result<(), RulesError> {
    let first = wrong.into_iter().next();
    first.map_or(Ok(()), |wrong| Err(wrong.error))
}

/// As protobuf names a method.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(is_part)
}
