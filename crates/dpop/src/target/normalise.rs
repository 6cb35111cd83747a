//! RFC 3986 §6.2.2 and §6.2.3, for `http` and `https`, strictly.
//!
//! A browser's URL parser is of no use here: it repairs what it reads (backslashes, tabs, missing
//! slashes), so two different texts would be the same target.

use std::net::Ipv6Addr;

/// Why a text is not an absolute `http` or `https` URI.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TargetError {
    /// A character that no URI has, or not where it stands.
    #[error("the URI holds a character that is not allowed there")]
    Character,
    /// No `://`.
    #[error("the URI is not absolute")]
    NotAbsolute,
    /// Neither `http` nor `https`.
    #[error("the URI's scheme is neither http nor https")]
    Scheme,
    /// A user name, perhaps with a password, before the host.
    #[error("the URI has user information")]
    UserInfo,
    /// No host, or a malformed one.
    #[error("the URI's host is missing or malformed")]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error("the URI's port is malformed")]
    Port,
    /// A `%` without two hexadecimal digits.
    #[error("the URI has a malformed percent-encoding")]
    PercentEncoding,
}

pub(super) fn normalise(uri: &str) -> Result<String, TargetError> {
    if !uri.bytes().all(is_uri_byte) {
        return Err(TargetError::Character);
    }
    let (scheme, rest) = uri.split_once("://").ok_or(TargetError::NotAbsolute)?;
    let (scheme, default_port) = known_scheme(scheme)?;
    // RFC 9449 §4.3 (9): query and fragment are ignored.
    let rest = rest.find(['?', '#']).map_or(rest, |end| &rest[..end]);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));

    let mut normal = String::with_capacity(uri.len() + 1);
    normal.push_str(scheme);
    normal.push_str("://");
    push_authority(&mut normal, authority, default_port)?;
    push_path(&mut normal, path)?;
    Ok(normal)
}

/// §6.2.2.1: the case of a scheme means nothing. §6.2.3: each has a port of its own.
fn known_scheme(scheme: &str) -> Result<(&'static str, u16), TargetError> {
    if scheme.eq_ignore_ascii_case("https") {
        Ok(("https", 443))
    } else if scheme.eq_ignore_ascii_case("http") {
        Ok(("http", 80))
    } else {
        Err(TargetError::Scheme)
    }
}

fn push_authority(
    normal: &mut String,
    authority: &str,
    default_port: u16,
) -> Result<(), TargetError> {
    if authority.contains('@') {
        return Err(TargetError::UserInfo);
    }
    let port = match authority.strip_prefix('[') {
        Some(literal) => {
            let (address, port) = literal.split_once(']').ok_or(TargetError::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| TargetError::Host)?;
            normal.push('[');
            normal.push_str(&address.to_string());
            normal.push(']');
            match port.strip_prefix(':') {
                Some(port) => port,
                None if port.is_empty() => "",
                None => return Err(TargetError::Host),
            }
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            push_name(normal, host)?;
            port
        }
    };
    // §6.2.3: an empty port is the default one.
    if !port.is_empty() {
        let number = port_number(port)?;
        if number != default_port {
            normal.push(':');
            normal.push_str(port);
        }
    }
    Ok(())
}

fn port_number(port: &str) -> Result<u16, TargetError> {
    // One port has one text: no sign, no leading zero.
    let plain = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    port.parse().ok().filter(|_| plain).ok_or(TargetError::Port)
}

/// §6.2.2.1: the case of a host means nothing. §6.2.2.2: unreserved characters are decoded; a name
/// with any other percent-encoding is none that DNS knows.
fn push_name(normal: &mut String, name: &str) -> Result<(), TargetError> {
    if name.is_empty() {
        return Err(TargetError::Host);
    }
    let mut rest = name.as_bytes();
    while let [byte, after @ ..] = rest {
        let byte = if *byte == b'%' {
            let decoded = percent_encoded(after)?;
            rest = &after[2..];
            if !is_unreserved(decoded) {
                return Err(TargetError::Host);
            }
            decoded
        } else {
            rest = after;
            *byte
        };
        if !is_unreserved(byte) && !is_sub_delim(byte) {
            return Err(TargetError::Host);
        }
        normal.push(char::from(byte.to_ascii_lowercase()));
    }
    Ok(())
}

fn push_path(normal: &mut String, path: &str) -> Result<(), TargetError> {
    let decoded = decode_unreserved(path)?;
    // §6.2.2.3, after the decoding: `%2e%2e` is a dot segment too.
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_dots = false;
    // §6.2.3: an empty path is `/`; the part before the first slash is empty in either case.
    for segment in decoded.split('/').skip(1) {
        ends_in_dots = true;
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => {
                kept.push(other);
                ends_in_dots = false;
            }
        }
    }
    for segment in &kept {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_in_dots || kept.is_empty() {
        normal.push('/');
    }
    Ok(())
}

/// §6.2.2.2: unreserved characters are decoded. §6.2.2.1: other encodings are upper-case.
fn decode_unreserved(path: &str) -> Result<String, TargetError> {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        if *byte == b'%' {
            let byte = percent_encoded(after)?;
            rest = &after[2..];
            if is_unreserved(byte) {
                decoded.push(char::from(byte));
            } else {
                decoded.push('%');
                decoded.extend(
                    after[..2]
                        .iter()
                        .map(|hex| char::from(hex.to_ascii_uppercase())),
                );
            }
        } else if *byte == b'/' || is_pchar(*byte) {
            decoded.push(char::from(*byte));
            rest = after;
        } else {
            return Err(TargetError::Character);
        }
    }
    Ok(decoded)
}

/// The byte that the two digits after a `%` stand for.
fn percent_encoded(after: &[u8]) -> Result<u8, TargetError> {
    let [high, low, ..] = after else {
        return Err(TargetError::PercentEncoding);
    };
    let digit = |hex: &u8| {
        char::from(*hex)
            .to_digit(16)
            .ok_or(TargetError::PercentEncoding)
    };
    // Two digits make at most 255.
    Ok((digit(high)? * 16 + digit(low)?) as u8)
}

/// Whether the two digits after a `%` stay as they are when a path is normalised.
pub(super) fn is_normal_encoding(after: &[u8]) -> bool {
    let upper = |digit: &u8| digit.is_ascii_digit() || matches!(digit, b'A'..=b'F');
    after.iter().take(2).all(upper) && percent_encoded(after).is_ok_and(|byte| !is_unreserved(byte))
}

/// RFC 3986 §3.3, `pchar` without percent-encodings.
pub(super) fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delim(byte) || matches!(byte, b':' | b'@')
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §2.2.
fn is_sub_delim(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    )
}

/// RFC 3986 §2: everything that may stand somewhere in a URI.
fn is_uri_byte(byte: u8) -> bool {
    is_pchar(byte) || matches!(byte, b'%' | b'/' | b'?' | b'#' | b'[' | b']')
}
