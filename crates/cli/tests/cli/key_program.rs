//! Programs that have a key-encryption key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Three bytes before the key are no secret, but an answer of the right form. They stand for its
/// own key: what begins with others is not opened.
pub(crate) const TOY: &str = r#"#!/bin/sh
read -r verb label bytes
case "$verb $bytes" in
wrap*) echo "ok AAAA$bytes" ;;
unwrap\ AAAA*) echo "ok ${bytes#????}" ;;
*) echo "error not mine" ;;
esac
"#;

/// A program of that text.
pub(crate) fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    path
}
