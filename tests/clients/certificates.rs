//! Certificates: of the service, and of the clients that authenticate by them.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_testkit::Problem;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

use crate::stand::private;

/// The name that the authority of clients vouches for.
pub(crate) const TELLER: &str = "teller.internal";

/// Where the certificates of a stand are.
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// For the service, by an authority; for `teller`, by another one; and for `desk`, by itself.
    pub(crate) fn make(folder: &Path) -> Result<Self, Problem> {
        let made = Self {
            folder: folder.to_owned(),
        };
        let authority = made.authority("ca", "authority of this test")?;
        let service = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        made.keep("tls", |key| service.signed_by(key, &authority))?;
        let authority = made.authority("clients", "authority of clients")?;
        made.keep("teller", |key| client(TELLER)?.signed_by(key, &authority))?;
        made.keep("desk", |key| client("desk")?.self_signed(key))?;
        Ok(made)
    }

    /// The certificate of this name.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// Its key.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    /// Of another name than what it vouches for, which would be taken for self-signed otherwise.
    fn authority(&self, file: &str, name: &str) -> Result<Issuer<'static, KeyPair>, Problem> {
        let key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::<String>::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, name);
        fs::write(self.certificate(file), authority.self_signed(&key)?.pem())?;
        Ok(Issuer::new(authority, key))
    }

    fn keep(
        &self,
        name: &str,
        sign: impl FnOnce(&KeyPair) -> Result<rcgen::Certificate, rcgen::Error>,
    ) -> Result<(), Problem> {
        let key = KeyPair::generate()?;
        fs::write(self.certificate(name), sign(&key)?.pem())?;
        private(&self.key(name), &key.serialize_pem())
    }
}

fn client(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(vec![name.to_owned()])?;
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(parameters)
}
