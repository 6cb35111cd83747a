//! What a reference token looks like.

/// What a reference token begins with. No JWT does: `csa_` is not how an encoded JSON object begins.
const PREFIX: &str = "csa_";

/// The 56 bytes of a handle (which key, which record, which generation, and their MAC) in
/// base64url. Only the issuer has the key of the MAC.
const HANDLE_CHARS: usize = 75;

/// Whether a token is a reference, by its beginning alone.
pub(crate) fn is_reference(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// Whether the issuer's references look like this one. Nobody is asked about one that does not.
pub(super) fn is_well_formed(reference: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    reference
        .strip_prefix(PREFIX)
        .is_some_and(|handle| handle.len() == HANDLE_CHARS && handle.bytes().all(is_base64url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_75_characters_of_base64url_behind_its_prefix() {
        let of = |handle: &str| format!("csa_{handle}");
        let good = format!("{}-_9zZ", "A".repeat(70));
        assert!(is_well_formed(&of(&good)));
        for bad in [
            String::new(),
            good[1..].to_owned(),
            format!("{good}A"),
            format!("{}=", &good[1..]),
            format!("{}+", &good[1..]),
            format!("{}/", &good[1..]),
            format!("{}.", &good[1..]),
            // As many bytes, fewer characters.
            format!("{}ä", &good[2..]),
        ] {
            assert!(!is_well_formed(&of(&bad)), "{bad}");
        }
        assert!(!is_well_formed(&format!("CSA_{good}")));
        assert!(!is_well_formed(&good));
    }
}
