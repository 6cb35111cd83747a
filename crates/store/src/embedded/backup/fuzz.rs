//! The parsers of this crate that `tests/fuzz` feeds and that have no public name.

use super::super::{layout, mark, seal};
use super::{Frame, Packer, Unpacker};

/// What a whole backup says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unpacked {
    /// The directory's format.
    pub format: u64,
    /// Keys of the database and their values from there on, in their order.
    pub items: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The commit whose state it is.
    pub commit: u64,
}

/// Reads a backup; none where it is not whole.
pub fn unpack(bytes: &[u8]) -> Option<Unpacked> {
    let (mut frames, format) = Unpacker::new(bytes).ok()?;
    let mut items = Vec::new();
    loop {
        match frames.next().ok()? {
            Frame::Item(key, value) => items.push((key.to_vec(), value.map(<[u8]>::to_vec))),
            Frame::End(totals) => {
                let commit = totals.commit;
                return Some(Unpacked {
                    format,
                    items,
                    commit,
                });
            }
        }
    }
}

/// Writes the backup that says this.
pub fn pack(unpacked: &Unpacked) -> Vec<u8> {
    let mut packer = Packer::new(unpacked.format);
    for (key, value) in &unpacked.items {
        packer.item(key, value.as_deref());
    }
    packer.finish(unpacked.commit).collect::<Vec<_>>().concat()
}

/// A value of the database with a checksum that fits, whatever else it is.
pub fn sealed(key: &[u8], tag: u8, fields: &[u8]) -> Vec<u8> {
    seal::seal(key, tag, &[fields])
}

/// Whether a value of the database is one under its key.
pub fn decodes(key: &[u8], value: &[u8]) -> bool {
    layout::Item::decode(key, value).is_ok()
}

/// The format of directories that this release makes.
pub const FORMAT: u64 = super::FORMAT;

/// The key of the database's counter of commits.
pub const COUNTER: &[u8] = layout::COUNTER;

/// The commit that a mark names.
pub fn mark(text: &str) -> Option<u64> {
    mark::parse(text)
}
