//! Forms and queries (`application/x-www-form-urlencoded`; RFC 6749 appendix B), read strictly: what
//! one reader takes for something else than another is refused.

mod encoding;
mod media_type;
mod read;

use thiserror::Error;
use zeroize::Zeroizing;

pub use encoding::decode;
pub use media_type::is_form;
pub use read::{RestDue, Unread, read};

/// What a form may be like.
#[derive(Copy, Clone, Debug)]
pub struct Rules {
    /// Fields that may be there several times; no other may, known or not.
    pub lists: &'static [&'static str],
    /// How many fields it has at most: few enough that looking for one among them costs nothing.
    pub fields_max: usize,
}

/// Names and values.
pub type Fields = Vec<(String, Zeroizing<String>)>;

/// Why bytes are no form.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Error)]
pub enum NotAForm {
    /// It has more fields than [`Rules::fields_max`].
    #[error("there are too many fields")]
    TooMany,
    /// A name or a value is not encoded as forms are; see [`decode`].
    #[error("it must be UTF-8, percent-encoded as HTML forms are")]
    Encoding,
    /// A field that is none of [`Rules::lists`] is there twice (RFC 6749 §3.2).
    #[error("a field is there twice")]
    Twice,
}

/// Names and values, in order. Values may be secrets, so they are wiped when they are dropped. A field
/// without `=` has an empty value; between two `&` there may be nothing.
///
/// # Errors
/// [`NotAForm`].
pub fn parse(bytes: &[u8], rules: Rules) -> Result<Fields, NotAForm> {
    let mut fields = Fields::new();
    for pair in bytes.split(|byte| *byte == b'&') {
        if pair.is_empty() {
            continue;
        }
        if fields.len() == rules.fields_max {
            return Err(NotAForm::TooMany);
        }
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        let name = decode(name).ok_or(NotAForm::Encoding)?;
        let value = decode(value).ok_or(NotAForm::Encoding)?;
        let may_repeat = rules.lists.contains(&name.as_str());
        if !may_repeat && fields.iter().any(|(other, _)| *other == name) {
            return Err(NotAForm::Twice);
        }
        fields.push((name, Zeroizing::new(value)));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        lists: &["resource"],
        fields_max: 4,
    };

    fn check(text: &str, expected: Result<&[(&str, &str)], NotAForm>) {
        let read = parse(text.as_bytes(), RULES);
        let expected = expected.map(|fields| {
            let fields = fields.iter();
            let own = |text: &str| text.to_owned();
            let fields = fields.map(|(name, value)| (own(name), Zeroizing::new(own(value))));
            fields.collect::<Fields>()
        });
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn a_form_is_read_in_one_way_or_not_at_all() {
        check("", Ok(&[]));
        check("&&", Ok(&[]));
        check("a=1&b=&&c", Ok(&[("a", "1"), ("b", ""), ("c", "")]));
        check("d=2=3&e+f=%26", Ok(&[("d", "2=3"), ("e f", "&")]));
        check(
            "resource=x&resource=x&resource=",
            Ok(&[("resource", "x"), ("resource", "x"), ("resource", "")]),
        );
        for twice in ["a=1&a=1", "a=1&b=2&a=", "a=&a=", "x&x", "a=1&%61=2", "=&="] {
            check(twice, Err(NotAForm::Twice));
        }
        for bad in ["a=%", "%zz=1", "a=%ff", "a=1&b=%00"] {
            check(bad, Err(NotAForm::Encoding));
        }
        check("a&b&c&d&e", Err(NotAForm::TooMany));
        check(
            "a&b&c&d&&",
            Ok(&[("a", ""), ("b", ""), ("c", ""), ("d", "")]),
        );
    }
}
