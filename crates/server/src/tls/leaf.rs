//! What a certificate says of itself (RFC 5280): whom it names, and from when to when.

use std::fmt;
use std::net::IpAddr;

use countersign_jose::UnixTime;
use rustls::pki_types::CertificateDer;
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// What is said of the certificate that is in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leaf {
    /// Its number, unique for whoever signed it.
    pub(crate) serial: String,
    /// Whom it names, for people.
    pub(crate) names: String,
    /// The first and the last second of its time, and the last as a text.
    not_before: UnixTime,
    not_after: UnixTime,
    ends: String,
}

/// Where the clock stands in a certificate's time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Before it.
    NotYet,
    /// Within it.
    Valid,
    /// Within it, but the end is near.
    EndsSoon,
    /// After it.
    Over,
}

/// A week: an alarm on Friday is seen on Monday, and who renews automatically does so well before.
const SOON_SECS: u64 = 7 * 86_400;

/// Of a longer name the log shows the beginning: names are up to whoever signed the certificate.
const NAMES_CHARS_MAX: usize = 256;

impl Leaf {
    /// What `certificate` says.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|error| format!("is no X.509 certificate: {error}"))?;
        let validity = parsed.validity();
        Ok(Self {
            serial: parsed.raw_serial_as_string(),
            names: names(&parsed).chars().take(NAMES_CHARS_MAX).collect(),
            not_before: instant(validity.not_before.timestamp()),
            not_after: instant(validity.not_after.timestamp()),
            ends: validity.not_after.to_string(),
        })
    }

    /// Where `now` stands in its time.
    pub(crate) fn standing(&self, now: UnixTime) -> Standing {
        // RFC 5280 §4.1.2.5: both ends belong to it, in whole seconds.
        if now.as_secs() < self.not_before.as_secs() {
            Standing::NotYet
        } else if now.as_secs() > self.not_after.as_secs() {
            Standing::Over
        } else if now.as_secs() + SOON_SECS > self.not_after.as_secs() {
            Standing::EndsSoon
        } else {
            Standing::Valid
        }
    }

    /// The last second of its time, for people.
    pub(crate) fn ends(&self) -> &str {
        &self.ends
    }
}

impl Standing {
    /// Whether a client that looks at its clock refuses the certificate.
    pub(crate) fn is_out(self) -> bool {
        match self {
            Self::NotYet | Self::Over => true,
            Self::Valid | Self::EndsSoon => false,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYet => "is not valid yet",
            Self::Valid => "is valid",
            Self::EndsSoon => "ends soon",
            Self::Over => "has expired",
        })
    }
}

/// The alternative names, or the subject where there is none (RFC 5280 §4.2.1.6).
fn names(certificate: &X509Certificate<'_>) -> String {
    let alternative: Vec<String> = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|names| names.value.general_names.iter().filter_map(name).collect())
        .unwrap_or_default();
    if alternative.is_empty() {
        certificate.subject().to_string()
    } else {
        alternative.join(", ")
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(octets) => address(octets).map(|address| address.to_string()),
        // Nothing that a client compares a server's name with.
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::X400Address(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => None,
    }
}

pub(super) fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

pub(super) fn instant(secs: i64) -> UnixTime {
    UnixTime::from_secs(secs.try_into().unwrap_or(0))
}
