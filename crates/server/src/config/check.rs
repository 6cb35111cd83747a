//! Whether the values of a configuration fit together.

use countersign_client::reach::{is_confidential, is_this_machine};
use countersign_dpop::Origin;
use countersign_issuer::IssuerName;
use countersign_issuer::model::KeyPurpose;
use url::Url;

use super::{Config, ConfigError};

impl Config {
    /// Whether the values fit together.
    ///
    /// # Errors
    /// The first key whose value contradicts another.
    pub fn check(&self) -> Result<(), ConfigError> {
        let loopback = self.listen.address.ip().is_loopback();
        if self.tls.is_none() && !loopback {
            return Err(contradiction(
                "tls.certificate_file",
                "must be set, with tls.key_file, unless listen.address is a loopback address",
            ));
        }
        if let Some(tls) = &self.tls {
            for (key, path) in [
                ("tls.certificate_file", &tls.certificate_file),
                ("tls.key_file", &tls.key_file),
            ] {
                if path.as_os_str().is_empty() {
                    return Err(contradiction(
                        key,
                        "must be set where its counterpart is: a certificate and its key go together",
                    ));
                }
            }
        }
        match &self.issuer {
            Some(issuer) => check_base_uri("issuer", issuer, self.tls.is_some())?,
            None if self.listen.address.ip().is_unspecified() || !loopback => {
                return Err(contradiction(
                    "issuer",
                    "must be set unless listen.address is a loopback address: \
                     the URL that clients reach the service by",
                ));
            }
            None => {}
        }
        for origin in &self.listen.origins {
            check_base_uri("listen.origins", origin, self.tls.is_some())?;
        }
        if self.tokens.refresh_idle > self.tokens.refresh_absolute {
            return Err(contradiction(
                "tokens.refresh_idle_secs",
                "must not be more than tokens.refresh_absolute_secs",
            ));
        }
        self.check_http()?;
        self.check_mtls()?;
        self.device.check()?;
        self.check_login()?;
        self.check_keys()
    }

    fn check_keys(&self) -> Result<(), ConfigError> {
        let store = &self.store;
        let said = [
            store.key_file.is_some(),
            store.key_credential.is_some(),
            !store.key_command.is_empty(),
        ];
        if said.iter().filter(|said| **said).count() > 1 {
            return Err(contradiction(
                "store.key_command",
                "and store.key_file and store.key_credential name places of one and the same key: \
                 set only one of them",
            ));
        }
        let schedules = self.schedules();
        for (key, purpose, expected) in [
            (
                "keys.signing_rotation_secs",
                KeyPurpose::Signing,
                "must be 0, or at least 1020 and a minute more than keys.max_age_secs: the next key \
                 must be known everywhere by then",
            ),
            (
                "keys.mac_rotation_secs",
                KeyPurpose::HandleMac,
                "must be 0, or at least 1020 and an eighth of tokens.refresh_absolute_secs and two \
                 hours: each key is kept for as long as refresh tokens live",
            ),
        ] {
            let schedule = schedules.of(purpose);
            if schedule
                .rotation
                .is_some_and(|after| after < schedule.rotation_min())
            {
                return Err(contradiction(key, expected));
            }
        }
        Ok(())
    }
}

pub(super) fn contradiction(key: &'static str, expected: &'static str) -> ConfigError {
    ConfigError::Contradiction { key, expected }
}

/// A base URI of this service: what an [`Origin`] may be, and with TLS only `https`; without TLS
/// `http` only towards loopback, since a proxy that ends TLS may stand in front of a loopback
/// address.
fn check_base_uri(key: &'static str, text: &str, tls: bool) -> Result<(), ConfigError> {
    let wrong = |expected| Err(contradiction(key, expected));
    let Ok(url) = Url::parse(text) else {
        return wrong("must be an absolute URL, as in https://tokens.internal:7443");
    };
    if Origin::parse(text).is_err() {
        return wrong(
            "must be an https URL (http for loopback) without user, query or fragment, \
             as in https://tokens.internal:7443",
        );
    }
    if IssuerName::parse(text).is_err() {
        return wrong("must have at most 255 bytes, all of them visible ASCII");
    }
    if text.ends_with('/') {
        return wrong("must not end with a slash: it is compared character for character");
    }
    match (url.scheme(), tls, is_loopback(&url)) {
        ("https", _, _) | ("http", false, true) => Ok(()),
        ("http", true, _) => wrong("must begin with https:// where TLS is on"),
        _ => wrong("must begin with https:// unless its host is a loopback address"),
    }
}

/// Whether nobody else's machine is reached by it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    is_this_machine(url.host_str().unwrap_or_default())
}

/// Whether nobody on the way reads what is sent there.
pub(super) fn is_secure(url: &Url) -> bool {
    is_confidential(url.scheme(), url.host_str().unwrap_or_default())
}
