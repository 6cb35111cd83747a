use countersign_jose::base64url::{NotBase64Url, decode, decode_array, encode, encoded_len};

#[test]
fn one_text_for_every_byte_string() {
    let check = |text: &str, expected: Option<&[u8]>| {
        assert_eq!(decode(text).ok().as_deref(), expected, "{text:?}");
        if let Some(bytes) = expected {
            assert_eq!(encode(bytes), text);
            assert_eq!(encoded_len(bytes.len()), text.len());
        }
    };
    check("", Some(b""));
    check("AA", Some(&[0]));
    check("AAA", Some(&[0, 0]));
    check("AAAA", Some(&[0, 0, 0]));
    check("_-8", Some(&[0xff, 0xef]));
    // Padding, whole or in part.
    check("AA==", None);
    check("AA=", None);
    check("AAA=", None);
    check("=", None);
    // The other alphabet.
    check("/+8", None);
    // White space.
    check(" AAAA", None);
    check("AAAA\n", None);
    check("AA AA", None);
    // Bits left over in the last character.
    check("AB", None);
    check("AAB", None);
    check("AP", None);
    // A length that no byte string has.
    check("A", None);
    check("AAAAA", None);
    // Not in any alphabet.
    check("AA.A", None);
    check("AAé", None);
    check("AA\0A", None);
}

#[test]
fn an_array_has_exactly_its_size() {
    assert_eq!(decode_array::<2>("AAA"), Ok([0, 0]));
    assert_eq!(decode_array::<2>("AA"), Err(NotBase64Url));
    assert_eq!(decode_array::<2>("AAAA"), Err(NotBase64Url));
    assert_eq!(decode_array::<2>("AAB"), Err(NotBase64Url));
    assert_eq!(decode_array::<0>(""), Ok([]));
}
