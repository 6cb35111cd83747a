//! Certificates of clients: right ones, and ones that are wrong in one way.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The names that certificates have here, unless a test wants others.
pub(super) const DNS: &str = "checkout.internal";
pub(super) const URI: &str = "spiffe://example/checkout";
pub(super) const IP: &str = "192.0.2.7";
pub(super) const EMAIL: &str = "checkout@example.com";
pub(super) const SUBJECT: &str = "CN=checkout\\, eu,O=Example,C=DE";

/// An authority of clients.
pub(super) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

/// A certificate with its chain and key: what a client shows.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) chain: String,
    pub(super) key: String,
}

impl Ca {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority("clients");
        let pem = params.self_signed(&key).expect("signed").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Another one, which this one vouches for, and its certificate.
    pub(super) fn below(&self) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority("clients of one kind");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        Self {
            issuer: Issuer::new(params, key),
            pem: signed.pem(),
        }
    }

    pub(super) fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        Identity {
            chain: signed.pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Identity {
    /// Signed by nobody else.
    pub(super) fn by_itself(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        Self {
            chain: params.self_signed(&key).expect("signed").pem(),
            key: key.serialize_pem(),
        }
    }

    /// With the certificate of whoever signed it.
    pub(super) fn with_chain(mut self, above: &Ca) -> Self {
        self.chain.push_str(&above.pem);
        self
    }

    pub(super) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        let chain = CertificateDer::pem_slice_iter(self.chain.as_bytes());
        chain.collect::<Result<_, _>>().expect("PEM")
    }

    pub(super) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM")
    }

    /// As `x5t#S256` has it.
    pub(super) fn thumbprint(&self) -> String {
        let leaf = &self.certificates()[0];
        countersign_jose::CertificateThumbprint::of(leaf).to_string()
    }
}

/// A client's certificate with a name of every kind.
pub(super) fn client() -> CertificateParams {
    named(&[
        SanType::DnsName(DNS.try_into().expect("ASCII")),
        SanType::URI(URI.try_into().expect("ASCII")),
        SanType::IpAddress(IP.parse().expect("an address")),
        SanType::Rfc822Name(EMAIL.try_into().expect("ASCII")),
    ])
}

/// The same subject, with these alternative names.
pub(super) fn named(names: &[SanType]) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.subject_alt_names = names.to_vec();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in [
        (DnType::CountryName, "DE"),
        (DnType::OrganizationName, "Example"),
        (DnType::CommonName, "checkout, eu"),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2050, 1, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}
