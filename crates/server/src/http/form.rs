//! A body of parameters (RFC 6749 appendix B), read strictly: what one reader takes for something
//! else than another is refused.

use std::time::Duration;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use ::http::{HeaderMap, Uri};
use axum::body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::problem::{Misfit, Problem};
use crate::refused::Refused;
use crate::wire::MESSAGE_BYTES_MAX;

/// The rest of a request comes within this time. Less than a call may take in all, so that who is
/// late is told that it was the request.
const BODY_DUE: Duration = Duration::from_secs(5);

/// Parameters that may be there several times (RFC 8707 §2).
const LISTS: [&str; 1] = ["resource"];

/// More than any request has, and few enough that looking for one among them costs nothing.
const PARAMETERS_MAX: usize = 64;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The parameters of a request. Holds secrets, so it does not print them.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the body.
    pub(super) async fn read(uri: &Uri, headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        // RFC 6749 §3.2: in the body, and nowhere else: paths are logged.
        if uri.query().is_some() {
            return Err(wrong("query", "must be absent: parameters go in the body"));
        }
        if !is_form(headers) || headers.contains_key(CONTENT_ENCODING) {
            return Err(Misfit::MediaType.into());
        }
        let whole = timeout(BODY_DUE, Limited::new(body, MESSAGE_BYTES_MAX).collect()).await;
        match whole {
            Err(_) => Err(Misfit::Late.into()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Misfit::TooLarge.into()),
            Ok(Err(_)) => Err(Misfit::Cut.into()),
            Ok(Ok(whole)) => Self::parse("body", &whole.to_bytes()),
        }
    }

    /// The parameters of an address, which are read as strictly.
    pub(super) fn of_query(uri: &Uri) -> Result<Self, Problem> {
        Self::parse("query", uri.query().unwrap_or_default().as_bytes())
    }

    /// `place` is where they stand: what is refused there names it.
    fn parse(place: &'static str, bytes: &[u8]) -> Result<Self, Problem> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            if parameters.len() == PARAMETERS_MAX {
                return Err(wrong(place, "must have at most 64 parameters"));
            }
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(wrong(
                    place,
                    "must be UTF-8, percent-encoded as HTML forms are",
                ));
            };
            // RFC 6749 §3.2: no parameter twice, known or not.
            if !LISTS.contains(&name.as_str()) && parameters.iter().any(|(other, _)| *other == name)
            {
                return Err(wrong(place, "must not have a parameter twice"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter. RFC 6749 §3.2: one without a value is as if it were not there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// As [`get`](Self::get); empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All values of a parameter that may be there several times.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.all(name).collect()
    }

    /// The words of a parameter (RFC 6749 §3.3).
    pub(super) fn words(&self, name: &str) -> Vec<&str> {
        let words = self.text(name).split(' ');
        words.filter(|word| !word.is_empty()).collect()
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(other, value)| other == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

fn wrong(field: &'static str, expected: &'static str) -> Problem {
    Refused::Field { field, expected }.into()
}

/// Whether exactly one `Content-Type` says that it is a form, in UTF-8.
fn is_form(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let is_form = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case(MEDIA_TYPE));
    let is_utf8 = parts
        .filter_map(|part| part.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .all(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
    is_form && is_utf8
}

/// `application/x-www-form-urlencoded`: `+` is a space, `%` begins two hexadecimal digits, and all of
/// it is UTF-8. Anything else is nothing. NUL is never part of a parameter.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
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
    use ::http::HeaderValue;

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

    #[test]
    fn parameters_are_there_once() {
        let form = Form::parse("body", b"a=1&resource=x&b=&&resource=y&c&d=2=3").ok();
        let form = form.expect("a form");
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.get("b"), None);
        assert_eq!(form.get("c"), None);
        assert_eq!(form.text("d"), "2=3");
        assert_eq!(form.list("resource"), ["x", "y"]);
        for twice in ["a=1&a=1", "a=1&b=2&a=", "a=&a=", "x&x", "a=1&%61=2"] {
            assert!(Form::parse("body", twice.as_bytes()).is_err(), "{twice}");
        }
        let many: Vec<_> = (0..65).map(|n| format!("p{n}=1")).collect();
        assert!(Form::parse("body", many[..64].join("&").as_bytes()).is_ok());
        assert!(Form::parse("body", many.join("&").as_bytes()).is_err());
    }

    #[test]
    fn a_form_says_that_it_is_one() {
        for (values, expected) in [
            (&[MEDIA_TYPE][..], true),
            (&["Application/X-WWW-Form-URLEncoded; charset=UTF-8"], true),
            (
                &["application/x-www-form-urlencoded;charset=\"utf-8\""],
                true,
            ),
            (
                &["application/x-www-form-urlencoded; charset=latin1"],
                false,
            ),
            (&["application/json"], false),
            (&["multipart/form-data; boundary=x"], false),
            (&["text/plain, application/x-www-form-urlencoded"], false),
            (&[MEDIA_TYPE, MEDIA_TYPE], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            assert_eq!(is_form(&headers), expected, "{values:?}");
        }
    }
}
