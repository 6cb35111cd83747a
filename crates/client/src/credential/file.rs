//! Credentials in files that somebody else replaces.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_jose::{KeyRejected, SigningKey};
use parking_lot::Mutex;
use tracing::warn;
use zeroize::Zeroizing;

use super::AssertionKey;
use crate::secret::Secret;

/// An RSA key of 4096 bits would be 3.3 KB, and a secret is shorter; so are chains of certificates
/// as clients have them.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// A private key in a file: PKCS#8 as PEM, or a private JWK.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    kid: Option<String>,
}

impl KeyFile {
    /// The key in this file. Assertions name it by its thumbprint, as `countersign key` publishes
    /// it: then a new key may be put into the file as soon as it is registered beside the old one.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            kid: None,
        }
    }

    /// Names whatever key is in the file so, instead of by its thumbprint.
    #[must_use]
    pub fn kid(self, kid: impl Into<String>) -> Self {
        Self {
            kid: Some(kid.into()),
            ..self
        }
    }
}

/// What is wrong with a credential's file. Says nothing of what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential's file {path:?} {wrong}")]
pub struct CredentialFileError {
    path: PathBuf,
    wrong: Wrong,
}

impl CredentialFileError {
    pub(super) fn new(path: &Path, wrong: Wrong) -> Self {
        Self {
            path: path.to_owned(),
            wrong,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("cannot be read: {0}")]
    Unreadable(ErrorKind),
    #[error("is not a file")]
    NotAFile,
    #[error("is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    #[error("can be read by others: run `chmod 600` on it")]
    OpenToOthers,
    #[error("holds no secret: one line of visible ASCII is one")]
    NotASecret,
    #[error(
        "holds no key that works here: {0}; ES256 and Ed25519 do, as PKCS#8 PEM or private JWK"
    )]
    NotAKey(KeyRejected),
    #[error("holds no certificate in PEM")]
    NotACertificate,
    #[error("holds no private key in PEM that fits the certificate")]
    NotItsKey,
}

/// Makes a credential of what is in a file.
type Reading<T> = dyn Fn(&str) -> Result<T, Wrong> + Send + Sync;

/// What was last read well from a file that is read anew for every use.
pub(super) struct Kept<T> {
    path: PathBuf,
    read: Box<Reading<T>>,
    good: Mutex<Option<Arc<T>>>,
}

impl<T> Kept<T> {
    fn new(path: PathBuf, read: impl Fn(&str) -> Result<T, Wrong> + Send + Sync + 'static) -> Self {
        Self {
            path,
            read: Box::new(read),
            good: Mutex::new(None),
        }
    }

    /// What is in the file now; where that is bad, what was in it when it was good. Tokens are
    /// asked for seldom, so it is read each time: no change is missed, whatever its time stamp.
    pub(super) fn current(&self) -> Result<Arc<T>, CredentialFileError> {
        // Held meanwhile, so that what was read earlier does not replace what was read later.
        let mut good = self.good.lock();
        let wrong = |wrong| CredentialFileError {
            path: self.path.clone(),
            wrong,
        };
        match read(&self.path).and_then(|text| (self.read)(&text)) {
            Ok(new) => Ok(Arc::clone(good.insert(Arc::new(new)))),
            Err(cause) => {
                let error = wrong(cause);
                let last = good.as_ref().map(Arc::clone).ok_or_else(|| error.clone())?;
                warn!(%error, "the last good credential stays in use");
                Ok(last)
            }
        }
    }
}

impl Kept<Secret> {
    pub(super) fn secret(path: PathBuf) -> Self {
        Self::new(path, |text| {
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
            fits.then(|| Secret::new(text)).ok_or(Wrong::NotASecret)
        })
    }
}

impl Kept<AssertionKey> {
    pub(super) fn key(file: KeyFile) -> Self {
        let KeyFile { path, kid } = file;
        Self::new(path, move |text| {
            let key = if text.trim_start().starts_with('{') {
                SigningKey::from_private_jwk(text.as_bytes())
            } else {
                SigningKey::from_pkcs8_pem(text)
            };
            let key = key.map_err(Wrong::NotAKey)?;
            let thumbprint = || key.public().thumbprint().to_string();
            let kid = kid.clone().unwrap_or_else(thumbprint);
            Ok(AssertionKey::new(key).kid(kid))
        })
    }
}

/// A small file that only its owner may read.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, Wrong> {
    read_if(path, |about| match is_open_to_others(about) {
        true => Err(Wrong::OpenToOthers),
        false => Ok(()),
    })
}

/// A small file with nothing secret in it.
pub(super) fn read_public(path: &Path) -> Result<Zeroizing<String>, Wrong> {
    read_if(path, |_| Ok(()))
}

fn read_if(
    path: &Path,
    judge: impl Fn(&fs::Metadata) -> Result<(), Wrong>,
) -> Result<Zeroizing<String>, Wrong> {
    let judge = |about: &fs::Metadata| fits(about).and_then(|()| judge(about));
    let unreadable = |error: std::io::Error| Wrong::Unreadable(error.kind());
    // Before it is opened: opening a pipe would wait for somebody to write to it.
    judge(&fs::metadata(path).map_err(unreadable)?)?;
    let file = File::open(path).map_err(unreadable)?;
    // And what was opened, which may be another by now.
    judge(&file.metadata().map_err(unreadable)?)?;
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize + 1));
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Wrong::TooLarge);
    }
    Ok(text)
}

fn fits(about: &fs::Metadata) -> Result<(), Wrong> {
    if !about.is_file() {
        return Err(Wrong::NotAFile);
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(Wrong::TooLarge);
    }
    Ok(())
}

#[cfg(unix)]
fn is_open_to_others(about: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    about.permissions().mode() & 0o077 != 0
}

/// Where files have no such modes, their folder has to keep others out.
#[cfg(not(unix))]
fn is_open_to_others(_: &fs::Metadata) -> bool {
    false
}
