//! What a peer that speaks for itself sends (RFC 9113).

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// RFC 9113 §6.
pub(super) const GOAWAY: u8 = 7;

/// RFC 9113 §4.1.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes(), payload].concat()
}

pub(super) fn settings() -> Vec<u8> {
    frame(4, 0, 0, &[])
}

/// RFC 9113 §6.2.
pub(super) const HEADERS: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// POST http://x/never (RFC 7541): two of the static table, the path, and an authority.
pub(super) fn head(flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, 1, b"\x83\x86\x04\x06/never\x01\x01x")
}
