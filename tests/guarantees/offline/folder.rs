//! Folders with files: copied, removed, and compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_testkit::Problem;
use walkdir::WalkDir;

/// The files below a folder, and what is in them.
#[derive(PartialEq, Eq)]
pub(super) struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl Files {
    pub(super) fn of(folder: &Path) -> Result<Self, Problem> {
        let mut files = BTreeMap::new();
        for entry in WalkDir::new(folder) {
            let entry = entry?;
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(folder)?.to_owned();
                files.insert(name, fs::read(entry.path())?);
            }
        }
        Ok(Self(files))
    }

    /// What is in a file.
    pub(super) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.get(Path::new(name)).map(Vec::as_slice)
    }

    pub(super) fn copy_to(&self, folder: &Path) -> Result<(), Problem> {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.remove(Path::new(name));
        self
    }
}

/// The folders in `folder` whose names begin like this.
pub(super) fn named(folder: &Path, begin: &str) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(begin) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// It is not there any more, if it was.
pub(super) fn remove(folder: &Path) -> Result<(), Problem> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}

/// Whether there is anything in it.
pub(super) fn holds_something(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut names| names.next().is_some())
}
