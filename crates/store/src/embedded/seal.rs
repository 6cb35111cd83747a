//! Checksums of our own, over a key and its value.
//!
//! The driver has checksums of its pages, which it looks at when it reads one from the disk. Ours are
//! looked at with every read of a value, and cover its key: so a value that changed in memory, or
//! that lies under another key, is noticed too.
//!
//! ```text
//! tag, 0xFF, fields, CRC-32 of the key's length, the key, and all of this before
//! ```

use super::Broken;
use super::layout::{OLD, OLD_EXPIRING};

/// After the tag of every sealed value. In the forms without a seal the highest byte of a commit's
/// number stands there, which is never this: so a sealed value whose tag changed to one of theirs is
/// not taken for one.
const GUARD: u8 = 0xFF;

const CRC_BYTES: usize = 4;

/// The value that lies under `key`: a form's tag and its fields.
pub(super) fn seal(key: &[u8], tag: u8, fields: &[&[u8]]) -> Vec<u8> {
    let fields_bytes: usize = fields.iter().map(|field| field.len()).sum();
    let mut value = Vec::with_capacity(2 + fields_bytes + CRC_BYTES);
    value.extend([tag, GUARD]);
    fields
        .iter()
        .for_each(|field| value.extend_from_slice(field));
    let crc = checksum(key, &value);
    value.extend(crc.to_be_bytes());
    value
}

/// A value's tag and its fields, of a form with a seal that is whole, or without one.
pub(super) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<(u8, &'a [u8]), Broken> {
    match value {
        [tag @ (OLD | OLD_EXPIRING), fields @ ..] if fields.first() != Some(&GUARD) => {
            Ok((*tag, fields))
        }
        [tag, GUARD, fields_and_crc @ ..] => {
            let checked = fields_and_crc.split_last_chunk::<CRC_BYTES>();
            let (fields, crc) = checked.ok_or_else(mismatch)?;
            let covered = value.len() - CRC_BYTES;
            if checksum(key, &value[..covered]) == u32::from_be_bytes(*crc) {
                Ok((*tag, fields))
            } else {
                Err(mismatch())
            }
        }
        _ => Err(mismatch()),
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    // Where the key ends must not be open. Keys are far below 4 GiB.
    let mut hasher = crc32fast::Hasher::new_with_initial(key.len() as u32);
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

fn mismatch() -> Broken {
    Broken::new("the checksum of a value does not match")
}
