//! Certificates of clients (RFC 8705): what one says, and what a client is registered with.

use std::net::IpAddr;

use countersign_jose::{CertificateThumbprint, UnixTime};
use url::Url;

use super::distinguished_name::DistinguishedName;
use super::{Malformed, resource};

/// The most certificates of one client: each of its instances may have one, and its successor.
pub const CERTIFICATES_MAX: usize = 32;

/// The longest name in a certificate that is registered.
const NAME_BYTES_MAX: usize = 255;

/// The certificate that the other end of a connection has shown, together with its key.
#[derive(Clone, Debug)]
pub struct PeerCertificate {
    /// What it is known by.
    pub thumbprint: CertificateThumbprint,
    /// Its chain leads to an authority that is trusted for clients, and everything on the way is as
    /// RFC 5280 §6 wants it, when the connection began. Otherwise nobody but its holder vouches for
    /// what it says.
    pub issued: bool,
    /// The first second of its time.
    pub not_before: UnixTime,
    /// The last one.
    pub not_after: UnixTime,
    /// Whom it names; none where that cannot be compared.
    pub subject: Option<DistinguishedName>,
    /// Its alternative names.
    pub names: AlternativeNames,
}

/// The alternative names of a certificate (RFC 5280 §4.2.1.6), as far as a client can be registered
/// with one.
#[derive(Clone, Default, Debug)]
pub struct AlternativeNames {
    /// DNS names.
    pub dns: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
    /// IP addresses.
    pub ips: Vec<IpAddr>,
    /// Mail addresses.
    pub emails: Vec<String>,
}

/// What a client's certificate must name: one of the five of RFC 8705 §2.1.2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateName {
    /// `tls_client_auth_subject_dn`: as it was written, and read.
    Subject(String, DistinguishedName),
    /// `tls_client_auth_san_dns`, in lower case.
    Dns(String),
    /// `tls_client_auth_san_uri`
    Uri(String),
    /// `tls_client_auth_san_ip`
    Ip(IpAddr),
    /// `tls_client_auth_san_email`
    Email(String),
}

impl PeerCertificate {
    /// Whether `now` is within its time (RFC 5280 §4.1.2.5: both ends belong to it).
    pub fn is_in_time(&self, now: UnixTime) -> bool {
        let now = now.as_secs();
        (self.not_before.as_secs()..=self.not_after.as_secs()).contains(&now)
    }
}

impl CertificateName {
    /// Reads a subject as RFC 4514 writes it.
    ///
    /// # Errors
    /// [`Malformed::DistinguishedName`].
    pub fn subject(text: &str) -> Result<Self, Malformed> {
        let name = DistinguishedName::parse(text)?;
        Ok(Self::Subject(text.to_owned(), name))
    }

    /// Reads a DNS name.
    ///
    /// # Errors
    /// [`Malformed::CertificateDns`], also for a wildcard: a client is one.
    pub fn dns(text: &str) -> Result<Self, Malformed> {
        let label = |label: &str| {
            let inner = label
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
            inner && (1..=63).contains(&label.len()) && !label.starts_with('-')
        };
        if text.len() > NAME_BYTES_MAX || !text.split('.').all(label) {
            return Err(Malformed::CertificateDns);
        }
        Ok(Self::Dns(text.to_ascii_lowercase()))
    }

    /// Reads a URI.
    ///
    /// # Errors
    /// [`Malformed::CertificateUri`].
    pub fn uri(text: &str) -> Result<Self, Malformed> {
        let written = text.len() <= NAME_BYTES_MAX && text.bytes().all(resource::is_uri_byte);
        if !written || Url::parse(text).is_err() {
            return Err(Malformed::CertificateUri);
        }
        Ok(Self::Uri(text.to_owned()))
    }

    /// Reads an IP address.
    ///
    /// # Errors
    /// [`Malformed::CertificateIp`].
    pub fn ip(text: &str) -> Result<Self, Malformed> {
        text.parse()
            .map(Self::Ip)
            .map_err(|_| Malformed::CertificateIp)
    }

    /// Reads a mail address.
    ///
    /// # Errors
    /// [`Malformed::CertificateEmail`].
    pub fn email(text: &str) -> Result<Self, Malformed> {
        let plain = text.len() <= NAME_BYTES_MAX && text.bytes().all(|c| c.is_ascii_graphic());
        match text.rsplit_once('@') {
            Some((local, domain)) if plain && !local.is_empty() && !domain.is_empty() => {
                Ok(Self::Email(text.to_owned()))
            }
            Some(_) | None => Err(Malformed::CertificateEmail),
        }
    }

    /// Whether the certificate has this name, of this kind. That somebody vouches for it is another
    /// question.
    pub fn is_in(&self, certificate: &PeerCertificate) -> bool {
        let names = &certificate.names;
        match self {
            Self::Subject(_, name) => certificate.subject.as_ref() == Some(name),
            Self::Dns(name) => names.dns.iter().any(|dns| dns.eq_ignore_ascii_case(name)),
            Self::Uri(uri) => names.uris.contains(uri),
            Self::Ip(ip) => names.ips.contains(ip),
            Self::Email(email) => names.emails.iter().any(|other| same_mailbox(other, email)),
        }
    }
}

/// RFC 5280 §7.5: the host without regard to case, the rest exactly.
fn same_mailbox(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((local, domain)), Some((other_local, other_domain))) => {
            local == other_local && domain.eq_ignore_ascii_case(other_domain)
        }
        _ => false,
    }
}
