//! SHA-256, the only bare digest in use.

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256 of the parts, one after the other.
///
/// Parts are joined without separators: a caller whose parts vary in length puts lengths between.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let hashed = match parts {
        [only] => digest(&SHA256, only),
        // One pass over one buffer: a streaming context allocates on its own.
        many => digest(&SHA256, &many.concat()),
    };
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hashed.as_ref());
    bytes
}
