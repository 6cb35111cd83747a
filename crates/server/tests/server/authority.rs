//! An authority that signs certificates, and who is greeted with which.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use countersign_server::Config;
use countersign_server::config::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// An authority that its clients trust, whichever certificate it signed.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate for localhost, and its key.
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// The next certificate.
    pub(crate) fn sign(&self, serial: u64) -> Made {
        self.sign_until(serial, 2050)
    }

    /// One whose time ends with the beginning of `year`.
    pub(crate) fn sign_until(&self, serial: u64, year: i32) -> Made {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.serial_number = Some(SerialNumber::from(serial));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        Made {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }

    /// Has a service greet with a certificate that it signed, as the issuer `https://localhost:7443`.
    pub(crate) fn greet(&self, config: &mut Config) {
        let folder = config.store.directory.parent().expect("a folder");
        let tls = files(folder);
        self.sign(1).write(&tls);
        config.tls = Some(tls);
        config.issuer = Some("https://localhost:7443".to_owned());
    }

    /// How to reach a service that it signed for.
    pub(crate) fn endpoint(&self, port: u16) -> Endpoint {
        Endpoint::from_shared(format!("https://localhost:{port}"))
            .expect("a URL")
            .tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.pem)))
            .expect("a certificate")
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) async fn connect(&self, port: u16) -> Channel {
        self.endpoint(port).connect().await.expect("connects")
    }

    /// The certificate that a new connection is greeted with.
    pub(crate) async fn greeted(&self, port: u16) -> Vec<u8> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("PEM");
        roots.add(authority).expect("an authority");
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(("localhost", port))
            .await
            .expect("connects");
        let name = ServerName::try_from("localhost").expect("a name");
        let greeted = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .expect("greeted");
        let chain = greeted.get_ref().1.peer_certificates();
        chain.expect("a chain")[0].to_vec()
    }
}

impl Made {
    /// Writes both files, one after the other and in place, as a careless script does.
    pub(crate) fn write(&self, files: &Tls) {
        fs::write(&files.certificate_file, &self.certificate).expect("written");
        fs::write(&files.key_file, &self.key).expect("written");
    }

    /// Writes both into a folder, under the names that [`files`] has.
    pub(crate) fn write_into(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        self.write(&files(folder));
    }
}

/// The files in a folder.
pub(crate) fn files(folder: &Path) -> Tls {
    Tls {
        certificate_file: folder.join("tls.crt"),
        key_file: folder.join("tls.key"),
        client_authorities_file: None,
    }
}
