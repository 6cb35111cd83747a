//! One byte of a text changed, in every way that one byte can go wrong.

/// In how many ways.
pub(crate) const WAYS: usize = 18;

/// A changed text.
pub(crate) struct Mutation {
    pub(crate) bytes: Vec<u8>,
    /// Which byte.
    pub(crate) at: usize,
    /// In words, for whoever reads of a failed case.
    pub(crate) row: String,
}

/// The change of that number, of as many as the text has bytes, times [`WAYS`]. What comes out is
/// never the text itself.
pub(crate) fn of(text: &[u8], number: usize) -> Mutation {
    let (at, way) = (number / WAYS, number % WAYS);
    let mut bytes = text.to_vec();
    let mut set = |byte: u8| bytes[at] = if text[at] == byte { byte ^ 1 } else { byte };
    let row = match way {
        0..8 => {
            bytes[at] ^= 1 << way;
            "with another bit"
        }
        8 => (set(b'.'), "a dot").1,
        9 => (set(b'='), "an equals sign").1,
        10 => (set(b' '), "a space").1,
        11 => (set(0), "a NUL").1,
        12 => (set(b','), "a comma").1,
        13 => (set(b'"'), "a quotation mark").1,
        14 => {
            bytes.remove(at);
            "left out"
        }
        15 => {
            bytes.insert(at, text[at]);
            "twice"
        }
        16 => {
            bytes.truncate(at);
            "cut off before it"
        }
        _ => match text.get(at + 1) {
            Some(next) if *next != text[at] => {
                bytes.swap(at, at + 1);
                "after the next"
            }
            _ => (set(b'\\'), "a backslash").1,
        },
    };
    Mutation {
        row: format!("byte {at} {row} ({number})"),
        bytes,
        at,
    }
}

/// Whether a header field cannot hold it (RFC 9110 §5.5), so that HTTP/2 refuses (RFC 9113
/// §8.2.1) or passes it on as its library likes; the guard refuses it in any case.
pub(crate) fn is_no_field_value(bytes: &[u8]) -> bool {
    let outside = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    bytes.iter().any(outside)
}
