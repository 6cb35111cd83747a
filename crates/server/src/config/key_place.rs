//! Where the key-encryption key is.

use std::path::{Path, PathBuf};

use crate::keyring::{KeyFileError, file};

/// Where the key-encryption key is. It is in one of these, and never in the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a file, which is made where there is none and nothing was encrypted yet.
    File(PathBuf),
    /// In a credential that the service manager hands over, by its name (systemd.exec,
    /// `LoadCredential=`).
    Credential(String),
    /// With a program, named with its arguments, that encrypts and decrypts data keys.
    Command(Vec<String>),
}

impl KeyPlace {
    /// The file to read, where it is in one.
    ///
    /// # Errors
    /// It is a credential, and there are none.
    pub fn file(&self) -> Result<Option<PathBuf>, KeyFileError> {
        match self {
            Self::File(path) => Ok(Some(path.clone())),
            Self::Credential(name) => file::credential(name).map(Some),
            Self::Command(_) => Ok(None),
        }
    }

    /// What it is called where people read it: without a program's arguments, which may hold what
    /// nobody should read.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Credential(name) => format!("the credential {name}"),
            Self::Command(command) => command.first().cloned().unwrap_or_default(),
        }
    }

    /// The same place with all links resolved, checked to lie outside of the data `directory`.
    pub(crate) fn outside(self, directory: &Path) -> Result<Self, KeyFileError> {
        match self {
            Self::File(path) => Ok(Self::File(file::outside(&path, directory)?)),
            other => Ok(other),
        }
    }
}
