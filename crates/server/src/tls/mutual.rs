//! Certificates of clients (RFC 8705): asked for in the handshake, judged after it.
//!
//! The handshake takes every certificate whose key the other end holds, since those that a client is
//! registered with by themselves come from no authority. What one is worth is looked at anew on every
//! connection, also on one that is resumed, whose handshake brings no certificate of its own: is there
//! a chain to an authority, now, for a client? Whoever asks for that finds it in
//! [`PeerCertificate::issued`]; nothing else makes it true.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_issuer::model::{AlternativeNames, DistinguishedName, PeerCertificate};
use countersign_jose::{CertificateThumbprint, UnixTime};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{self, CertificateDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::X509Name;

use super::leaf::{address, instant};
use super::{TlsError, wrong};

/// Asks for a certificate, and takes any: that its key signed the handshake is checked.
#[derive(Debug)]
pub(super) struct Asking {
    algorithms: WebPkiSupportedAlgorithms,
}

/// The authorities that are trusted for clients, if any are.
#[derive(Clone, Debug)]
pub(super) struct Authorities(Option<Arc<dyn ClientCertVerifier>>);

impl Asking {
    pub(super) fn new() -> Self {
        Self {
            algorithms: provider().signature_verification_algorithms,
        }
    }
}

impl ClientCertVerifier for Asking {
    /// No name is hinted at: some clients keep to themselves what no hint fits.
    fn root_hint_subjects(&self) -> &[rustls::DistinguishedName] {
        &[]
    }

    /// Who shows none is refused by what wants one, with an answer that can be read.
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: pki_types::UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Authorities {
    /// Those in a file of certificates in PEM, which was at this place.
    pub(super) fn read(pem: Option<&[u8]>, file: &Path) -> Result<Self, TlsError> {
        let Some(pem) = pem else {
            return Ok(Self(None));
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| wrong(file, format!("not PEM: {error}")))?;
            roots
                .add(certificate)
                .map_err(|error| wrong(file, format!("holds no authority: {error}")))?;
        }
        if roots.is_empty() {
            return Err(wrong(file, "holds no certificate"));
        }
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map(|verifier| Self(Some(verifier)))
            .map_err(|error| wrong(file, error.to_string()))
    }

    /// What the chain of a connection shows, leaf first, at this time. RFC 5280 §6: signatures, times,
    /// constraints, and that the leaf is for clients unless it does not say what it is for.
    ///
    /// # Errors
    /// The leaf cannot be read.
    pub(super) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Option<PeerCertificate>, String> {
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Ok(None);
        };
        let at = pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()));
        let issued = self
            .0
            .as_ref()
            .is_some_and(|verifier| verifier.verify_client_cert(leaf, intermediates, at).is_ok());
        said(leaf, issued).map(Some)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn said(leaf: &CertificateDer<'_>, issued: bool) -> Result<PeerCertificate, String> {
    let (rest, parsed) = X509Certificate::from_der(leaf)
        .map_err(|error| format!("the client's certificate cannot be read: {error}"))?;
    if !rest.is_empty() {
        return Err("something follows the client's certificate".to_owned());
    }
    let validity = parsed.validity();
    Ok(PeerCertificate {
        thumbprint: CertificateThumbprint::of(leaf),
        issued,
        not_before: instant(validity.not_before.timestamp()),
        not_after: instant(validity.not_after.timestamp()),
        subject: subject(parsed.subject()),
        names: names(&parsed),
    })
}

/// The subject, if all its values are texts.
fn subject(name: &X509Name<'_>) -> Option<DistinguishedName> {
    let parts = name.iter_rdn().map(|part| {
        let attributes = part.iter().map(|attribute| {
            let value = attribute.as_str().ok()?.to_owned();
            Some((attribute.attr_type().to_id_string(), value))
        });
        attributes.collect::<Option<BTreeSet<_>>>()
    });
    parts
        .collect::<Option<Vec<_>>>()
        .map(DistinguishedName::from_parts)
}

/// The alternative names. Of an extension that is there twice, or cannot be read, none.
fn names(certificate: &X509Certificate<'_>) -> AlternativeNames {
    let mut names = AlternativeNames::default();
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return names;
    };
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(text) => names.dns.push((*text).to_owned()),
            GeneralName::URI(text) => names.uris.push((*text).to_owned()),
            GeneralName::RFC822Name(text) => names.emails.push((*text).to_owned()),
            GeneralName::IPAddress(octets) => names.ips.extend(address(octets)),
            // A client is registered with none of these.
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => {}
        }
    }
    names
}
