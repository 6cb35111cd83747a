//! Private keys in files: PKCS#8 as PEM, readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{env, str};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use countersign_jose::SigningKey;
use zeroize::Zeroizing;

use crate::entropy;
use crate::exit::Failure;
use crate::output::Output;

/// The largest key file that is read: an RSA key of 4096 bits is 3.3 KB.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

/// The largest file of certificates or public keys that is read: the bundle of
/// a whole system is 250 KB.
const PUBLIC_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What kind of key to make.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum KeyKind {
    /// ECDSA on P-256, which everybody understands.
    Es256,
    /// Ed25519.
    Ed25519,
}

/// Makes a new key.
pub(crate) fn generate(kind: KeyKind) -> Result<SigningKey, Failure> {
    // A scalar out of range comes up once in 2^32: the second draw is enough.
    let drawn = draw(kind)?;
    match drawn {
        Some(key) => Ok(key),
        None => draw(kind)?.ok_or_else(|| Failure::internal("cannot make a key")),
    }
}

fn draw(kind: KeyKind) -> Result<Option<SigningKey>, Failure> {
    let secret = Zeroizing::new(entropy::bytes::<32>()?);
    Ok(match kind {
        KeyKind::Es256 => SigningKey::generate_es256(*secret).ok(),
        KeyKind::Ed25519 => SigningKey::generate_ed25519(*secret).ok(),
    })
}

/// Reads a key: PKCS#8 as PEM, or a private JWK.
///
/// # Errors
///
/// Says what is wrong with the file, never what stands in it.
pub(crate) fn read(path: &Path) -> Result<SigningKey, Failure> {
    let text = read_private(path)?;
    let key = if text.trim_start().starts_with('{') {
        SigningKey::from_private_jwk(text.as_bytes())
    } else {
        SigningKey::from_pkcs8_pem(&text)
    };
    key.map_err(|cause| {
        Failure::configuration(format!("{}: not a key that works here: {cause}", path.display()))
            .next("ES256 and Ed25519 keys work, as PKCS#8 PEM or private JWK; `countersign key generate FILE` makes one")
    })
}

/// Reads the key at `path`, or makes one there and says so.
pub(crate) fn read_or_make(path: &Path, output: &Output) -> Result<SigningKey, Failure> {
    if path.exists() {
        return read(path);
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(|cause| {
            Failure::configuration(format!("{}: cannot be made: {cause}", folder.display()))
        })?;
    }
    let key = generate(KeyKind::Es256)?;
    write(path, &key)?;
    output.note(&format!(
        "made a new key in {}; tokens issued now are bound to it, so keep it, and keep it secret",
        path.display()
    ));
    Ok(key)
}

/// Writes a key to a file that is not there yet, with mode 0600.
pub(crate) fn write(path: &Path, key: &SigningKey) -> Result<(), Failure> {
    let der = key
        .to_pkcs8_der()
        .map_err(|cause| Failure::internal(format!("cannot encode the key: {cause}")))?;
    let body = Zeroizing::new(STANDARD.encode(&*der));
    let mut pem = Zeroizing::new(String::with_capacity(body.len() + 128));
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    // RFC 7468 §2: lines of 64 characters.
    for line in body.as_bytes().chunks(64) {
        pem.push_str(str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    write_private(path, &pem)
}

/// Writes a secret to a file that is not there yet, with mode 0600.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => {
            Failure::configuration(format!("{}: is there already", path.display()))
                .next("choose another name, or remove the file; nothing was overwritten")
        }
        _ => Failure::configuration(format!("{}: cannot be written: {cause}", path.display())),
    })
}

/// Writes a secret to a file with mode 0600; what was there is replaced whole,
/// or not at all.
pub(crate) fn replace_private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // Left over by a run that was killed in between.
    if beside.exists() {
        fs::remove_file(&beside).map_err(|cause| {
            Failure::configuration(format!("{}: cannot be removed: {cause}", beside.display()))
        })?;
    }
    write_private(&beside, text)?;
    fs::rename(&beside, path).map_err(|cause| {
        Failure::configuration(format!("{}: cannot be replaced: {cause}", path.display()))
    })
}

/// Reads a small file that everybody may read. It may be a pipe.
pub(crate) fn read_public(path: &Path) -> Result<Vec<u8>, Failure> {
    read_bounded(path, PUBLIC_FILE_BYTES_MAX)
}

/// Reads a small text that everybody may read.
pub(crate) fn read_public_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read_public(path)?)
        .map_err(|_| Failure::configuration(format!("{}: is not UTF-8", path.display())))
}

/// Reads a file of at most so many bytes that everybody may read. It may be a
/// pipe.
pub(crate) fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let wrong = |what: String| Failure::configuration(format!("{}: {what}", path.display()));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|cause| wrong(format!("cannot be read: {cause}")))?;
    if bytes.len() as u64 > bytes_max {
        return Err(wrong(format!("is larger than {bytes_max} bytes")));
    }
    Ok(bytes)
}

/// Reads a small file that only its owner may read.
pub(crate) fn read_private(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let wrong = |what: String| Failure::configuration(format!("{}: {what}", path.display()));
    let about = fs::metadata(path).map_err(|cause| wrong(format!("cannot be read: {cause}")))?;
    if !about.is_file() {
        return Err(wrong("is not a file".to_owned()));
    }
    if about.len() > KEY_FILE_BYTES_MAX {
        return Err(wrong(format!("is larger than {KEY_FILE_BYTES_MAX} bytes")));
    }
    if about.permissions().mode() & 0o077 != 0 {
        return Err(wrong("can be read by others".to_owned())
            .next(format!("run `chmod 600 {}`", path.display())));
    }
    fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|cause| wrong(format!("cannot be read: {cause}")))
}

/// The name that a key goes by where nobody gave it one: its thumbprint.
pub(crate) fn kid(key: &SigningKey) -> String {
    key.public().thumbprint().to_string()
}

/// The public half as a JWK Set, as `jwks` of a client takes it.
pub(crate) fn jwks(key: &SigningKey) -> String {
    countersign_jose::jwks::publish(&[countersign_jose::jwks::PublishedKey {
        kid: &kid(key),
        algorithm: key.algorithm(),
        key: key.public(),
    }])
}

/// Where the key for proofs is kept when the command is not told.
pub(crate) fn default_dpop_key() -> Option<PathBuf> {
    in_state_folder("dpop-key.pem")
}

/// A file of this program in the user's state folder (XDG base directory
/// specification).
pub(crate) fn in_state_folder(name: &str) -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")))?;
    Some(state.join("countersign").join(name))
}
