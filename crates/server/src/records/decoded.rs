//! Records that were decoded before. Clients and resources are read by nearly every call and
//! change seldom, and parsing one costs more than reading it: a client's key set above all.
//!
//! The store stays the truth: a record is read each time, and what was decoded counts only while
//! the record has the version that it was decoded from. No version comes twice, so none is
//! mistaken for another.

use std::sync::Arc;

use countersign_issuer::Known;
use countersign_store::{Key, Versioned};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::record::{Damaged, Recorded};

/// Of encoded records; decoded they take about four times as much. Some 20,000 clients of the
/// usual size. Beyond that, those asked for least are decoded anew.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A record of 400 bytes is usual.
const RECORDS_EXPECTED: usize = 20_000;

/// Values of one kind, by where their records are.
pub(super) struct Decoded<T>(Cache<Key, Held<T>, EncodedBytes>);

struct Held<T> {
    known: Known<Arc<T>>,
    encoded_bytes: u64,
}

#[derive(Clone)]
struct EncodedBytes;

impl<T> Default for Decoded<T> {
    fn default() -> Self {
        Self(Cache::with_weighter(
            RECORDS_EXPECTED,
            BYTES_MAX,
            EncodedBytes,
        ))
    }
}

impl<T: Recorded> Decoded<T> {
    /// The value of the record that was `found` under `key`.
    pub(super) fn read(&self, key: &Key, found: &Versioned) -> Result<Known<Arc<T>>, Damaged> {
        if let Some(held) = self.0.get(key)
            && held.known.version == found.version
        {
            return Ok(held.known);
        }
        let known = Known::new(Arc::new(T::decode(&found.value)?), found.version);
        let held = Held {
            known: known.clone(),
            encoded_bytes: found.value.len() as u64,
        };
        self.0.insert(key.clone(), held);
        Ok(known)
    }
}

// Derived, it would ask the same of `T`.
impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self {
            known: self.known.clone(),
            encoded_bytes: self.encoded_bytes,
        }
    }
}

impl<T> Weighter<Key, Held<T>> for EncodedBytes {
    fn weight(&self, key: &Key, held: &Held<T>) -> u64 {
        held.encoded_bytes + key.as_bytes().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use countersign_store::Version;

    use super::*;

    /// Its text, and a count of those that share it.
    struct Text(String);

    impl Recorded for Text {
        fn encode(&self) -> Bytes {
            self.0.clone().into()
        }

        fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
            let text = std::str::from_utf8(bytes).map_err(|_| Damaged)?;
            Ok(Self(text.to_owned()))
        }
    }

    fn found(version: u64, text: &str) -> Versioned {
        Versioned {
            version: Version::new(version),
            value: text.to_owned().into(),
            expires_at_millis: None,
        }
    }

    #[test]
    fn what_was_decoded_is_shared_while_its_record_stays() {
        let decoded = Decoded::<Text>::default();
        let key = Key::of("text");
        let read = |found: &Versioned| decoded.read(&key, found).expect("a text").value;
        let first = read(&found(1, "one"));
        assert!(Arc::ptr_eq(&first, &read(&found(1, "one"))));
    }

    #[test]
    fn a_record_that_was_written_again_is_decoded_again() {
        let decoded = Decoded::<Text>::default();
        let key = Key::of("text");
        for (version, text) in [(1, "one"), (2, "two"), (1, "one")] {
            let known = decoded.read(&key, &found(version, text)).expect("a text");
            assert_eq!(
                (known.version, &*known.value.0),
                (Version::new(version), text)
            );
        }
    }

    #[test]
    fn one_record_is_not_another() {
        let decoded = Decoded::<Text>::default();
        for (kind, text) in [("a", "one"), ("b", "two")] {
            let known = decoded
                .read(&Key::of(kind), &found(1, text))
                .expect("a text");
            assert_eq!(known.value.0, text);
        }
    }

    #[test]
    fn damage_is_not_kept() {
        let decoded = Decoded::<Text>::default();
        let key = Key::of("text");
        let damaged = Versioned {
            value: vec![0xff].into(),
            ..found(1, "")
        };
        assert!(decoded.read(&key, &damaged).is_err());
        assert!(decoded.read(&key, &damaged).is_err());
    }

    #[test]
    fn large_records_do_not_fill_the_memory() {
        let decoded = Decoded::<Text>::default();
        let large = "x".repeat(64 * 1024);
        for n in 0..1_000_u32 {
            let key = Key::of("text").and(n.to_be_bytes());
            decoded.read(&key, &found(1, &large)).expect("a text");
        }
        assert!(decoded.0.weight() <= BYTES_MAX);
        assert!(decoded.0.len() > 1, "they are kept all the same");
    }
}
