//! Paths that say the same wherever they are read.

use std::path::{Path, PathBuf};

/// The path from the root, which is good in whatever folder a later command runs.
pub(crate) fn whole(path: &Path) -> PathBuf {
    // It fails for an empty path, and where the folder is gone: neither can be told better.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
