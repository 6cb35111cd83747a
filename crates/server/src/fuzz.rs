//! The parsers of this crate that `tests/fuzz` feeds and that have no public name.

use std::path::Path;

use countersign_store::Key;

use crate::wire::admin::page_key;
use crate::{Config, ConfigError};

/// A configuration from the text of a file.
///
/// # Errors
/// As [`Config::read`].
pub fn config(text: &str) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    config.apply_file(Path::new("countersign.toml"), text)?;
    config.check()?;
    Ok(config)
}

/// The key that a page token leads to, if it is one below `prefix`.
pub fn page_token(token: &str, prefix: &Key) -> Option<Key> {
    page_key(token, prefix)
}
