//! Distinguished names (X.501), written as RFC 4514 has it and compared strictly.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use super::Malformed;

/// The longest name that is read: a certificate with more names itself like nothing honest.
const NAME_BYTES_MAX: usize = 1024;

/// RFC 4514 §3, and two that everybody writes by name.
const KEYWORDS: [(&str, &str); 11] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("serialNumber", "2.5.4.5"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
];

/// A name: its parts from the most general one on, as a certificate has them. Each part is a set of
/// attributes, by object identifier and value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DistinguishedName(Vec<BTreeSet<(String, String)>>);

impl DistinguishedName {
    /// Reads the form of RFC 4514: the most special part first. Values in hexadecimal BER (`#04…`)
    /// are not taken.
    ///
    /// # Errors
    /// [`Malformed::DistinguishedName`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Err(Malformed::DistinguishedName);
        }
        let mut chars = text.chars().peekable();
        let mut parts = vec![BTreeSet::new()];
        loop {
            let attribute = attribute(&mut chars).ok_or(Malformed::DistinguishedName)?;
            // There is a first one, and each comma adds one.
            let fresh = parts.last_mut().is_some_and(|part| part.insert(attribute));
            if !fresh {
                return Err(Malformed::DistinguishedName);
            }
            match chars.next() {
                None => break,
                Some(',') => parts.push(BTreeSet::new()),
                // What a value ends with.
                Some(_) => {}
            }
        }
        parts.reverse();
        Ok(Self(parts))
    }

    /// The name in a certificate: its parts in their order, of each the attributes by object
    /// identifier and value.
    pub fn from_parts(parts: impl IntoIterator<Item = BTreeSet<(String, String)>>) -> Self {
        Self(parts.into_iter().collect())
    }
}

/// `CN=value`, up to the comma or the plus behind it.
fn attribute(chars: &mut Peekable<Chars<'_>>) -> Option<(String, String)> {
    let mut kind = String::new();
    loop {
        match chars.next()? {
            '=' => break,
            c if c.is_ascii_alphanumeric() || c == '.' || c == '-' => kind.push(c),
            _ => return None,
        }
    }
    let oid = oid(&kind)?;
    let value = value(chars)?;
    (!value.is_empty()).then_some((oid, value))
}

/// RFC 4514 §2.3: a keyword without regard to case, or a dotted number.
fn oid(kind: &str) -> Option<String> {
    let mut known = KEYWORDS.iter();
    if let Some((_, oid)) = known.find(|(keyword, _)| keyword.eq_ignore_ascii_case(kind)) {
        return Some((*oid).to_owned());
    }
    let number = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && (part == "0" || !part.starts_with('0'))
    };
    let dotted = kind.contains('.') && kind.split('.').all(number);
    dotted.then(|| kind.to_owned())
}

/// RFC 4514 §2.4, with what is escaped put back.
fn value(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut bytes = Vec::new();
    // A space at either end is escaped, or the value begins or ends elsewhere for another reader.
    if matches!(chars.peek(), Some('#' | ' ')) {
        return None;
    }
    let mut bare_space = false;
    while let Some(&next) = chars.peek() {
        match next {
            ',' | '+' => break,
            '"' | ';' | '<' | '>' => return None,
            c if c.is_control() => return None,
            '\\' => {
                chars.next();
                bytes.extend(escaped(chars)?);
                bare_space = false;
            }
            c => {
                chars.next();
                bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                bare_space = c == ' ';
            }
        }
    }
    // A separator needs something behind it.
    let mut rest = chars.clone();
    let dangling = rest.next().is_some() && rest.next().is_none();
    if bare_space || dangling {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// What stands behind a backslash: a special character, or a byte in hexadecimal.
fn escaped(chars: &mut Peekable<Chars<'_>>) -> Option<Vec<u8>> {
    let first = chars.next()?;
    if matches!(
        first,
        '"' | '+' | ',' | ';' | '<' | '>' | ' ' | '#' | '=' | '\\'
    ) {
        return Some(vec![first as u8]);
    }
    let high = first.to_digit(16)?;
    let low = chars.next()?.to_digit(16)?;
    // A control character is in no honest name.
    let byte = u8::try_from(high * 16 + low).ok()?;
    (byte >= b' ').then(|| vec![byte])
}
