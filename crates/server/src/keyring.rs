//! The service's own keys: made at first start, kept encrypted in the store, open in memory.

pub(crate) mod file;
pub(crate) mod wrap;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use countersign_jose::{SigningKey, Thumbprint, UnixTime};
use zeroize::Zeroizing;

use crate::random;
pub use file::KeyFileError;
use wrap::{KeyEncryptionKey, Label, WrapRandom, Wrapped};

/// A key as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKey {
    /// Its name: `kid` of a signing key, eight hexadecimal digits of a MAC key.
    pub(crate) key_id: String,
    pub(crate) purpose: Purpose,
    pub(crate) state: State,
    pub(crate) created: UnixTime,
    /// The public half of a signing key, a JWK; empty for a MAC key.
    pub(crate) public_jwk: String,
    pub(crate) wrapped: Wrapped,
}

/// What a key is for. The numbers are those of the records.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signs access tokens.
    Signing = 1,
    /// Authenticates handles.
    HandleMac = 2,
}

/// What a key does now.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Published, does not sign yet.
    Next,
    /// Signs.
    Active,
    /// Published, signs no more.
    Retiring,
}

/// A key that was opened.
pub(crate) enum OpenKey {
    Signing {
        kid: String,
        state: State,
        key: Arc<SigningKey>,
    },
    HandleMac {
        id: [u8; 4],
        state: State,
        key: Zeroizing<[u8; 32]>,
    },
}

/// Makes the keys of a new store: one that signs (ES256), one that authenticates handles, both
/// encrypted under `kek`.
pub(crate) fn make(kek: &KeyEncryptionKey, now: UnixTime) -> [StoredKey; 2] {
    let signing = signing_key();
    let kid = signing.public().thumbprint();
    let pkcs8 = signing
        .to_pkcs8_der()
        .expect("a key that was just made can be written down");
    let mac = Zeroizing::new(random::bytes::<32>());
    let mac_id = hex(random::bytes());
    [
        StoredKey {
            wrapped: wrapped(kek, &kid.to_string(), Purpose::Signing, &pkcs8),
            key_id: kid.to_string(),
            purpose: Purpose::Signing,
            state: State::Active,
            created: now,
            public_jwk: signing.public().to_jwk(),
        },
        StoredKey {
            wrapped: wrapped(kek, &mac_id, Purpose::HandleMac, &*mac),
            key_id: mac_id,
            purpose: Purpose::HandleMac,
            state: State::Active,
            created: now,
            public_jwk: String::new(),
        },
    ]
}

/// Opens `stored` with the key of the file at `path`.
///
/// # Errors
/// The file holds another key than the one it was encrypted under, or the record was changed.
pub(crate) fn open(
    kek: &KeyEncryptionKey,
    path: &Path,
    stored: &StoredKey,
) -> Result<OpenKey, KeyFileError> {
    let does_not_fit = || KeyFileError::DoesNotFit {
        path: path.to_owned(),
        key_id: stored.key_id.clone(),
    };
    let label = Label {
        key_id: &stored.key_id,
        purpose: stored.purpose as i32,
    };
    let material = kek
        .unwrap(label, &stored.wrapped)
        .map_err(|_| does_not_fit())?;
    match stored.purpose {
        Purpose::Signing => {
            let key = SigningKey::from_pkcs8_der(&material).map_err(|_| does_not_fit())?;
            // The published half is what was written beside it, or somebody swapped one of them.
            let kid = Thumbprint::parse(&stored.key_id).map_err(|_| does_not_fit())?;
            if key.public().thumbprint() != kid {
                return Err(does_not_fit());
            }
            Ok(OpenKey::Signing {
                kid: stored.key_id.clone(),
                state: stored.state,
                key: Arc::new(key),
            })
        }
        Purpose::HandleMac => Ok(OpenKey::HandleMac {
            id: unhex(&stored.key_id).ok_or_else(does_not_fit)?,
            state: stored.state,
            key: Zeroizing::new(material.as_slice().try_into().map_err(|_| does_not_fit())?),
        }),
    }
}

fn signing_key() -> SigningKey {
    loop {
        // One value in 2^32 is no scalar of P-256.
        if let Ok(key) = SigningKey::generate_es256(random::bytes()) {
            return key;
        }
    }
}

fn wrapped(kek: &KeyEncryptionKey, key_id: &str, purpose: Purpose, material: &[u8]) -> Wrapped {
    let label = Label {
        key_id,
        purpose: purpose as i32,
    };
    let random = WrapRandom {
        data_key: Zeroizing::new(random::bytes()),
        material_nonce: random::bytes(),
        data_key_nonce: random::bytes(),
    };
    kek.wrap(label, material, &random)
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

fn unhex(text: &str) -> Option<[u8; 4]> {
    let id = u32::from_str_radix(text, 16).ok()?.to_be_bytes();
    (hex(id) == text).then_some(id)
}
