//! How names and values are encoded.

/// Decodes a name or a value: `+` is a space, `%` begins two hexadecimal digits, and all of it is
/// UTF-8. Anything else is nothing. NUL is never part of it.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => (digit(rest.next())? << 4) | digit(rest.next())?,
            other => *other,
        });
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    let value = char::from(*byte?).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_or_refused() {
        for (text, expected) in [
            ("plain", Some("plain")),
            ("a+b%20c", Some("a b c")),
            ("%2B%25", Some("+%")),
            ("%c3%a9", Some("é")),
            ("é", Some("é")),
            ("", Some("")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%c3", None),
            ("%ff", None),
            ("%00", None),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), expected, "{text}");
        }
        assert_eq!(decode(b"\xff"), None);
    }
}
