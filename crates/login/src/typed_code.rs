//! That a device's code was sent from a form of this very browser (RFC 8628 §3.3): typed, or filled in
//! by a link that its person followed.
//!
//! Whoever began a device's request has its name, and may send it to anybody. What he cannot send
//! along is this: request, code and an end, under a MAC whose key is what another person's browser
//! holds in its cookie.

use std::time::Duration;

use aws_lc_rs::hmac;
use countersign_jose::{UnixTime, base64url};

use crate::session::BrowserId;

/// Long enough to log in and to read what is asked for, short enough that a page which was left
/// open decides nothing.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);

/// The longest that is looked at: one of ours has less than 80.
const SEALED_BYTES_MAX: usize = 160;

/// A code that was typed in this browser, for one request. Only [`read`](Self::read) makes one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct TypedCode<'a> {
    sealed: &'a str,
    code: &'a str,
    until_secs: u64,
}

/// The code that was typed, for a request, a browser and ten minutes.
pub(crate) fn seal(text: &str, handle: &str, browser: &BrowserId, now: UnixTime) -> String {
    let until = now.plus(GOOD_FOR).as_secs();
    sealed(&shown(text), until, handle, browser)
}

impl<'a> TypedCode<'a> {
    /// What was sealed, if it was for that request and that browser, and is not over.
    pub(crate) fn read(
        sealed: &'a str,
        handle: &str,
        browser: &BrowserId,
        now: UnixTime,
    ) -> Option<Self> {
        if sealed.len() > SEALED_BYTES_MAX {
            return None;
        }
        let (said, mac) = sealed.rsplit_once('.')?;
        let (code, until) = said.split_once('.')?;
        let mac = base64url::decode(mac).ok()?;
        // In constant time.
        hmac::verify(&key(browser), &covered(said, handle), &mac).ok()?;
        let until_secs = until.parse().ok()?;
        (now < UnixTime::from_secs(until_secs)).then_some(Self {
            sealed,
            code,
            until_secs,
        })
    }

    /// The code, as the device shows it.
    pub(crate) const fn code(&self) -> &'a str {
        self.code
    }

    /// As it goes through links and forms.
    pub(crate) const fn sealed(&self) -> &'a str {
        self.sealed
    }

    /// The same for the name that the browser has from now on. It ends when it would have.
    pub(crate) fn sealed_for(&self, handle: &str, browser: &BrowserId) -> String {
        sealed(self.code, self.until_secs, handle, browser)
    }
}

fn sealed(code: &str, until: u64, handle: &str, browser: &BrowserId) -> String {
    let said = format!("{code}.{until}");
    let mac = hmac::sign(&key(browser), &covered(&said, handle));
    format!("{said}.{}", base64url::encode(mac))
}

fn key(browser: &BrowserId) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &browser.typed_code_secret())
}

/// The request comes last: nothing in its name can pass for the rest.
fn covered(said: &str, handle: &str) -> Vec<u8> {
    [said.as_bytes(), b"\0", handle.as_bytes()].concat()
}

/// Capitals, in two halves.
fn shown(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    let letters: Vec<_> = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    let (first, second) = letters.split_at(letters.len().div_ceil(2));
    [first, second].map(String::from_iter).join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    #[test]
    fn a_code_is_shown_as_the_device_shows_it() {
        for typed in ["BCDF-GHJK", "bcdfghjk", " b c d f g h j k ", "BCDF–GHJK"] {
            assert_eq!(shown(typed), "BCDF-GHJK");
        }
    }

    #[test]
    fn it_is_for_one_browser_one_request_one_code_and_ten_minutes() {
        let [here, elsewhere] = [[1; 32], [2; 32]].map(BrowserId::of);
        let text = seal("bcdf ghjk", "h", &here, NOW);
        let read = |text: &str, handle: &str, browser: &BrowserId, now: UnixTime| {
            TypedCode::read(text, handle, browser, now).map(|typed| typed.code().to_owned())
        };
        let almost = NOW.plus(GOOD_FOR).minus(Duration::from_millis(1));
        for now in [NOW, almost] {
            assert_eq!(read(&text, "h", &here, now).as_deref(), Some("BCDF-GHJK"));
        }
        assert_eq!(read(&text, "h", &here, NOW.plus(GOOD_FOR)), None);
        assert_eq!(read(&text, "h", &elsewhere, NOW), None);
        for handle in ["", "i", "hh", "h\0"] {
            assert_eq!(read(&text, handle, &here, NOW), None, "{handle}");
        }
        // Each of its characters counts.
        for (at, old) in text.char_indices() {
            for new in ['A', 'B', '.', '9'].into_iter().filter(|&new| new != old) {
                let mut forged = text.clone();
                forged.replace_range(at..=at, &new.to_string());
                assert_eq!(read(&forged, "h", &here, NOW), None, "{forged}");
            }
        }
        for forged in [
            "",
            "..",
            "BCDF-GHJK",
            "BCDF-GHJK.1000600.",
            &text[..text.len() - 1],
            &format!("{text}{}", "A".repeat(100)),
        ] {
            assert_eq!(read(forged, "h", &here, NOW), None, "{forged}");
        }
    }

    #[test]
    fn a_login_carries_it_on_and_gives_it_no_more_time() {
        let [before, after] = [[1; 32], [2; 32]].map(BrowserId::of);
        let text = seal("BCDF-GHJK", "h", &before, NOW);
        let typed = TypedCode::read(&text, "h", &before, NOW).unwrap();
        let again = typed.sealed_for("h", &after);
        let typed = TypedCode::read(&again, "h", &after, NOW).unwrap();
        assert_eq!(typed.code(), "BCDF-GHJK");
        assert_eq!(TypedCode::read(&again, "h", &before, NOW), None);
        assert_eq!(
            TypedCode::read(&again, "h", &after, NOW.plus(GOOD_FOR)),
            None
        );
    }
}
