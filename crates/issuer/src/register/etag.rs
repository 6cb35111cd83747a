//! Etags: the version of a record, as its readers hold it.

use crate::Version;
use crate::refusal::Refusal;

/// The etag of a record of that version.
pub fn etag(version: Version) -> String {
    version.as_u64().to_string()
}

/// Reads the field `etag`; an empty one is none.
///
/// # Errors
/// [`Refusal::Changed`] for a text that is no etag: the record never had it.
pub fn parse_etag(text: &str) -> Result<Option<Version>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().map_err(|_| Refusal::Changed)?;
    let version = Version::new(number);
    // One text for every version: `+7` and `007` were never handed out.
    if etag(version) == text {
        Ok(Some(version))
    } else {
        Err(Refusal::Changed)
    }
}
