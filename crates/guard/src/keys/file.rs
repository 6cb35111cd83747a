//! The last key set on disk, for a start while the token service is away.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use countersign_jose::{Jwks, json};

use super::KeysUnavailable;

/// A key set of 64 KiB, an issuer's name, and what JSON adds.
const BYTES_MAX: u64 = 128 * 1024;

/// A file that holds the last key set. Public keys: nothing in it is secret,
/// but whoever can write it can make the guard accept tokens of his own.
#[derive(Clone, Debug)]
pub(crate) struct KeySetFile(PathBuf);

impl KeySetFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The key set of `issuer`, as it was when it was last had.
    pub(crate) async fn load(&self, issuer: &str) -> Result<Jwks, KeysUnavailable> {
        let (path, issuer) = (self.0.clone(), issuer.to_owned());
        blocking(move || {
            read(&path, &issuer)
                .map_err(|cause| KeysUnavailable::new(format!("{}: {cause}", path.display())))
        })
        .await
    }

    /// Replaces the file's content, whole or not at all.
    pub(crate) async fn save(&self, issuer: &str, keys: &Jwks) -> Result<(), KeysUnavailable> {
        let path = self.0.clone();
        let text = serde_json::json!({ "issuer": issuer, "jwks": keys.to_json() }).to_string();
        blocking(move || write(&path, &text)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeysUnavailable> + Send + 'static,
) -> Result<T, KeysUnavailable> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(KeysUnavailable::new)?
}

fn read(path: &Path, issuer: &str) -> Result<Jwks, KeysUnavailable> {
    // What is looked at is what is read, whoever replaces the file meanwhile.
    let file = File::open(path).map_err(KeysUnavailable::new)?;
    let about = file.metadata().map_err(KeysUnavailable::new)?;
    if is_writable_by_others(&about) {
        return Err(KeysUnavailable::new(
            "others can write to the key-set file, and so make keys that are trusted here: \
             chmod go-w it",
        ));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(KeysUnavailable::new)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(KeysUnavailable::new("the key-set file is too large"));
    }
    let held = json::parse_object(&bytes).map_err(KeysUnavailable::new)?;
    if held.get("issuer").and_then(|held| held.as_str()) != Some(issuer) {
        return Err(KeysUnavailable::new(
            "the key-set file is of another issuer",
        ));
    }
    let keys = held
        .get("jwks")
        .and_then(|keys| keys.as_str())
        .ok_or_else(|| KeysUnavailable::new("the key-set file holds no key set"))?;
    Jwks::parse(keys.as_bytes()).map_err(KeysUnavailable::new)
}

#[cfg(unix)]
fn is_writable_by_others(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    about.permissions().mode() & 0o022 != 0
}

/// Where files have no such modes, their folder has to keep others out.
#[cfg(not(unix))]
fn is_writable_by_others(_: &std::fs::Metadata) -> bool {
    false
}

fn write(path: &Path, text: &str) -> Result<(), KeysUnavailable> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // Whatever the umask: it would not be read back.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    let written = options
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(KeysUnavailable::new)
}
