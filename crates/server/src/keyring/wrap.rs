//! Envelope encryption of the service's keys: each under a data key of its own, the data key under
//! the key-encryption key, both with AES-256-GCM.
//!
//! The additional data of both is key id, purpose and version, so that a record cannot be passed
//! off as another key's or as a key for another purpose.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use countersign_issuer::model::{KeyPurpose, ServiceKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// The form of the encryption and of its additional data.
const VERSION: u32 = 1;

/// A nonce of AES-256-GCM: random, since each key encrypts once or a few times.
pub(crate) type NonceBytes = [u8; NONCE_LEN];

/// The key that data keys are encrypted under. Never shown.
pub(crate) struct KeyEncryptionKey(Zeroizing<[u8; 32]>);

/// The key that one key's material is encrypted under. Never shown.
pub(crate) struct DataKey(Zeroizing<[u8; 32]>);

/// What a wrapped key is for: bound to its ciphertext.
#[derive(Copy, Clone)]
pub(crate) struct Label<'a> {
    /// The key's name.
    pub(crate) key_id: &'a str,
    /// The number of its purpose in the store's records.
    pub(crate) purpose: i32,
}

/// The ciphertext was not made with this key for this label, or it was changed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[error("the key does not open this record")]
pub(crate) struct DoesNotOpen;

impl<'a> Label<'a> {
    /// The label of a key of that name and purpose.
    pub(crate) fn new(key_id: &'a str, purpose: KeyPurpose) -> Self {
        // The numbers of the records.
        let purpose = match purpose {
            KeyPurpose::Signing => 1,
            KeyPurpose::HandleMac => 2,
        };
        Self { key_id, purpose }
    }

    /// The label of that key.
    pub(crate) fn of(key: &'a ServiceKey) -> Self {
        Self::new(key.id.as_str(), key.purpose)
    }

    /// Version, purpose and key id; the id comes last, so nothing needs a length.
    pub(crate) fn additional_data(self) -> Vec<u8> {
        let mut data = b"countersign key".to_vec();
        data.extend_from_slice(&VERSION.to_be_bytes());
        data.extend_from_slice(&self.purpose.to_be_bytes());
        data.extend_from_slice(self.key_id.as_bytes());
        data
    }
}

impl KeyEncryptionKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// Encrypts a data key for `label`.
    pub(crate) fn wrap(&self, label: Label<'_>, data_key: &DataKey, nonce: NonceBytes) -> Vec<u8> {
        seal(&self.0, nonce, label, &*data_key.0)
    }

    /// Decrypts what [`Self::wrap`] made for the same label.
    pub(crate) fn unwrap(&self, label: Label<'_>, wrapped: &[u8]) -> Result<DataKey, DoesNotOpen> {
        DataKey::from_bytes(&open(&self.0, label, wrapped)?)
    }
}

impl DataKey {
    /// The key of 32 random bytes.
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The key of these bytes, if they are as many as a key has.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DoesNotOpen> {
        let key = bytes.try_into().map_err(|_| DoesNotOpen)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Its bytes, for whoever wraps it.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Encrypts `material` for `label`.
    pub(crate) fn seal(&self, label: Label<'_>, material: &[u8], nonce: NonceBytes) -> Vec<u8> {
        seal(&self.0, nonce, label, material)
    }

    /// Decrypts what [`Self::seal`] made for the same label.
    pub(crate) fn open(
        &self,
        label: Label<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
        open(&self.0, label, sealed)
    }
}

fn seal(key: &[u8; 32], nonce: [u8; NONCE_LEN], label: Label<'_>, plain: &[u8]) -> Vec<u8> {
    let mut text = Zeroizing::new(plain.to_vec());
    let tag = aes(key)
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(label.additional_data()),
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
            Aad::from(label.additional_data()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kek(seed: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::new(Zeroizing::new([seed; 32]))
    }

    const LABEL: Label<'_> = Label {
        key_id: "a",
        purpose: 1,
    };

    /// A wrapped data key, and material under it.
    fn wrapped() -> (Vec<u8>, Vec<u8>) {
        let data_key = DataKey::new(Zeroizing::new([7; 32]));
        let wrapped = kek(1).wrap(LABEL, &data_key, [8; NONCE_LEN]);
        (wrapped, data_key.seal(LABEL, b"material", [9; NONCE_LEN]))
    }

    fn opened(
        kek: &KeyEncryptionKey,
        label: Label<'_>,
        (data_key, material): &(Vec<u8>, Vec<u8>),
    ) -> Result<Vec<u8>, DoesNotOpen> {
        Ok(kek.unwrap(label, data_key)?.open(label, material)?.to_vec())
    }

    #[test]
    fn what_was_wrapped_unwraps() {
        assert_eq!(opened(&kek(1), LABEL, &wrapped()), Ok(b"material".to_vec()));
    }

    #[test]
    fn another_key_or_label_or_a_changed_byte_does_not_open() {
        let good = wrapped();
        let refused = |kek: KeyEncryptionKey, label, wrapped: &(Vec<u8>, Vec<u8>)| {
            assert_eq!(opened(&kek, label, wrapped), Err(DoesNotOpen));
        };
        refused(kek(2), LABEL, &good);
        let renamed = Label {
            key_id: "b",
            ..LABEL
        };
        refused(kek(1), renamed, &good);
        let repurposed = Label {
            purpose: 2,
            ..LABEL
        };
        refused(kek(1), repurposed, &good);
        for i in 0..good.0.len() {
            let mut changed = good.clone();
            changed.0[i] ^= 1;
            refused(kek(1), LABEL, &changed);
        }
        for i in 0..good.1.len() {
            let mut changed = good.clone();
            changed.1[i] ^= 1;
            refused(kek(1), LABEL, &changed);
        }
        let mut short = good;
        short.1.truncate(5);
        refused(kek(1), LABEL, &short);
    }
}
