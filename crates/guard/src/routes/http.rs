//! Rules of HTTP routes: a method and a template of paths, `GET /orders/{id}`.
//!
//! A path is looked up as it was received. What stands behind a guard may decode it, join its
//! slashes or follow its dots, and would then act on another path than the rule was found for: so
//! a path that could be read in two ways has no rule at all.

use std::collections::BTreeMap;
use std::fmt;

use super::error::RulesError;
use super::{Route, is_name};

/// Written in the heading of a rule: `GET /orders/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RouteName {
    method: Box<str>,
    template: Box<str>,
}

/// The rules of all HTTP routes.
#[derive(Default)]
pub(super) struct HttpRoutes {
    /// Where a template's methods stand among `places`.
    templates: matchit::Router<usize>,
    places: Vec<Place>,
}

/// What a template's paths may be asked.
struct Place {
    template: Box<str>,
    /// By method.
    methods: BTreeMap<Box<str>, Ruled>,
}

/// A method at a place.
struct Ruled {
    /// As its rule was written.
    name: Box<str>,
    route: Route,
}

impl RouteName {
    /// Reads a method, a space and a template.
    pub(super) fn parse(name: &str) -> Result<Self, RulesError> {
        let refuse = |why| RulesError::NotARoute {
            route: name.to_owned(),
            why,
        };
        let (method, template) = name
            .split_once(' ')
            .ok_or_else(|| refuse("write a method, a space and a path"))?;
        if !is_name(method) || method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(refuse("a method is written in capitals"));
        }
        let segments = template
            .strip_prefix('/')
            .ok_or_else(|| refuse("a path begins with a slash"))?;
        let mut rest = segments.split('/').peekable();
        let mut names = Vec::new();
        while let Some(segment) = rest.next() {
            let last = rest.peek().is_none();
            match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
                Some(parameter) => {
                    let named = match parameter.strip_prefix('*') {
                        Some(_) if !last => {
                            return Err(refuse("{*…} stands at the end alone"));
                        }
                        Some(named) => named,
                        None => parameter,
                    };
                    if !is_name(named) {
                        return Err(refuse("a part in braces has a name: {id}"));
                    }
                    if names.contains(&named) {
                        return Err(refuse("each part in braces has a name of its own"));
                    }
                    names.push(named);
                }
                // A slash at the end is another path than without it.
                None if segment.is_empty() && last => {}
                None if is_literal(segment) => {}
                None => {
                    return Err(refuse(
                        "between slashes stands {name}, or a text of letters, digits and -._~",
                    ));
                }
            }
        }
        Ok(Self {
            method: method.into(),
            template: template.into(),
        })
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

impl HttpRoutes {
    /// What to do with a request, and the name of the rule that says so. `None`: nobody said, so
    /// nobody may.
    ///
    /// The most specific template that matches is asked: a text before `{id}`, that before
    /// `{*rest}`. If it has no rule for the method, no other template is tried. A HEAD is asked
    /// what a GET is, unless it has a rule of its own (RFC 9110 §9.3.2).
    pub(super) fn find(&self, method: &str, path: &str) -> Option<(&str, &Route)> {
        if !is_unambiguous(path) {
            return None;
        }
        let place = *self.templates.at(path).ok()?.value;
        let methods = &self.places[place].methods;
        let ruled = methods.get(method).or_else(|| match method {
            "HEAD" => methods.get("GET"),
            _ => None,
        })?;
        Some((&ruled.name, &ruled.route))
    }

    /// Adds a rule. A route has one.
    pub(super) fn add(&mut self, name: &RouteName, route: Route) -> Result<(), RulesError> {
        let methods = self.methods(name)?;
        if methods.contains_key(&name.method) {
            return Err(RulesError::SecondRule {
                path: name.to_string(),
            });
        }
        methods.insert(name.method.clone(), Ruled::new(name, route));
        Ok(())
    }

    /// Puts a rule in the place of another, or of none.
    pub(super) fn put(&mut self, name: &RouteName, route: Route) -> Result<(), RulesError> {
        let ruled = Ruled::new(name, route);
        self.methods(name)?.insert(name.method.clone(), ruled);
        Ok(())
    }

    /// The rule of a route, by its name.
    pub(super) fn get_mut(&mut self, name: &RouteName) -> Option<&mut Route> {
        let mut places = self.places.iter_mut();
        let place = places.find(|place| place.template == name.template)?;
        let ruled = place.methods.get_mut(&name.method)?;
        Some(&mut ruled.route)
    }

    /// All routes by name, template by template.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Route)> {
        let methods = self.places.iter().flat_map(|place| place.methods.values());
        methods.map(|ruled| (&*ruled.name, &ruled.route))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn methods(&mut self, name: &RouteName) -> Result<&mut BTreeMap<Box<str>, Ruled>, RulesError> {
        let mut places = self.places.iter();
        let known = places.position(|place| place.template == name.template);
        let at = match known {
            Some(at) => at,
            None => {
                let at = self.places.len();
                let inserted = self.templates.insert(&*name.template, at);
                inserted.map_err(|error| unclear(name, &error))?;
                self.places.push(Place {
                    template: name.template.clone(),
                    methods: BTreeMap::new(),
                });
                at
            }
        };
        Ok(&mut self.places[at].methods)
    }
}

impl Ruled {
    fn new(name: &RouteName, route: Route) -> Self {
        Self {
            name: name.to_string().into(),
            route,
        }
    }
}

fn unclear(name: &RouteName, error: &matchit::InsertError) -> RulesError {
    match error {
        matchit::InsertError::Conflict { with } => RulesError::RouteConflict {
            route: name.to_string(),
            with: with.clone(),
        },
        // Templates were looked at before, more strictly.
        other => RulesError::RouteConflict {
            route: name.to_string(),
            with: other.to_string(),
        },
    }
}

/// What a part of a path may be besides a name in braces: of characters that have no second way of
/// writing. Others have one: `%40` for `@`, which other routers take for the same.
fn is_literal(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(is_unreserved) && segment != "." && segment != ".."
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether everybody reads this path in the same way: also who decodes it (once, or twice), joins
/// slashes, or follows dots.
fn is_unambiguous(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    let mut rest = segments.split('/').peekable();
    while let Some(segment) = rest.next() {
        if segment.is_empty() && rest.peek().is_some() {
            return false;
        }
        if !is_unambiguous_segment(segment) {
            return false;
        }
    }
    true
}

fn is_unambiguous_segment(segment: &str) -> bool {
    let mut rest = segment.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) if encodes_for_a_reason(*high, *low) => after,
            (b'%' | b'\\', _) => return false,
            (byte, after) if byte.is_ascii_graphic() => after,
            _ => return false,
        };
    }
    segment != "." && segment != ".."
}

/// What could be written plainly is not encoded, and what would part or end a path is not hidden.
fn encodes_for_a_reason(high: u8, low: u8) -> bool {
    let digit = |hex: u8| match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'A'..=b'F' => Some(hex - b'A' + 10),
        // Equal to the upper case, which is the normal form (RFC 3986 §6.2.2.1).
        _ => None,
    };
    let (Some(high), Some(low)) = (digit(high), digit(low)) else {
        return false;
    };
    let decoded = high * 16 + low;
    !is_unreserved(decoded) && !matches!(decoded, b'/' | b'\\' | b'%' | 0x00..=0x1f | 0x7f)
}

impl fmt::Debug for HttpRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}
