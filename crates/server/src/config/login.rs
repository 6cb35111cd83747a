//! The login application, as a part of the service.

use super::check::contradiction;
use super::http::HttpPlace;
use super::{Config, ConfigError};

/// The login application.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// It is served, below the issuer at `/login`.
    pub serve: bool,
    /// A proxy stands in front of it.
    pub behind_proxy: bool,
}

impl Config {
    pub(super) fn check_login(&self) -> Result<(), ConfigError> {
        if self.login.serve && self.http.place == HttpPlace::Nowhere {
            return Err(contradiction(
                "login.serve",
                "must be no where http.address is none: it is an HTTP endpoint",
            ));
        }
        Ok(())
    }
}
