//! Who holds the key-encryption key: a file that we read, or a program that we ask.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_issuer::model::{Lock, ServiceKey};
use thiserror::Error;
use tracing::info;
use zeroize::Zeroizing;

use super::KeyFileError;
use super::file;
use super::program::{KeyProgramError, Program};
use super::wrap::{DataKey, KeyEncryptionKey, Label};
use crate::config::KeyPlace;
use crate::random;

/// Holds the key-encryption key.
pub(crate) enum Custody {
    /// Read from a file.
    File {
        path: PathBuf,
        key: KeyEncryptionKey,
    },
    /// In somebody else's hands.
    Program(Program),
}

/// Why a key could not be encrypted or decrypted.
#[derive(Debug, Error)]
pub(crate) enum CustodyError {
    /// The file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The program.
    #[error(transparent)]
    Program(#[from] KeyProgramError),
}

/// What to do where there is no key-encryption key.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// The store has keys that only it opens.
    Refuse,
    /// Nothing was encrypted yet.
    Make,
}

impl Custody {
    /// Of what stands at `place`, which must lie outside of the data `directory`.
    pub(crate) fn at(
        place: &KeyPlace,
        directory: &Path,
        missing: IfMissing,
    ) -> Result<Self, KeyFileError> {
        match place {
            KeyPlace::File(path) => {
                let path = file::outside(path, directory)?;
                let key = match (file::read(&path)?, missing) {
                    (Some(key), _) => key,
                    (None, IfMissing::Make) => made(&path)?,
                    (None, IfMissing::Refuse) => return Err(KeyFileError::Missing { path }),
                };
                Ok(Self::File { path, key })
            }
            KeyPlace::Credential(name) => {
                let path = file::credential(name)?;
                match file::read(&path)? {
                    Some(key) => Ok(Self::File { path, key }),
                    None => Err(KeyFileError::CredentialMissing { path }),
                }
            }
            KeyPlace::Command(command) => Ok(Self::Program(Program::new(command.clone()))),
        }
    }

    /// Which kind it is.
    pub(crate) fn lock(&self) -> Lock {
        match self {
            Self::File { .. } => Lock::File,
            Self::Program(_) => Lock::Program,
        }
    }

    /// Encrypts a data key.
    pub(crate) async fn wrap(
        &self,
        label: Label<'_>,
        data_key: &DataKey,
    ) -> Result<Vec<u8>, CustodyError> {
        match self {
            Self::File { key, .. } => Ok(key.wrap(label, data_key, random::bytes())),
            Self::Program(program) => Ok(program.wrap(label, data_key).await?),
        }
    }

    /// Decrypts the data key of `key`.
    pub(crate) async fn unwrap(&self, key: &ServiceKey) -> Result<DataKey, CustodyError> {
        let label = Label::of(key);
        let wrapped = &key.sealed.data_key;
        let key_id = key.id.as_str();
        match (self, key.sealed.lock) {
            (Self::File { key: kek, .. }, Lock::File) => kek
                .unwrap(label, wrapped)
                .map_err(|_| self.does_not_fit(key)),
            (Self::Program(program), Lock::Program) => Ok(program.unwrap(label, wrapped).await?),
            (Self::File { path, .. }, Lock::Program) => Err(KeyFileError::OfProgram {
                path: path.clone(),
                key_id: key_id.to_owned(),
            }
            .into()),
            (Self::Program(program), Lock::File) => Err(KeyProgramError::OfFile {
                program: program.name().to_owned(),
                key_id: key_id.to_owned(),
            }
            .into()),
        }
    }

    /// That no key was made within that time.
    pub(crate) fn too_slow(&self, due: Duration) -> String {
        let name = match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Program(program) => format!("store.key_command: {}", program.name()),
        };
        format!("{name} took longer than {} s to encrypt it", due.as_secs())
    }

    /// That nothing would change if it took over.
    pub(crate) fn in_force(&self) -> CustodyError {
        match self {
            Self::File { path, .. } => KeyFileError::InForce { path: path.clone() }.into(),
            Self::Program(program) => KeyProgramError::InForce {
                program: program.name().to_owned(),
            }
            .into(),
        }
    }

    /// That `key` is not what its record says, or was encrypted under another key.
    pub(crate) fn does_not_fit(&self, key: &ServiceKey) -> CustodyError {
        let key_id = key.id.as_str().to_owned();
        match self {
            Self::File { path, .. } => KeyFileError::DoesNotFit {
                path: path.clone(),
                key_id,
            }
            .into(),
            Self::Program(program) => KeyProgramError::DoesNotFit {
                program: program.name().to_owned(),
                key_id,
            }
            .into(),
        }
    }
}

fn made(path: &Path) -> Result<KeyEncryptionKey, KeyFileError> {
    let key = Zeroizing::new(random::bytes());
    file::create(path, &key)?;
    info!(file = %path.display(), "made the key-encryption key");
    Ok(KeyEncryptionKey::new(key))
}
