//! Envelope encryption of the service's keys: each under a data key of its own, the data key under
//! the key-encryption key, both with AES-256-GCM.
//!
//! The additional data of both is key id, purpose and version, so that a record cannot be passed
//! off as another key's or as a key for another purpose.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// The form of the encryption and of its additional data.
pub(crate) const VERSION: u32 = 1;

/// The key that data keys are encrypted under. Never shown.
pub(crate) struct KeyEncryptionKey(Zeroizing<[u8; 32]>);

/// What a wrapped key is for: bound to its ciphertext.
#[derive(Copy, Clone)]
pub(crate) struct Label<'a> {
    /// The key's name.
    pub(crate) key_id: &'a str,
    /// The number of its purpose in the store's records.
    pub(crate) purpose: i32,
}

/// A key as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrapped {
    /// The key material under the data key: nonce, ciphertext, tag.
    pub(crate) material: Vec<u8>,
    /// The data key under the key-encryption key: nonce, ciphertext, tag.
    pub(crate) data_key: Vec<u8>,
}

/// The random bytes that one wrapping takes.
pub(crate) struct WrapRandom {
    pub(crate) data_key: Zeroizing<[u8; 32]>,
    pub(crate) material_nonce: [u8; NONCE_LEN],
    pub(crate) data_key_nonce: [u8; NONCE_LEN],
}

/// The ciphertext was not made with this key for this label, or it was changed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("the key does not open this record")]
pub(crate) struct DoesNotOpen;

impl KeyEncryptionKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Encrypts `material` for `label`.
    pub(crate) fn wrap(&self, label: Label<'_>, material: &[u8], random: &WrapRandom) -> Wrapped {
        Wrapped {
            material: seal(&random.data_key, random.material_nonce, label, material),
            data_key: seal(&self.0, random.data_key_nonce, label, &*random.data_key),
        }
    }

    /// Decrypts what [`Self::wrap`] made for the same label.
    pub(crate) fn unwrap(
        &self,
        label: Label<'_>,
        wrapped: &Wrapped,
    ) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        let data_key = open(&self.0, label, &wrapped.data_key)?;
        let data_key: &[u8; 32] = data_key.as_slice().try_into().map_err(|_| DoesNotOpen)?;
        open(data_key, label, &wrapped.material)
    }
}

fn seal(key: &[u8; 32], nonce: [u8; NONCE_LEN], label: Label<'_>, plain: &[u8]) -> Vec<u8> {
    let mut text = Zeroizing::new(plain.to_vec());
    let tag = aes(key)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(additional_data(label)),
            text.as_mut_slice(),
        )
        .expect("a key is far shorter than what AES-GCM can encrypt");
    [&nonce, text.as_slice(), tag.as_ref()].concat()
}

fn open(
    key: &[u8; 32],
    label: Label<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(DoesNotOpen)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = aes(key)
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(additional_data(label)),
            text.as_mut_slice(),
        )
        .map_err(|_| DoesNotOpen)?
        .len();
    text.truncate(length);
    Ok(text)
}

fn aes(key: &[u8; 32]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key has 32 bytes");
    LessSafeKey::new(key)
}

/// Version, purpose and key id; the id comes last, so nothing needs a length.
fn additional_data(label: Label<'_>) -> Vec<u8> {
    let mut data = b"countersign key".to_vec();
    data.extend_from_slice(&VERSION.to_be_bytes());
    data.extend_from_slice(&label.purpose.to_be_bytes());
    data.extend_from_slice(label.key_id.as_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: u8) -> WrapRandom {
        WrapRandom {
            data_key: Zeroizing::new([seed; 32]),
            material_nonce: [seed; NONCE_LEN],
            data_key_nonce: [seed + 1; NONCE_LEN],
        }
    }

    fn kek(seed: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::new(Zeroizing::new([seed; 32]))
    }

    const LABEL: Label<'_> = Label {
        key_id: "a",
        purpose: 1,
    };

    #[test]
    fn what_was_wrapped_unwraps() {
        let wrapped = kek(1).wrap(LABEL, b"material", &random(7));
        assert_eq!(
            kek(1).unwrap(LABEL, &wrapped).expect("opens").as_slice(),
            b"material"
        );
    }

    #[test]
    fn another_key_or_label_or_a_changed_byte_does_not_open() {
        let wrapped = kek(1).wrap(LABEL, b"material", &random(7));
        let refused = |kek: KeyEncryptionKey, label, wrapped: &Wrapped| {
            assert_eq!(kek.unwrap(label, wrapped).err(), Some(DoesNotOpen));
        };
        refused(kek(2), LABEL, &wrapped);
        refused(
            kek(1),
            Label {
                key_id: "b",
                ..LABEL
            },
            &wrapped,
        );
        refused(
            kek(1),
            Label {
                purpose: 2,
                ..LABEL
            },
            &wrapped,
        );
        for i in 0..wrapped.material.len() {
            let mut changed = wrapped.clone();
            changed.material[i] ^= 1;
            refused(kek(1), LABEL, &changed);
        }
        for i in 0..wrapped.data_key.len() {
            let mut changed = wrapped.clone();
            changed.data_key[i] ^= 1;
            refused(kek(1), LABEL, &changed);
        }
        let mut short = wrapped;
        short.material.truncate(5);
        refused(kek(1), LABEL, &short);
    }
}
