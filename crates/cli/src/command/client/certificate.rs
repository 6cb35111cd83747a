//! The certificates of a client that is registered (RFC 8705).

use std::path::{Path, PathBuf};

use clap::Args;
use countersign::admin::v1::AuthenticationMethod;
use countersign::admin::v1::client::TlsClientAuth;
use countersign_jose::CertificateThumbprint;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::exit::Failure;
use crate::key_file;

/// What its certificate is known by.
#[derive(Args, Debug)]
pub(super) struct CertificateArgs {
    /// The subject of its certificate as RFC 4514 writes it, as `openssl x509 -noout -subject -nameopt
    /// RFC2253` prints it
    #[arg(long, value_name = "DN", group = "certificate_name")]
    tls_subject_dn: Option<String>,

    /// A DNS name in its certificate
    #[arg(long, value_name = "NAME", group = "certificate_name")]
    tls_san_dns: Option<String>,

    /// A URI in its certificate
    #[arg(long, value_name = "URI", group = "certificate_name")]
    tls_san_uri: Option<String>,

    /// An IP address in its certificate
    #[arg(long, value_name = "ADDRESS", group = "certificate_name")]
    tls_san_ip: Option<String>,

    /// A mail address in its certificate
    #[arg(long, value_name = "ADDRESS", group = "certificate_name")]
    tls_san_email: Option<String>,

    /// Its certificate, PEM, whoever has signed it; say it again for each
    #[arg(long, value_name = "FILE", conflicts_with = "certificate_name")]
    tls_certificate: Vec<PathBuf>,
}

impl CertificateArgs {
    /// How a client authenticates that is told nothing else.
    pub(super) fn method(&self) -> Option<AuthenticationMethod> {
        if self.name().is_some() {
            Some(AuthenticationMethod::TlsClientAuth)
        } else if self.tls_certificate.is_empty() {
            None
        } else {
            Some(AuthenticationMethod::SelfSignedTlsClientAuth)
        }
    }

    /// Whether a client that authenticates so is told what it needs, and nothing else.
    pub(super) fn fit(&self, method: AuthenticationMethod) -> Result<(), Failure> {
        match method {
            AuthenticationMethod::TlsClientAuth if self.name().is_none() => {
                Err(Failure::configuration(
                    "--auth tls-client-auth needs the name that is in the client's certificate",
                )
                .next("say one of --tls-subject-dn, --tls-san-dns, --tls-san-uri, --tls-san-ip, --tls-san-email"))
            }
            AuthenticationMethod::SelfSignedTlsClientAuth if self.tls_certificate.is_empty() => {
                Err(Failure::configuration(
                    "--auth self-signed-tls-client-auth needs --tls-certificate, the client's certificate",
                )
                .next("as in --tls-certificate checkout.crt"))
            }
            AuthenticationMethod::TlsClientAuth | AuthenticationMethod::SelfSignedTlsClientAuth => {
                Ok(())
            }
            _ => match self.flag() {
                None => Ok(()),
                Some(flag) => Err(Failure::configuration(format!(
                    "{flag} is for a client that authenticates by its certificate"
                ))
                .next("leave out --auth and --jwks, or leave out the certificate; --certificate-bound-tokens alone binds tokens to whichever is shown")),
            },
        }
    }

    /// The flag that says what its certificate is known by.
    fn flag(&self) -> Option<&'static str> {
        match self.named() {
            Some((flag, _)) => Some(flag),
            None => (!self.tls_certificate.is_empty()).then_some("--tls-certificate"),
        }
    }

    /// What its certificate must name.
    pub(super) fn name(&self) -> Option<TlsClientAuth> {
        self.named().map(|(_, name)| name)
    }

    /// The fields that these flags are, as an update names them.
    pub(super) fn paths(&self) -> impl Iterator<Item = &'static str> {
        // Any name of the kind means them all.
        let name = self.named().map(|_| "tls_client_auth_subject_dn");
        let certificates = !self.tls_certificate.is_empty();
        name.into_iter()
            .chain(certificates.then_some("tls_client_certificates"))
    }

    fn named(&self) -> Option<(&'static str, TlsClientAuth)> {
        use TlsClientAuth as Name;
        let said = [
            (
                "--tls-subject-dn",
                &self.tls_subject_dn,
                Name::TlsClientAuthSubjectDn as fn(_) -> _,
            ),
            (
                "--tls-san-dns",
                &self.tls_san_dns,
                Name::TlsClientAuthSanDns,
            ),
            (
                "--tls-san-uri",
                &self.tls_san_uri,
                Name::TlsClientAuthSanUri,
            ),
            ("--tls-san-ip", &self.tls_san_ip, Name::TlsClientAuthSanIp),
            (
                "--tls-san-email",
                &self.tls_san_email,
                Name::TlsClientAuthSanEmail,
            ),
        ];
        let mut said = said.into_iter();
        said.find_map(|(flag, text, name)| Some((flag, name(text.clone()?))))
    }

    /// What its certificates are known by.
    pub(super) fn thumbprints(&self) -> Result<Vec<String>, Failure> {
        let files = self.tls_certificate.iter();
        files.map(|path| thumbprint(path)).collect()
    }
}

/// That of the first certificate in the file: the client's own stands before those of who signed it.
pub(super) fn thumbprint(path: &Path) -> Result<String, Failure> {
    let bytes = key_file::read_public(path)?;
    let certificate = CertificateDer::from_pem_slice(&bytes).map_err(|_| {
        Failure::configuration(format!("{}: no certificate in PEM", path.display()))
            .next("name the client's certificate, as in checkout.crt")
    })?;
    Ok(CertificateThumbprint::of(&certificate).to_string())
}
