//! What is wrong with a configuration, and what would be right.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where a key was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this file.
    File(PathBuf),
    /// In this variable of the environment.
    Variable(String),
    /// On the command line.
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// Why a configuration was refused. Values are not repeated: somebody may have put a secret there.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The file is not TOML.
    #[error("{}, line {line}: not TOML: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        problem: String,
    },
    /// There is no such key.
    #[error("{place}: unknown key `{key}`{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        /// The key or variable, as it was said.
        key: String,
        /// Where it was said.
        place: Place,
        /// The key that it may have been meant to be.
        nearest: Option<String>,
    },
    /// The value is not one that the key can have.
    #[error("{place}: `{key}` must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// Where it was said.
        place: Place,
        /// What would be right.
        expected: String,
    },
    /// The value does not fit another one.
    #[error("`{key}` {expected}")]
    Contradiction {
        /// The key.
        key: &'static str,
        /// What would be right.
        expected: &'static str,
    },
}

impl ConfigError {
    pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        Self::Syntax {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            problem: error.message().to_owned(),
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; docs/configuration.md lists them all".to_owned(),
        |key| format!("; did you mean `{key}`?"),
    )
}
