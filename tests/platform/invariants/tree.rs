//! The files that are looked at.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::crates::MAY_USE;

pub(super) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files that ship: no tests, benches, examples or build scripts.
pub(super) fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["crates", "proto"]
        .iter()
        .flat_map(|folder| WalkDir::new(root.join(folder)))
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| {
            let inside = path.strip_prefix(root).unwrap_or(path);
            let test = inside.components().any(|part| {
                ["tests", "benches", "examples", "testkit"]
                    .contains(&&*part.as_os_str().to_string_lossy())
            });
            !test
                && inside
                    .file_name()
                    .is_none_or(|name| name != "tests.rs" && name != "build.rs")
        })
        .collect();
    found.sort();
    found
}

/// What is looked at, where it may be changed.
pub(super) fn copy_of_the_tree() -> Result<tempfile::TempDir, String> {
    let copy = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = repository();
    let manifests = MAY_USE
        .iter()
        .map(|(name, _)| root.join("crates").join(name).join("Cargo.toml"));
    for path in sources(&root).into_iter().chain(manifests) {
        let inside = path
            .strip_prefix(&root)
            .map_err(|error| error.to_string())?;
        let to = copy.path().join(inside);
        let folder = to.parent().ok_or("a file without a folder")?;
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        fs::copy(&path, &to).map_err(|error| format!("{}: {error}", inside.display()))?;
    }
    Ok(copy)
}
