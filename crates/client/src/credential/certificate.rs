//! A certificate and its key in files (RFC 8705): what connections show.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use countersign_jose::sha256;
use parking_lot::Mutex;
use tonic::transport::{ClientTlsConfig, Endpoint, Identity};
use tracing::warn;

use super::file::{CredentialFileError, Wrong, read, read_public};
use crate::transport::holds_certificate;

/// A certificate with its chain, leaf first, and its private key, both in PEM. The key is readable
/// by its owner alone. See [`Builder::certificate`](crate::Builder::certificate).
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl CertificateFiles {
    /// The certificate and the key in these files.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
        }
    }
}

/// Which of its certificates a client shows: counted up whenever the files change.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Edition(u64);

/// What the files held.
pub(crate) struct Edited {
    pub(crate) edition: Edition,
    pub(crate) identity: Identity,
    /// To see whether they have changed since.
    digest: [u8; 32],
}

/// What was last read well, and what before it: tokens that are bound to it are still called with.
struct Good {
    newest: Arc<Edited>,
    before: Option<Arc<Edited>>,
}

/// The files, which are read anew for every request to the token service.
pub(crate) struct KeptCertificate {
    files: CertificateFiles,
    good: ArcSwapOption<Good>,
    /// Held while they are read, so that what was read earlier does not replace what was read later.
    reading: Mutex<()>,
}

impl KeptCertificate {
    pub(crate) fn new(files: CertificateFiles) -> Self {
        Self {
            files,
            good: ArcSwapOption::empty(),
            reading: Mutex::new(()),
        }
    }

    /// Reads the files; what they held when they were last good, where they are not now: one of the
    /// two may have been replaced, and the other is about to be. Waits for a disk.
    ///
    /// # Errors
    /// They were never good.
    pub(crate) fn read(&self) -> Result<Edition, CredentialFileError> {
        let _reading = self.reading.lock();
        let good = self.good.load_full();
        match (self.found(good.as_deref()), good) {
            (Ok(None), Some(good)) => Ok(good.newest.edition),
            (Ok(Some(newest)), good) => {
                let edition = newest.edition;
                let before = good.map(|good| Arc::clone(&good.newest));
                let newest = Arc::new(newest);
                self.good.store(Some(Arc::new(Good { newest, before })));
                Ok(edition)
            }
            (Err(error), Some(good)) => {
                warn!(%error, "the last good certificate stays in use");
                Ok(good.newest.edition)
            }
            (Err(error), None) => Err(error),
            (Ok(None), None) => unreachable!("nothing was read before that could be the same"),
        }
    }

    /// What the files hold, if that is not what they held.
    fn found(&self, good: Option<&Good>) -> Result<Option<Edited>, CredentialFileError> {
        let (certificate, key) = (&self.files.certificate, &self.files.key);
        let of = |path: &PathBuf, wrong| CredentialFileError::new(path, wrong);
        let chain = read_public(certificate).map_err(|wrong| of(certificate, wrong))?;
        let secret = read(key).map_err(|wrong| of(key, wrong))?;
        let digest = sha256(&[chain.as_bytes(), b"\0", secret.as_bytes()]);
        if good.is_some_and(|good| good.newest.digest == digest) {
            return Ok(None);
        }
        if !holds_certificate(chain.as_bytes()) {
            return Err(of(certificate, Wrong::NotACertificate));
        }
        let identity = Identity::from_pem(chain.as_bytes(), secret.as_bytes());
        let tls = ClientTlsConfig::new().identity(identity.clone());
        // rustls compares the two.
        Endpoint::from_static("https://localhost")
            .tls_config(tls)
            .map_err(|_| of(key, Wrong::NotItsKey))?;
        let edition = good.map_or(0, |good| good.newest.edition.0 + 1);
        Ok(Some(Edited {
            edition: Edition(edition),
            identity,
            digest,
        }))
    }

    /// What to show where a token is used that was asked for with `edition`: that one, or, if it is
    /// long gone or there is none, the newest.
    pub(crate) fn shown_with(&self, edition: Option<Edition>) -> Option<Arc<Edited>> {
        let good = self.good.load_full()?;
        let before = good.before.as_ref();
        let before = before.filter(|before| Some(before.edition) == edition);
        Some(Arc::clone(before.unwrap_or(&good.newest)))
    }
}
