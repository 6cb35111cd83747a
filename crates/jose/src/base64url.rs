//! Strict base64url: one text for every byte string, and no other text for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is not base64url as RFC 7515 §2 has it: without padding, white space, `+` or `/`,
/// of a possible length, and with zero bits left over in its last character (RFC 4648 §3.5).
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not canonical base64url without padding")]
pub struct NotBase64Url;

/// Encodes without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encodes onto the end of `text`, without a string in between.
pub fn encode_onto(text: &mut String, bytes: impl AsRef<[u8]>) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes the one canonical text of a byte string.
///
/// # Errors
/// Any other text, also one that a lenient decoder would read as the same bytes.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// Decodes a text of exactly `N` bytes, without allocating.
///
/// # Errors
/// As [`decode`], and for any other length.
pub fn decode_array<const N: usize>(text: impl AsRef<[u8]>) -> Result<[u8; N], NotBase64Url> {
    let text = text.as_ref();
    let mut bytes = [0; N];
    // The length is checked first, so that what the decoder refuses for lack of room is refused
    // for the right reason.
    if text.len() != encoded_len(N) {
        return Err(NotBase64Url);
    }
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(written) if written == N => Ok(bytes),
        _ => Err(NotBase64Url),
    }
}

/// How many characters `bytes` bytes take.
pub const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}
