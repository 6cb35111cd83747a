//! The service's own keys, opened as whoever has the key-encryption key could open them: what must
//! be neither in the store nor in a backup, and be told nowhere.

use std::fs;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use countersign::storage::v1::{KeyPurpose, KeyRecord};
use countersign_jose::base64url;
use countersign_store::{EmbeddedStore, Key, Options, Store as _};
use countersign_testkit::Problem;
use prost::Message as _;

use super::marks::Marks;
use crate::service::{Service, countersign};

/// More than a service ever has.
const KEYS_MAX: usize = 100;

/// How PKCS#8 writes what is before the private number of a P-256 key (RFC 5915), and of an
/// Ed25519 key (RFC 8410).
const BEFORE_SCALAR: [&[u8]; 2] = [b"\x02\x01\x01\x04\x20", b"\x04\x22\x04\x20"];

/// Marks the keys that a running service has, by way of a backup.
pub(super) async fn mark_running(service: &Service, marks: &mut Marks) -> Result<(), Problem> {
    let folder = service.folder();
    let backup = folder.join("first.backup").display().to_string();
    let copy = folder.join("first");
    service.admin(&["store", "backup", &backup])?;
    let data = copy.display().to_string();
    countersign(&["store", "restore", &backup, "--data", &data, "--yes"])?;
    mark(&copy, &folder.join("key"), marks).await?;
    Ok(())
}

/// Marks the keys of the store in `directory`, which nobody has open. Returns how they stand in
/// their records.
pub(super) async fn mark(
    directory: &Path,
    key_file: &Path,
    marks: &mut Marks,
) -> Result<Vec<Vec<u8>>, Problem> {
    let text = fs::read(key_file)?;
    let kek: [u8; 32] = base64url::decode_array(text.trim_ascii())?;
    marks.add_alone("the bytes of the key-encryption key", &kek, &[]);
    let store = EmbeddedStore::open(directory, Options::default())?;
    let page = store.scan(&Key::of("key"), None, KEYS_MAX).await?;
    store.close().await?;
    let (mut signing, mut sealed) = (0, Vec::new());
    for (_, record) in page.records {
        let record = KeyRecord::decode(record.value)?;
        let data_key: [u8; 32] = open(&kek, &record, &record.encrypted_data_key)?
            .as_slice()
            .try_into()?;
        let material = open(&data_key, &record, &record.encrypted_material)?;
        let id = &record.key_id;
        marks.add_alone(format!("the data key of {id}"), &data_key, &[]);
        if record.purpose() == KeyPurpose::Signing {
            marks.add_alone(format!("the private key {id}"), &material, &[]);
            marks.add(
                format!("the private number of {id}"),
                scalar(&material)?,
                &[],
            );
            signing += 1;
        } else {
            marks.add_alone(format!("the MAC key {id}"), &material, &[]);
        }
        sealed.push(record.encrypted_material.to_vec());
    }
    // A search for nothing finds nothing.
    if signing == 0 || sealed.len() == signing {
        return Err(format!("{signing} signing keys of {} keys", sealed.len()).into());
    }
    Ok(sealed)
}

/// What AES-256-GCM hides behind a nonce; bound to version, purpose and name of the key.
fn open(key: &[u8; 32], record: &KeyRecord, sealed: &[u8]) -> Result<Vec<u8>, Problem> {
    let label = [
        b"countersign key" as &[u8],
        &1_u32.to_be_bytes(),
        &record.purpose.to_be_bytes(),
        record.key_id.as_bytes(),
    ];
    let does_not_open = || format!("the key {} does not open", record.key_id);
    let (nonce, text) = sealed
        .split_first_chunk::<NONCE_LEN>()
        .ok_or_else(does_not_open)?;
    let aes = UnboundKey::new(&AES_256_GCM, key).map_err(|_| does_not_open())?;
    let mut text = text.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let plain = LessSafeKey::new(aes)
        .open_in_place(nonce, Aad::from(label.concat()), &mut text)
        .map_err(|_| does_not_open())?;
    Ok(plain.to_vec())
}

fn scalar(pkcs8: &[u8]) -> Result<&[u8], Problem> {
    let at = BEFORE_SCALAR.iter().find_map(|before| {
        let at = pkcs8.windows(before.len()).position(|it| it == *before)?;
        pkcs8.get(at + before.len()..at + before.len() + 32)
    });
    Ok(at.ok_or("no private number where PKCS#8 has it")?)
}
