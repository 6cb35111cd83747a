//! The file of the key-encryption key: made when there is none, refused when it is not safe.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use countersign_jose::base64url;
use thiserror::Error;
use zeroize::Zeroizing;

use super::wrap::KeyEncryptionKey;

/// Why a key file was refused.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It lies inside the data directory, where a copy of the data would take it along.
    #[error(
        "{} lies inside the data directory {}; a key belongs elsewhere: set store.key_file to a \
         path outside of it",
        path.display(), directory.display()
    )]
    InsideData {
        /// The key file.
        path: PathBuf,
        /// The data directory.
        directory: PathBuf,
    },
    /// It cannot be read or made.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It is not a file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The key file.
        path: PathBuf,
    },
    /// Other accounts can read or write it.
    #[error(
        "{} can be read or written by other accounts (mode {mode:04o}); chmod 600 it",
        path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold a key.
    #[error("{} does not hold a key: 32 bytes as base64url, 43 characters", path.display())]
    NotAKey {
        /// The key file.
        path: PathBuf,
    },
    /// The store has keys, but there is no file.
    #[error(
        "{} is not there, but the store has keys that only it opens; bring the file back",
        path.display()
    )]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// Encrypting them anew would change nothing.
    #[error(
        "{} has no new key: it is the key that they are encrypted under already",
        path.display()
    )]
    InForce {
        /// The file that was named for the new key.
        path: PathBuf,
    },
    /// There are no keys that could be encrypted anew.
    #[error("{} holds no store; name the directory of a service with --data", directory.display())]
    NoStore {
        /// The data directory.
        directory: PathBuf,
    },
    /// There is no such credential.
    #[error(
        "the credential {} is not there: the service manager hands it over, as in \
         LoadCredential=NAME:/etc/countersign/kek",
        path.display()
    )]
    CredentialMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The service manager hands over no credentials at all.
    #[error(
        "store.key_credential names a credential, and there are none: the service manager sets \
         CREDENTIALS_DIRECTORY where its unit has LoadCredential="
    )]
    NoCredentials,
    /// The store's keys were encrypted by a program.
    #[error(
        "the keys in the store (key {key_id}) were encrypted by a program, and not under {}; set \
         store.key_command again, or change over with `countersign key rekey`",
        path.display()
    )]
    OfProgram {
        /// The key file.
        path: PathBuf,
        /// A key of the store.
        key_id: String,
    },
    /// It holds a key, but another one than the store's keys were encrypted under.
    #[error(
        "{} does not open the keys in the store (key {key_id}); it belongs to another store, or \
         the record is damaged",
        path.display()
    )]
    DoesNotFit {
        /// The key file.
        path: PathBuf,
        /// The key that it does not open.
        key_id: String,
    },
}

/// Where the key file is, checked to lie outside of `directory`. Both may not exist yet.
pub(crate) fn outside(path: &Path, directory: &Path) -> Result<PathBuf, KeyFileError> {
    let unreadable = |cause| KeyFileError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let resolved = resolve(path).map_err(unreadable)?;
    let data = resolve(directory).map_err(unreadable)?;
    if resolved.starts_with(&data) {
        return Err(KeyFileError::InsideData {
            path: resolved,
            directory: data,
        });
    }
    Ok(resolved)
}

/// Where the service manager put the credential of that name (systemd.exec, `LoadCredential=`).
pub(crate) fn credential(name: &str) -> Result<PathBuf, KeyFileError> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
        .filter(|directory| !directory.is_empty())
        .ok_or(KeyFileError::NoCredentials)?;
    Ok(PathBuf::from(directory).join(name))
}

/// Reads the key. `Ok(None)`: there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<KeyEncryptionKey>, KeyFileError> {
    let unreadable = |cause| KeyFileError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    if !about.is_file() {
        return Err(KeyFileError::NotAFile {
            path: path.to_owned(),
        });
    }
    let mode = about.mode() & 0o7777;
    if exposed(mode, about.uid(), about.gid()) {
        return Err(KeyFileError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let not_a_key = || KeyFileError::NotAKey {
        path: path.to_owned(),
    };
    // 43 characters and a line end; anything much longer is some other file.
    if about.len() > 64 {
        return Err(not_a_key());
    }
    let text = Zeroizing::new(fs::read(path).map_err(unreadable)?);
    let key = base64url::decode_array::<32>(text.trim_ascii()).map_err(|_| not_a_key())?;
    Ok(Some(KeyEncryptionKey::new(Zeroizing::new(key))))
}

/// Whether accounts other than the service's own and root can reach a file.
pub(super) fn exposed(mode: u32, uid: u32, gid: u32) -> bool {
    // A credential of systemd is root's, and grants the service's account to read by an access
    // control list, whose mask stands where the group's bits are: mode 0440.
    let credential = mode == 0o440 && uid == 0 && gid == 0;
    mode & 0o077 != 0 && !credential
}

/// Makes the file with `key`, mode 0600, on disk when this returns.
pub(crate) fn create(path: &Path, key: &[u8; 32]) -> Result<(), KeyFileError> {
    write_new(path, key).map_err(|cause| KeyFileError::Unreadable {
        path: path.to_owned(),
        cause,
    })
}

fn write_new(path: &Path, key: &[u8; 32]) -> io::Result<()> {
    let parent = parent_of(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    // Left behind by a process that was killed here; nothing was encrypted under it.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    let text = Zeroizing::new(base64url::encode(key) + "\n");
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // Whole or not at all, and never in the place of another.
    fs::hard_link(&new, path)?;
    fs::remove_file(&new)?;
    // The name must survive a power cut as well: keys are about to be encrypted under it.
    fs::File::open(parent)?.sync_all()
}

/// The path with all links resolved, as far as it exists.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(resolved) => Ok(resolved),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.file_name() {
            Some(name) => Ok(resolve(parent_of(path))?.join(name)),
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
