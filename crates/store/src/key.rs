//! What records and logs are called.

use std::fmt;

use crate::Malformed;

/// Ends a part of a key. Sorts before [`ZERO`], so that a part sorts before every longer one.
const END: [u8; 2] = [0x00, 0x01];
/// Stands for a zero byte inside a part.
const ZERO: [u8; 2] = [0x00, 0xFF];

/// The name of a record: a few parts, such as `client`, `orders`.
///
/// Keys sort by their parts, and a key of fewer parts is a *prefix* of every key that begins with
/// the same parts: this is what [`scan`](crate::Store::scan) takes.
///
/// A key appears in logs and errors: put nothing secret into one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// The longest key, in encoded bytes: what a page of the embedded store's index can hold
    /// several hundred of.
    pub const BYTES_MAX: usize = 1024;

    /// A key of one part, the kind of record that it names.
    pub fn of(kind: &str) -> Self {
        Self(Vec::with_capacity(kind.len() + 32)).and(kind)
    }

    /// A key of these parts.
    pub fn new<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        parts.into_iter().fold(Self(Vec::new()), Self::and)
    }

    /// This key with one more part.
    #[must_use]
    pub fn and(mut self, part: impl AsRef<[u8]>) -> Self {
        for &byte in part.as_ref() {
            match byte {
                0x00 => self.0.extend(ZERO),
                byte => self.0.push(byte),
            }
        }
        self.0.extend(END);
        self
    }

    /// The parts that it was made of.
    pub fn parts(&self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        let mut part = Vec::new();
        let mut bytes = self.0.iter().copied();
        while let Some(byte) = bytes.next() {
            match (byte, if byte == 0x00 { bytes.next() } else { None }) {
                (0x00, Some(0xFF)) => part.push(0x00),
                (0x00, _) => parts.push(std::mem::take(&mut part)),
                (byte, _) => part.push(byte),
            }
        }
        parts
    }

    /// The first part, as it is shown: the kind of record.
    pub(crate) fn kind(&self) -> String {
        let first = self.parts().into_iter().next().unwrap_or_default();
        first.escape_ascii().to_string()
    }

    /// Whether `prefix`'s parts are the first of this key's.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The encoded bytes, in whose order keys sort.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A key from the bytes that [`as_bytes`](Self::as_bytes) gave: page tokens and backups.
    ///
    /// # Errors
    /// [`Malformed::Key`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let key = Self(bytes.to_vec());
        if key.0.len() > Self::BYTES_MAX || Self::new(key.parts()) != key {
            return Err(Malformed::Key);
        }
        Ok(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Key {
    /// The parts between slashes, with what is not printable ASCII escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts().iter().enumerate() {
            let slash = if index == 0 { "" } else { "/" };
            write!(f, "{slash}{}", part.escape_ascii())?;
        }
        Ok(())
    }
}

/// The name of a log: entries numbered from 1 without a gap.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Log(&'static str);

impl Log {
    /// The log of this name.
    ///
    /// # Panics
    /// If the name is empty or longer than 64 bytes: names are constants, so a wrong one does not
    /// compile where it is declared as such.
    pub const fn named(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= 64,
            "a log's name has 1 to 64 bytes"
        );
        Self(name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![Just(0x00), Just(0x01), Just(0xFF), any::<u8>()];
        prop::collection::vec(prop::collection::vec(byte, 0..6), 0..4)
    }

    proptest! {
        #[test]
        fn parts_come_back(parts in parts()) {
            prop_assert_eq!(Key::new(&parts).parts(), parts);
        }

        #[test]
        fn keys_sort_by_their_parts(a in parts(), b in parts()) {
            prop_assert_eq!(Key::new(&a).cmp(&Key::new(&b)), a.cmp(&b));
        }

        #[test]
        fn a_prefix_is_whole_parts(a in parts(), b in parts()) {
            prop_assert_eq!(Key::new(&a).starts_with(&Key::new(&b)), a.starts_with(&b));
        }

        #[test]
        fn bytes_are_a_key_or_refused(bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..9)) {
            if let Ok(key) = Key::from_bytes(&bytes) {
                let again = Key::new(key.parts());
                prop_assert_eq!(again.as_bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn a_key_reads_as_a_path() {
        assert_eq!(
            Key::of("client").and([0, 7]).to_string(),
            r"client/\x00\x07"
        );
    }
}
