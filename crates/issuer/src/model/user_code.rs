//! User codes (RFC 8628 §6.1): what a person reads on a device and types somewhere else.

use std::fmt;

use zeroize::Zeroizing;

use super::Malformed;

/// RFC 8628 §6.1: no vowels, so that no code is a word, and no digits.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// 20^8 codes, 34 bits: few enough to type. That nobody can try many of them is the other half.
const CODE_LETTERS: usize = 8;

/// Somebody who types a code in the kindest way does not need more.
const TEXT_BYTES_MAX: usize = 64;

/// A user code: eight letters. Who types it decides about a device: not shown by `Debug`.
#[derive(Clone)]
pub struct UserCode(Zeroizing<[u8; CODE_LETTERS]>);

impl UserCode {
    /// The code made of 16 random bytes: 128 bits, so that the remainder prefers no letter by more
    /// than 2^-93.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let mut rest = u128::from_be_bytes(bytes);
        let mut letters = Zeroizing::new([0; CODE_LETTERS]);
        for letter in letters.iter_mut() {
            let place = usize::try_from(rest % LETTERS.len() as u128).unwrap_or_default();
            *letter = LETTERS[place];
            rest /= LETTERS.len() as u128;
        }
        Self(letters)
    }

    /// Reads what a person typed: in capitals or not, with hyphens and spaces or without.
    ///
    /// # Errors
    /// [`Malformed::Missing`] and [`Malformed::UserCode`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() {
            return Err(Malformed::Missing);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(Malformed::UserCode);
        }
        let mut letters = Zeroizing::new([0; CODE_LETTERS]);
        let mut places = letters.iter_mut();
        // RFC 8628 §6.1: what was added for legibility is left away again.
        for typed in text.chars().filter(|typed| typed.is_alphanumeric()) {
            let letter = u8::try_from(typed)
                .map(|byte| byte.to_ascii_uppercase())
                .ok()
                .filter(|byte| LETTERS.contains(byte))
                .ok_or(Malformed::UserCode)?;
            *places.next().ok_or(Malformed::UserCode)? = letter;
        }
        if places.next().is_some() {
            return Err(Malformed::UserCode);
        }
        Ok(Self(letters))
    }

    /// The eight letters.
    pub(crate) fn letters(&self) -> &[u8; CODE_LETTERS] {
        &self.0
    }

    /// What to show the person: `XXXX-XXXX`.
    pub fn reveal(&self) -> String {
        let (first, last) = self.0.split_at(CODE_LETTERS / 2);
        let text = |part: &[u8]| {
            part.iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
        };
        format!("{}-{}", text(first), text(last))
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(..)")
    }
}
