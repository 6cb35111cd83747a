//! Whether a form that arrives is ours, and was sent from a page of ours.
//!
//! Three things have to be right: the browser says that the page was ours (`Sec-Fetch-Site`, or
//! `Origin` where it does not know that), it brings the cookie, and the form carries the token that
//! belongs to the cookie. The cookie begins with `__Host-`: no neighbour of the domain can set it.

use http::HeaderMap;
use http::header::ORIGIN;
use subtle::ConstantTimeEq as _;

use crate::session::BrowserId;

/// Whether the browser says that one of our pages sent the form. A browser that says nothing is
/// none that people use.
pub(crate) fn from_our_page(headers: &HeaderMap, own_origin: &str) -> bool {
    let site = headers.get("sec-fetch-site");
    let origin = headers.get(ORIGIN);
    let site_is_ours = site.is_none_or(|site| site == "same-origin");
    let origin_is_ours = origin.is_none_or(|origin| origin == own_origin);
    let said = site.is_some() || origin.is_some();
    said && site_is_ours && origin_is_ours
}

/// Whether it is the token of that browser's forms.
pub(crate) fn is_token_of(browser: &BrowserId, token: &str) -> bool {
    browser
        .form_token()
        .as_bytes()
        .ct_eq(token.as_bytes())
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_send_forms() {
        for (site, origin, expected) in [
            (Some("same-origin"), Some("https://a.example"), true),
            (Some("same-origin"), None, true),
            (None, Some("https://a.example"), true),
            (None, None, false),
            (Some("same-site"), Some("https://a.example"), false),
            (Some("cross-site"), None, false),
            (Some("none"), None, false),
            (Some("same-origin"), Some("https://b.example"), false),
            (None, Some("http://a.example"), false),
            (None, Some("null"), false),
            (None, Some("https://a.example.evil.example"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            let ours = from_our_page(&headers, "https://a.example");
            assert_eq!(ours, expected, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn a_token_belongs_to_one_browser() {
        let (one, another) = (BrowserId::of([1; 32]), BrowserId::of([2; 32]));
        assert!(is_token_of(&one, &one.form_token()));
        assert!(!is_token_of(&one, &another.form_token()));
        assert!(!is_token_of(&one, &one.reveal()));
        assert!(!is_token_of(&one, ""));
    }
}
