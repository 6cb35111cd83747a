//! A session: that a browser's person has given a password. Rules alone.

use std::fmt;
use std::time::Duration;

use countersign_jose::{UnixTime, base64url, sha256};

use crate::account::{Account, Name};
use crate::token_service::Asked;

/// A session that nobody uses for so long is over: long enough for a form that is read with care.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);

/// A session ends after so long, whatever happens: a working day.
pub(crate) const ABSOLUTE: Duration = Duration::from_secs(12 * 3600);

/// Use is noted no more often than this: reading a page need not write.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// What a browser holds in its cookie: 256 random bits. Only its hash is kept.
#[derive(Clone)]
pub(crate) struct BrowserId([u8; 32]);

/// Somebody is logged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    pub(crate) account: Name,
    /// The account's, when the session began.
    pub(crate) generation: u64,
    pub(crate) authenticated_at: UnixTime,
    /// To the minute.
    pub(crate) used_at: UnixTime,
    pub(crate) ends_at: UnixTime,
    /// The request that the password was given for.
    pub(crate) proved_for: Option<RequestHash>,
    /// For people who look at their sessions. Nothing is decided by it: it can say anything.
    pub(crate) browser: BrowserName,
}

/// What a browser calls itself (`User-Agent`), as far as it fits on a page: printable ASCII, at most
/// 160 characters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct BrowserName(String);

/// The name of a session that is no secret: its browser's cookie does not follow from it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct SessionName(pub(crate) [u8; 32]);

/// The hash of an authorization request's name.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct RequestHash(pub(crate) [u8; 32]);

impl BrowserName {
    pub(crate) fn of(text: &str) -> Self {
        let printable = text.chars().filter(|c| matches!(c, ' '..='~'));
        Self(printable.take(160).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl SessionName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).ok().map(Self)
    }

    pub(crate) fn text(self) -> String {
        base64url::encode(self.0)
    }
}

impl BrowserId {
    pub(crate) const fn of(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// From a cookie, if it is one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).ok().map(Self)
    }

    /// For the cookie.
    pub(crate) fn reveal(&self) -> String {
        base64url::encode(self.0)
    }

    /// Where its session is.
    pub(crate) fn hash(&self) -> [u8; 32] {
        sha256(&[b"countersign login session\0", &self.0])
    }

    /// What the forms of this browser carry. It says nothing about the cookie.
    pub(crate) fn form_token(&self) -> String {
        base64url::encode(sha256(&[b"countersign login form\0", &self.0]))
    }

    /// The key of the MAC that says which device's code was typed in this browser.
    pub(crate) fn typed_code_secret(&self) -> [u8; 32] {
        sha256(&[b"countersign login typed code\0", &self.0])
    }
}

impl fmt::Debug for BrowserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserId(..)")
    }
}

impl RequestHash {
    pub(crate) fn of(handle: &str) -> Self {
        Self(sha256(&[b"countersign login request\0", handle.as_bytes()]))
    }
}

impl Session {
    /// The session of somebody who has just given the password.
    pub(crate) fn begun(
        account: &Account,
        handle: Option<&str>,
        browser: BrowserName,
        now: UnixTime,
    ) -> Self {
        Self {
            account: account.name.clone(),
            generation: account.generation,
            authenticated_at: now,
            used_at: now,
            ends_at: now.plus(ABSOLUTE),
            proved_for: handle.map(RequestHash::of),
            browser,
        }
    }

    /// Whether it counts.
    pub(crate) fn stands(&self, account: &Account, now: UnixTime) -> bool {
        !account.disabled && account.generation == self.generation && now < self.expires_at()
    }

    /// When it is over, unless it is used.
    pub(crate) fn expires_at(&self) -> UnixTime {
        self.ends_at.min(self.used_at.plus(IDLE))
    }

    /// The session with this use of it, where that is worth noting.
    pub(crate) fn used(&self, now: UnixTime) -> Option<Self> {
        (now.since(self.used_at) >= NOTED_EVERY).then(|| Self {
            used_at: now,
            ..self.clone()
        })
    }

    /// Whether the password has to be given again for this request (RFC 9470 §5; OpenID Connect
    /// Core §3.1.2.1, `prompt=login`, `select_account` and `max_age`).
    pub(crate) fn must_be_proved_again(&self, handle: &str, asked: &Asked) -> bool {
        // For this very request it was: nobody is asked twice.
        if self.proved_for == Some(RequestHash::of(handle)) {
            return false;
        }
        let too_old = asked
            .authenticated_since
            .is_some_and(|since| self.authenticated_at < since);
        asked.login_again || asked.name_again || too_old
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountForm;

    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    fn ann() -> Account {
        let form = AccountForm {
            name: "ann".to_owned(),
            ..AccountForm::default()
        };
        Account::new(&form, "subject", NOW).unwrap()
    }

    #[test]
    fn a_session_ends_when_idle_and_in_the_end() {
        let session = Session::begun(&ann(), None, BrowserName::default(), NOW);
        let almost = NOW.plus(IDLE).minus(Duration::from_millis(1));
        assert!(session.stands(&ann(), almost));
        assert!(!session.stands(&ann(), NOW.plus(IDLE)));
        let mut used = session;
        let mut now = NOW;
        while let Some(next) = used.used(now.plus(IDLE / 2)) {
            now = now.plus(IDLE / 2);
            if !used.stands(&ann(), now) {
                break;
            }
            used = next;
        }
        assert_eq!(now, NOW.plus(ABSOLUTE));
    }

    #[test]
    fn a_session_ends_with_its_account() {
        let session = Session::begun(&ann(), None, BrowserName::default(), NOW);
        let disabled = Account {
            disabled: true,
            ..ann()
        };
        let another = Account {
            generation: 1,
            ..ann()
        };
        assert!(session.stands(&ann(), NOW));
        assert!(!session.stands(&disabled, NOW));
        assert!(!session.stands(&another, NOW));
    }

    #[test]
    fn the_password_is_asked_for_again_once() {
        let session = |handle| Session::begun(&ann(), handle, BrowserName::default(), NOW);
        let later = NOW.plus(Duration::from_secs(60));
        let asked = |ago: Option<u64>, login_again| Asked {
            authenticated_since: ago.map(|secs| later.minus(Duration::from_secs(secs))),
            login_again,
            ..Asked::default()
        };
        for (proved_for, max_age, login_again, expected) in [
            (None, None, false, false),
            (None, Some(60), false, false),
            (None, Some(59), false, true),
            (None, Some(0), false, true),
            (None, None, true, true),
            (Some("this"), Some(0), true, false),
            (Some("another"), Some(0), false, true),
            (Some("another"), None, true, true),
        ] {
            let again =
                session(proved_for).must_be_proved_again("this", &asked(max_age, login_again));
            assert_eq!(again, expected, "{proved_for:?} {max_age:?} {login_again}");
        }
        let by_name = Asked {
            name_again: true,
            ..Asked::default()
        };
        for (proved_for, expected) in [(None, true), (Some("this"), false)] {
            let again = session(proved_for).must_be_proved_again("this", &by_name);
            assert_eq!(again, expected, "{proved_for:?}");
        }
    }

    #[test]
    fn the_cookie_is_told_by_neither_hash() {
        let id = BrowserId::of([7; 32]);
        assert_ne!(base64url::encode(id.hash()), id.form_token());
        assert_ne!(id.reveal(), id.form_token());
        assert!(!format!("{id:?}").contains(&id.reveal()));
        assert!(BrowserId::parse(&id.reveal()).is_some());
        assert!(BrowserId::parse("short").is_none());
    }

    #[test]
    fn what_a_browser_calls_itself_is_short_and_printable() {
        assert_eq!(BrowserName::of("A/1.0 (x)").as_str(), "A/1.0 (x)");
        assert_eq!(BrowserName::of("a\u{202e}b\nc").as_str(), "abc");
        assert_eq!(BrowserName::of(&"x".repeat(10_000)).as_str().len(), 160);
    }
}
