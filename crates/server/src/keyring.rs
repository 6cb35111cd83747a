//! The service's own keys: made, kept encrypted in the store, open in memory.

pub(crate) mod custody;
pub(crate) mod file;
pub(crate) mod keeper;
pub(crate) mod program;
pub(crate) mod wrap;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use countersign_issuer::model::{KeyId, KeyPurpose, KeyState, SealedKey, ServiceKey};
use countersign_issuer::{Known, MacKey, MacKeyId, MacKeys};
use countersign_jose::{PublicKey, SigningKey, Thumbprint, UnixTime};
use zeroize::Zeroizing;

use crate::random;
use crate::signer::{InUse, Signer};
use custody::{Custody, CustodyError};
pub use file::KeyFileError;
pub use program::KeyProgramError;
use wrap::{DataKey, Label};

/// A key that was opened.
#[derive(Clone)]
pub(crate) enum OpenKey {
    /// Signs access tokens.
    Signing(Arc<SigningKey>),
    /// Authenticates handles.
    HandleMac(Box<MacKey>),
}

/// The keys that were opened, by their names.
pub(crate) type OpenKeys = HashMap<KeyId, OpenKey>;

/// Makes a key, and opens it the way that it will be opened from now on: one that cannot be is
/// better noticed before it is relied on.
///
/// # Errors
/// The key-encryption key, or the program that has it, does not do its work.
pub(crate) async fn make(
    custody: &Custody,
    purpose: KeyPurpose,
    now: UnixTime,
) -> Result<(ServiceKey, OpenKey), CustodyError> {
    let (id, public_jwk, material) = match purpose {
        KeyPurpose::Signing => {
            let key = signing_key();
            let material = key
                .to_pkcs8_der()
                .expect("a key that was just made can be written down");
            let public = key.public();
            (public.thumbprint().to_string(), public.to_jwk(), material)
        }
        KeyPurpose::HandleMac => {
            let material = Zeroizing::new(random::bytes::<32>());
            (
                hex(random::bytes()),
                String::new(),
                Zeroizing::new(material.to_vec()),
            )
        }
    };
    let label = Label::new(&id, purpose);
    let data_key = DataKey::new(Zeroizing::new(random::bytes()));
    let sealed = SealedKey {
        public_jwk,
        material: data_key.seal(label, &material, random::bytes()),
        data_key: custody.wrap(label, &data_key).await?,
        lock: custody.lock(),
    };
    let key = ServiceKey::new(KeyId::new(id), purpose, now, sealed);
    let open = open(custody, &key).await?;
    Ok((key, open))
}

/// Opens a key.
///
/// # Errors
/// It was encrypted under another key-encryption key, or the record was changed.
pub(crate) async fn open(custody: &Custody, key: &ServiceKey) -> Result<OpenKey, CustodyError> {
    let does_not_fit = || custody.does_not_fit(key);
    let label = Label::of(key);
    let data_key = custody.unwrap(key).await?;
    let material = data_key
        .open(label, &key.sealed.material)
        .map_err(|_| does_not_fit())?;
    match key.purpose {
        KeyPurpose::Signing => {
            let open = SigningKey::from_pkcs8_der(&material).map_err(|_| does_not_fit())?;
            // The published half is what was written beside it, or somebody swapped one of them.
            let kid = Thumbprint::parse(key.id.as_str()).map_err(|_| does_not_fit())?;
            if open.public().thumbprint() != kid {
                return Err(does_not_fit());
            }
            Ok(OpenKey::Signing(Arc::new(open)))
        }
        KeyPurpose::HandleMac => {
            let id = unhex(key.id.as_str()).ok_or_else(does_not_fit)?;
            let secret: &[u8; 32] = material.as_slice().try_into().map_err(|_| does_not_fit())?;
            let open = MacKey::new(MacKeyId::new(id), secret);
            Ok(OpenKey::HandleMac(Box::new(open)))
        }
    }
}

/// Puts every key where it belongs. `None`: one that is needed is not there, or not open.
pub(crate) fn sort(known: &[Known<ServiceKey>], open: &OpenKeys) -> Option<(InUse, MacKeys)> {
    let mut signer = None;
    let mut published: Vec<(KeyId, PublicKey)> = Vec::new();
    let mut active_mac = None;
    let mut other_macs = Vec::new();
    for key in known.iter().map(|known| &known.value) {
        match open.get(&key.id) {
            Some(OpenKey::Signing(open)) => {
                published.push((key.id.clone(), open.public().clone()));
                if key.state == KeyState::Active {
                    signer = Some(Signer::new(key.id.as_str(), Arc::clone(open)));
                }
            }
            Some(OpenKey::HandleMac(open)) => match key.state {
                KeyState::Active => active_mac = Some(MacKey::clone(open)),
                KeyState::Next | KeyState::Retiring => other_macs.push(MacKey::clone(open)),
            },
            None => {}
        }
    }
    let in_use = InUse::new(signer?, published);
    Some((in_use, MacKeys::new(active_mac?, other_macs)))
}

fn signing_key() -> SigningKey {
    loop {
        let scalar = Zeroizing::new(random::bytes());
        // One value in 2^32 is no scalar of P-256.
        if let Ok(key) = SigningKey::generate_es256(*scalar) {
            return key;
        }
    }
}

fn hex(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

fn unhex(text: &str) -> Option<[u8; 4]> {
    let id = u32::from_str_radix(text, 16).ok()?.to_be_bytes();
    (hex(id) == text).then_some(id)
}
