//! Rules from configuration: TOML in the words of the option, for protos that
//! cannot be changed.

use countersign::policy::v1::Rule;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::RulesError;
use super::http::RouteName;
use super::is_name;

/// A rule file of a thousand methods is a tenth of it.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

const METHOD_WORDS: &str = "a method has scopes, any_scopes, public, acr_values, max_age, resource";
const SERVICE_WORDS: &str = "a service has resource";
const TEXTS: &str = "a list of strings";
const SECONDS: &str = "whole seconds as a string, such as \"300s\"";

/// What the file says of a method or service.
pub(super) struct Stated {
    /// From 1.
    pub(super) line: usize,
    /// As written: a path or a service.
    pub(super) name: String,
    pub(super) statement: Result<Statement, RulesError>,
}

pub(super) enum Statement {
    /// `/package.Service/Method`.
    Method { path: String, rule: Box<Rule> },
    /// `GET /orders/{id}`.
    Http { route: RouteName, rule: Box<Rule> },
    /// `package.Service`.
    Service { name: String, resource: String },
}

/// Reads `text`, which messages call `file`.
///
/// # Errors
/// It is not TOML. What is wrong with one rule stands in its place.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Stated>, RulesError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(RulesError::Unreadable {
            file: file.to_owned(),
            cause: "is larger than 1 MiB".to_owned(),
        });
    }
    let table = DeTable::parse(text).map_err(|error| syntax(file, text, &error))?;
    let mut stated: Vec<Stated> = table
        .get_ref()
        .iter()
        .map(|(name, value)| Stated {
            line: line(text, name.span().start),
            name: name.get_ref().to_string(),
            statement: statement(name.get_ref(), value),
        })
        .collect();
    stated.sort_by_key(|stated| stated.line);
    Ok(stated)
}

fn statement(name: &str, value: &Spanned<DeValue<'_>>) -> Result<Statement, RulesError> {
    let not_a_name = || RulesError::NotAName(name.to_owned());
    let DeValue::Table(table) = value.get_ref() else {
        return Err(not_a_name());
    };
    if name.contains(' ') {
        return Ok(Statement::Http {
            route: RouteName::parse(name)?,
            rule: Box::new(rule(name, table)?),
        });
    }
    let (service, method) = match name.strip_prefix('/') {
        Some(path) => {
            let (service, method) = path.split_once('/').ok_or_else(not_a_name)?;
            (service, Some(method))
        }
        None => (name, None),
    };
    if !service.split('.').all(is_name) || !method.is_none_or(is_name) {
        return Err(not_a_name());
    }
    match method {
        Some(_) => Ok(Statement::Method {
            path: name.to_owned(),
            rule: Box::new(rule(name, table)?),
        }),
        None => Ok(Statement::Service {
            name: name.to_owned(),
            resource: service_resource(name, table)?,
        }),
    }
}

fn rule(path: &str, table: &DeTable<'_>) -> Result<Rule, RulesError> {
    let mut rule = Rule::default();
    for (word, value) in table {
        let value = value.get_ref();
        let of = |word: &'static str, expected| RulesError::Value {
            path: path.to_owned(),
            word,
            expected,
        };
        match &**word.get_ref() {
            "scopes" => rule.scopes = texts(value).ok_or_else(|| of("scopes", TEXTS))?,
            "any_scopes" => {
                rule.any_scopes = texts(value).ok_or_else(|| of("any_scopes", TEXTS))?;
            }
            "acr_values" => {
                rule.acr_values = texts(value).ok_or_else(|| of("acr_values", TEXTS))?;
            }
            "public" => match value {
                DeValue::Boolean(public) => rule.public = *public,
                _ => return Err(of("public", "true or false")),
            },
            "max_age" => {
                let seconds = seconds(value).ok_or_else(|| of("max_age", SECONDS))?;
                rule.max_age = Some(prost_reflect::prost_types::Duration { seconds, nanos: 0 });
            }
            "resource" => {
                rule.resource = uri(value).ok_or_else(|| of("resource", "a URI"))?;
            }
            unknown => {
                return Err(RulesError::UnknownKey {
                    path: path.to_owned(),
                    word: unknown.to_owned(),
                    known: METHOD_WORDS,
                });
            }
        }
    }
    Ok(rule)
}

fn service_resource(name: &str, table: &DeTable<'_>) -> Result<String, RulesError> {
    let mut resource = None;
    for (word, value) in table {
        if word.get_ref() != "resource" {
            return Err(RulesError::UnknownKey {
                path: name.to_owned(),
                word: word.get_ref().to_string(),
                known: SERVICE_WORDS,
            });
        }
        resource = uri(value.get_ref());
    }
    resource.ok_or_else(|| RulesError::Value {
        path: name.to_owned(),
        word: "resource",
        expected: "a URI",
    })
}

/// Not empty: an empty list asks for nothing, and its author did not mean that.
fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let DeValue::Array(values) = value else {
        return None;
    };
    let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    };
    values
        .iter()
        .map(text)
        .collect::<Option<Vec<_>>>()
        .filter(|texts| !texts.is_empty())
}

fn uri(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) if !text.is_empty() => Some(text.to_string()),
        _ => None,
    }
}

/// As protobuf writes a duration in JSON.
fn seconds(value: &DeValue<'_>) -> Option<i64> {
    let DeValue::String(text) = value else {
        return None;
    };
    let digits = text.strip_suffix('s')?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok())?
}

/// Of the text itself only the method or service is repeated in which it goes
/// wrong: the file may be another one, with secrets in it.
fn syntax(file: &str, text: &str, error: &toml::de::Error) -> RulesError {
    let line = line(text, error.span().map_or(0, |span| span.start));
    let of = text.lines().take(line).filter_map(heading).last();
    let problem = error.message();
    RulesError::Syntax {
        file: file.to_owned(),
        line,
        problem: of.map_or_else(|| problem.to_owned(), |of| format!("{of}: {problem}")),
    }
}

/// The method or service whose rule begins with this line.
fn heading(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("[\"")?;
    let (name, _) = name.split_once('"')?;
    if RouteName::parse(name).is_ok() {
        return Some(name);
    }
    let mut parts = name.strip_prefix('/').unwrap_or(name).split(['/', '.']);
    parts.all(is_name).then_some(name)
}

fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
