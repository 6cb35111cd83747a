//! All rules of a server to look at: for tools that show or check them.

use std::path::Path;

use super::{Needs, Route, Routes, RulesError};

/// The rules of a server, with everything that is wrong with them. A guard
/// reads the same in the same way, and stops at the first wrong one.
#[derive(Debug, Default)]
pub struct RuleBook {
    routes: Routes,
    wrong: Vec<WrongRule>,
}

/// A rule that no guard would start with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongRule {
    /// `/package.Service/Method`, or `package.Service`, or `GET /path`.
    pub path: String,
    /// What is wrong with it.
    pub error: RulesError,
}

/// A method or an HTTP route, and who may call it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct MethodRule<'a> {
    /// `/package.Service/Method`, or `GET /path`.
    pub path: &'a str,
    /// Who may call it.
    pub who: Who<'a>,
}

/// Who may call a method.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// Nobody: it has no rule.
    Nobody,
    /// Everybody, and the guard does not look at the call.
    Exempt,
    /// Everybody.
    Everybody,
    /// Who has a token with this.
    Holders(&'a Needs),
}

impl RuleBook {
    /// Adds the services of an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    /// It is none.
    pub fn add_descriptors(&mut self, encoded: &[u8]) -> Result<(), RulesError> {
        let wrong = self.routes.add_all(encoded)?;
        self.wrong.extend(wrong);
        Ok(())
    }

    /// Adds the rules of a file, as
    /// [`Builder::rules_file`](crate::Builder::rules_file); after all descriptor
    /// sets.
    ///
    /// # Errors
    /// It cannot be read, or is not TOML.
    pub fn add_file(&mut self, path: &Path) -> Result<(), RulesError> {
        let text = read(path)?;
        let wrong = self
            .routes
            .configure_all(&path.display().to_string(), &text)?;
        self.wrong.extend(wrong);
        Ok(())
    }

    /// Leaves a service or a method alone, as
    /// [`Builder::exempt`](crate::Builder::exempt).
    ///
    /// # Errors
    /// It is neither.
    pub fn exempt(&mut self, name: &str) -> Result<(), RulesError> {
        self.routes.exempt(name)
    }

    /// All methods, by path, and after them all HTTP routes.
    pub fn methods(&self) -> Vec<MethodRule<'_>> {
        let known = self.routes.known.keys();
        let mut paths: Vec<&str> = known
            .chain(self.routes.methods.keys())
            .map(AsRef::as_ref)
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let http = self.routes.http.all();
        paths
            .into_iter()
            .map(|path| (path, self.routes.find(path)))
            .chain(http.map(|(name, route)| (name, Some(route))))
            .map(|(path, route)| MethodRule {
                path,
                who: match route {
                    None => Who::Nobody,
                    Some(Route::Exempt) => Who::Exempt,
                    Some(Route::Public) => Who::Everybody,
                    Some(Route::Guarded(guarded)) => Who::Holders(&guarded.needs),
                },
            })
            .collect()
    }

    /// Everything that is wrong, in the order in which it was read.
    pub fn wrong(&self) -> &[WrongRule] {
        &self.wrong
    }
}

/// Reads a rule file.
pub(crate) fn read(path: &Path) -> Result<String, RulesError> {
    std::fs::read_to_string(path).map_err(|cause| RulesError::Unreadable {
        file: path.display().to_string(),
        cause: cause.to_string(),
    })
}
