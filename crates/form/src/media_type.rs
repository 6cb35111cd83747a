//! Whether headers say that a body is a form.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// Whether exactly one `Content-Type` says that it is a form, in UTF-8, and nothing that it is
/// compressed. What else it may be is answered with 415 (RFC 9110 §15.5.16).
pub fn is_form(headers: &HeaderMap) -> bool {
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
    is_form && is_utf8 && !headers.contains_key(CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

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
            for coding in ["gzip", "identity", ""] {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
                assert!(!is_form(&headers), "{values:?} {coding}");
            }
        }
    }
}
