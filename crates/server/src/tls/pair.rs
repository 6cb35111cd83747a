//! A certificate chain and its key, read together and found to fit.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use countersign_issuer::model::PeerCertificate;
use countersign_jose::UnixTime;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::mutual::{Asking, Authorities};
use super::{Leaf, TlsError, wrong};
use crate::config::Tls;
use crate::serve::Speaks;

/// The largest file that is read: a chain of ten certificates with RSA-4096 keys is 25 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// HTTP/2 (RFC 9113 §3.2).
const H2: &[u8] = b"h2";

/// HTTP/1.1 (RFC 7301 §6).
const HTTP_1_1: &[u8] = b"http/1.1";

/// What the files held. The key itself is kept by nobody but rustls.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Contents([u8; 32]);

/// A chain and its key that fit.
pub(crate) struct Pair {
    /// What a handshake is made with, where HTTP/2 alone is spoken.
    http2: Arc<ServerConfig>,
    /// The same, where HTTP/1.1 is spoken as well. Sessions of the two are in one store: nothing is
    /// known of a client in either.
    both: Arc<ServerConfig>,
    /// The same, where clients are asked for certificates. It has a store of sessions of its own: what
    /// began where nobody is asked is not resumed here, nor what began here anywhere else.
    mutual: Arc<ServerConfig>,
    authorities: Authorities,
    /// What the certificate says of itself.
    pub(crate) leaf: Leaf,
    /// To see whether the files have changed since.
    pub(crate) contents: Contents,
}

/// The files, as they were read.
struct Texts {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    authorities: Option<Vec<u8>>,
}

impl Pair {
    /// Reads and checks the files.
    pub(crate) fn read(files: &Tls) -> Result<Self, TlsError> {
        Texts::read(files)?.fit(files)
    }

    /// What a handshake is made with.
    pub(crate) fn terms(&self, speaks: Speaks) -> &Arc<ServerConfig> {
        match speaks {
            Speaks::Http2 => &self.http2,
            Speaks::Both => &self.both,
        }
    }

    /// What a handshake is made with that asks for a certificate.
    pub(crate) fn asking(&self) -> &Arc<ServerConfig> {
        &self.mutual
    }

    /// What a client has shown in such a handshake, or in the one that it resumes.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Option<PeerCertificate>, String> {
        self.authorities.judge(chain, now)
    }

    /// The pair that is in the files now; `None` when it is this one.
    pub(crate) fn successor(&self, files: &Tls) -> Result<Option<Self>, TlsError> {
        let texts = Texts::read(files)?;
        if texts.contents() == self.contents {
            return Ok(None);
        }
        texts.fit(files).map(Some)
    }
}

/// In constant time: a private key was hashed along.
impl PartialEq for Contents {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Contents {}

impl Texts {
    fn read(files: &Tls) -> Result<Self, TlsError> {
        Ok(Self {
            chain: read(&files.certificate_file)?,
            key: Zeroizing::new(read(&files.key_file)?),
            authorities: files
                .client_authorities_file
                .as_deref()
                .map(read)
                .transpose()?,
        })
    }

    fn contents(&self) -> Contents {
        let mut context = Context::new(&SHA256);
        // The lengths keep them apart.
        let authorities = self.authorities.as_deref();
        context.update(&[u8::from(authorities.is_some())]);
        for text in [&*self.chain, authorities.unwrap_or_default()] {
            context.update(&text.len().to_be_bytes());
            context.update(text);
        }
        context.update(&self.key);
        let mut contents = [0; 32];
        contents.copy_from_slice(context.finish().as_ref());
        Contents(contents)
    }

    fn fit(&self, files: &Tls) -> Result<Pair, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&files.certificate_file, format!("not PEM: {error}")))?;
        let leaf = chain
            .first()
            .ok_or_else(|| wrong(&files.certificate_file, "holds no certificate"))?;
        let leaf = Leaf::of(leaf).map_err(|problem| wrong(&files.certificate_file, problem))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| wrong(&files.key_file, "holds no private key in PEM"))?;
        let authorities = Authorities::read(
            self.authorities.as_deref(),
            files
                .client_authorities_file
                .as_deref()
                .unwrap_or(Path::new("")),
        )?;
        let misfit = |error| {
            let chain = files.certificate_file.display();
            wrong(&files.key_file, format!("does not fit {chain}: {error}"))
        };
        let mut mutual = ServerConfig::builder()
            .with_client_cert_verifier(Arc::new(Asking::new()))
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(misfit)?;
        mutual.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
        let mut terms = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(misfit)?;
        terms.alpn_protocols = vec![H2.to_vec()];
        let mut both = terms.clone();
        both.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
        Ok(Pair {
            http2: Arc::new(terms),
            both: Arc::new(both),
            mutual: Arc::new(mutual),
            authorities,
            leaf,
            contents: self.contents(),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    bytes(path).map_err(|error| wrong(path, error.to_string()))
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let what = format!("is larger than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}
