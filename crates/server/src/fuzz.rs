//! The parsers of this crate that `tests/fuzz` feeds and that have no public name.

use std::path::Path;

use countersign_store::Key;

use crate::wire::admin::page_key;
use crate::{Config, ConfigError, http, set_back};

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

/// What the note of a store that was set back says: how, and by which account.
pub fn set_back(note: &str) -> Option<(&'static str, u32)> {
    let (how, uid) = set_back::parse(note)?;
    Some((how.label(), uid))
}

/// The parameters of a body or a query, in their order, if it is a form.
pub fn form(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    http::parameters(bytes)
}

/// The key that a page token leads to, if it is one below `prefix`.
pub fn page_token(token: &str, prefix: &Key) -> Option<Key> {
    page_key(token, prefix)
}
