//! What a browser keeps between leaving for the login application and coming back (RFC 6265bis).
//!
//! Each request has a cookie of its own, so that several are under way in tabs beside each other and
//! none ends another.

use ::http::header::{COOKIE, SET_COOKIE};
use ::http::{HeaderMap, HeaderValue};
use countersign_issuer::model::RecordId;
use countersign_jose::base64url;

use crate::desk::Handover;

/// Requests under way in one browser. Their cookies come with every request, so there must be few;
/// the oldest are given up.
const UNDER_WAY_MAX: usize = 16;

/// Of a service that browsers reach by https: no other host and no other path can plant it. No other
/// cookie of the service, that of the login application least of all, has a name that begins so.
const SECURE: &str = "__Host-countersign-request-";
/// Of one that is developed with over plain http, where browsers refuse the prefix.
const PLAIN: &str = "countersign-request-";

/// The cookies of this service.
#[derive(Copy, Clone, Debug)]
pub(super) struct Cookies {
    secure: bool,
}

impl Cookies {
    /// `issuer` says what browsers see, whatever stands in front of the service.
    pub(super) fn of_issuer(issuer: &str) -> Self {
        Self {
            secure: issuer.starts_with("https:"),
        }
    }

    /// Has the browser keep what belongs to the request.
    pub(super) fn keep(self, handover: &Handover) -> Option<HeaderValue> {
        let name = self.name(&handover.record.to_string());
        let age = handover.kept_for.as_secs();
        self.cookie(&name, handover.keeps.reveal(), age)
    }

    /// Has the browser forget what belongs to the request.
    pub(super) fn forget(self, record: RecordId) -> Option<HeaderValue> {
        self.cookie(&self.name(&record.to_string()), "", 0)
    }

    /// What the browser keeps for the request. Two of them are none: one is somebody else's.
    pub(super) fn of(self, record: RecordId, headers: &HeaderMap) -> Option<String> {
        let name = self.name(&record.to_string());
        let mut values = pairs(headers).filter(|(other, _)| *other == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value.to_owned()),
            _ => None,
        }
    }

    /// Makes room for one more: browsers send the oldest first (RFC 6265 §5.4).
    pub(super) fn crowded_out(self, headers: &HeaderMap) -> Vec<HeaderValue> {
        let ours: Vec<_> = pairs(headers)
            .map(|(name, _)| name)
            .filter(|name| self.is_ours(name))
            .collect();
        let over = (ours.len() + 1).saturating_sub(UNDER_WAY_MAX);
        let old = ours.into_iter().take(over);
        old.filter_map(|name| self.cookie(name, "", 0)).collect()
    }

    pub(super) fn set(headers: &mut HeaderMap, cookies: impl IntoIterator<Item = HeaderValue>) {
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie);
        }
    }

    const fn prefix(self) -> &'static str {
        if self.secure { SECURE } else { PLAIN }
    }

    fn name(self, record: &str) -> String {
        format!("{}{record}", self.prefix())
    }

    fn is_ours(self, name: &str) -> bool {
        let record = name.strip_prefix(self.prefix());
        record.is_some_and(|record| base64url::decode_array::<16>(record).is_ok())
    }

    /// `Lax`: the browser comes back from another site, by a link it follows as a whole page, and
    /// shows the cookie then; not with what another page loads or posts.
    fn cookie(self, name: &str, value: &str, age: u64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).ok()
    }
}

/// Name and value of each cookie, in the order in which they came. One that is no text is passed over by
/// itself: a neighbour's host can plant it beside ours, and must not hide them.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .filter_map(|pair| str::from_utf8(pair).ok())
        .filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(byte: u8) -> RecordId {
        RecordId::from_bytes([byte; 16])
    }

    fn sent(values: &[String]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes());
            headers.append(COOKIE, value.expect("a value"));
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_by_its_request_alone() {
        let cookies = Cookies::of_issuer("https://a.example/t");
        let mine = cookies.name(&record(1).to_string());
        let other = cookies.name(&record(2).to_string());
        for (values, expected) in [
            (vec![format!("{mine}=x")], Some("x")),
            (vec![format!("a=b; {other}=y;  {mine}=x ;c")], Some("x")),
            // HTTP/2 splits them.
            (vec![format!("{other}=y"), format!("{mine}=x")], Some("x")),
            // Another host's, which browsers send as they were planted.
            (vec![format!("a=é; {mine}=x; b=é")], Some("x")),
            (vec![format!("{other}=y")], None),
            (vec![format!("{mine}=x; {mine}=y")], None),
            (vec![format!("{mine}=x"), format!("{mine}=x")], None),
            (vec![mine.replace("__Host-", "") + "=x"], None),
            (vec![], None),
        ] {
            let found = cookies.of(record(1), &sent(&values));
            assert_eq!(found.as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn the_prefix_is_that_of_what_browsers_see() {
        let of = |issuer: &str| {
            let cookie = Cookies::of_issuer(issuer).forget(record(1));
            cookie.expect("a value").to_str().expect("text").to_owned()
        };
        let secure = of("https://a.example");
        assert!(
            secure.starts_with("__Host-countersign-request-"),
            "{secure}"
        );
        assert!(secure.ends_with("; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"));
        let plain = of("http://127.0.0.1:7443");
        assert!(plain.starts_with("countersign-request-"), "{plain}");
        assert!(!plain.contains("Secure"), "{plain}");
    }

    #[test]
    fn the_oldest_are_given_up_and_nobody_elses() {
        let cookies = Cookies::of_issuer("https://a.example");
        let ours = |n: u8| (1..=n).map(|n| format!("{}=x", cookies.name(&record(n).to_string())));
        for (kept, given_up) in [(0, 0), (15, 0), (16, 1), (20, 5)] {
            let mut values: Vec<_> = ours(kept).collect();
            // Of the login application: as many characters as a request's, and decodable.
            let login = "__Host-countersign-login-hODiLMkna_jliiXQ";
            values.insert(0, format!("{login}=x; other=y"));
            let gone = cookies.crowded_out(&sent(&values));
            assert_eq!(gone.len(), given_up, "{kept}");
            for (cookie, n) in gone.iter().zip(1..) {
                assert_eq!(cookie, cookies.forget(record(n)).expect("a value"));
            }
        }
    }
}
