//! Device authorization (RFC 8628): how long, how often, and where people type their codes.

use std::sync::{Arc, Once};
use std::time::Duration;

use countersign_issuer::IssuerName;
use tracing::warn;
use url::Url;

use super::check::{contradiction, is_secure};
use super::{Config, ConfigError};
use crate::login;

/// How devices are authorized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// A device code, and its user code.
    pub code: Duration,
    /// How long a device waits between two questions, to begin with.
    pub interval: Duration,
    /// Where people type user codes. `None`: `/device` below the issuer.
    pub verification_uri: Option<String>,
}

/// Where people type user codes (RFC 8628 §3.2).
#[derive(Clone, Debug)]
pub(crate) struct VerificationUri {
    uri: Arc<str>,
    /// Where this service has no page there, and nobody has said that somebody else has: whether the
    /// operator was told.
    untold: Option<Arc<Once>>,
}

impl VerificationUri {
    /// What is configured, or what the issuer serves.
    pub(crate) fn of(config: &Config, issuer: &IssuerName) -> Self {
        let said = config.device.verification_uri.as_deref();
        Self {
            uri: said.map_or_else(|| issuer.below(login::DEVICE).into(), Into::into),
            untold: (!config.people_type_codes()).then(|| Arc::new(Once::new())),
        }
    }

    /// The text, as it is told a device. The first time, the operator hears of it where it leads
    /// nowhere.
    pub(crate) fn tell(&self) -> &str {
        if let Some(untold) = &self.untold {
            untold.call_once(|| {
                warn!(
                    uri = &*self.uri,
                    "a device sends people to an address where this service has no page: serve the \
                     login application (login.serve), or say where codes are typed \
                     (device.verification_uri)"
                );
            });
        }
        &self.uri
    }

    /// With a user code in it (RFC 8628 §3.3.1): letters and a hyphen.
    pub(crate) fn complete(&self, user_code: &str) -> String {
        format!("{}?user_code={user_code}", self.uri)
    }
}

impl Config {
    /// Whether there is a page where people type user codes: this service's own, or one that it was
    /// told of.
    pub(crate) fn people_type_codes(&self) -> bool {
        self.device.verification_uri.is_some() || self.login.serve
    }
}

impl Default for Device {
    fn default() -> Self {
        let lifetimes = countersign_issuer::Lifetimes::default();
        Self {
            code: lifetimes.device_code,
            interval: lifetimes.device_interval,
            verification_uri: None,
        }
    }
}

impl Device {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Some(text) = &self.verification_uri else {
            return Ok(());
        };
        // The same form: no query, since one is added; short, since a person may have to type it.
        let url = Url::parse(text)
            .ok()
            .filter(|url| is_secure(url) && url.username().is_empty() && url.password().is_none());
        if url.is_some() && IssuerName::parse(text).is_ok() {
            return Ok(());
        }
        Err(contradiction(
            "device.verification_uri",
            "must be an https URL (http for loopback) of at most 255 bytes without user, query or \
             fragment, as in https://login.example.com/device",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_is_known_to_have_a_page_the_operator_hears_of_it_once() {
        let issuer = IssuerName::parse("https://a.internal").unwrap();
        let is_untold = |config: &Config| {
            let uri = VerificationUri::of(config, &issuer);
            let before = uri.untold.is_some();
            assert!(uri.tell().starts_with("https://"));
            assert!(uri.untold.is_none_or(|untold| untold.is_completed()));
            before
        };
        let mut config = Config::default();
        assert!(is_untold(&config));
        config.login.serve = true;
        assert!(!is_untold(&config));
        config.login.serve = false;
        config.device.verification_uri = Some("https://b.internal/device".to_owned());
        assert!(!is_untold(&config));
    }
}
