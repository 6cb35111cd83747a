//! What people see: plain semantic HTML, no script. Everything that others wrote is escaped by the
//! templates.

mod account;
mod asked;
mod consent;
mod device;
mod login;
mod short;

use std::time::Duration;

use countersign_jose::{base64url, sha256};
use maud::{DOCTYPE, Markup, html};
use url::Url;

use crate::named::Named;

pub(crate) use account::{Own, account};
pub(crate) use consent::{Consenting, consent};
pub(crate) use device::device;
pub(crate) use login::{LoggingIn, login};
pub(crate) use short::{
    busy, device_allowed, device_denied, fault, forged, going_on, gone, late, leave, logged_out,
    malformed, no_such_page,
};

/// The one stylesheet.
pub(crate) const STYLE: &str = include_str!("pages/style.css");

/// Where the application is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The path of its URL, without a slash at its end.
    pub(crate) base: String,
    /// What its cookie is called.
    pub(crate) cookie_name: String,
}

/// A page.
pub(crate) struct Page {
    title: &'static str,
    main: Markup,
    /// Where the browser goes on to by itself.
    onward: Option<String>,
}

/// What is wrong with what was sent.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Problem {
    /// Name or password; which, nobody is told.
    Wrong,
    /// Too many wrong ones.
    Paused(Duration),
    /// None of the scopes.
    NothingChosen,
    /// No device shows that code.
    NoSuchCode,
}

impl Place {
    /// Of the application at that URL.
    pub(crate) fn at(url: &Url) -> Self {
        let base = url.path().trim_end_matches('/').to_owned();
        let origin = url.origin().ascii_serialization();
        // A host's applications share their cookies, whatever their paths and ports are: each has a
        // name of its own. `__Host-`: sent over TLS alone, and set by this host alone (RFC 6265bis
        // §4.1.3.2).
        let which = sha256(&[
            b"countersign login cookie\0",
            origin.as_bytes(),
            base.as_bytes(),
        ]);
        let which = base64url::encode(&which[..12]);
        Self {
            base,
            cookie_name: format!("__Host-countersign-login-{which}"),
        }
    }

    /// The path of a page.
    pub(crate) fn path(&self, page: &str) -> String {
        format!("{}/{page}", self.base)
    }
}

impl Page {
    fn new(title: &'static str, main: Markup) -> Self {
        Self {
            title,
            main,
            onward: None,
        }
    }

    /// The browser goes on by itself.
    fn leading_to(mut self, url: &str) -> Self {
        self.onward = Some(url.to_owned());
        self
    }

    /// The whole document.
    pub(crate) fn html(&self, place: &Place) -> String {
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    @if let Some(url) = &self.onward {
                        meta http-equiv="refresh" content={ "0; url=" (url) };
                    }
                    title { (self.title) }
                    link rel="stylesheet" href=(place.path("style.css"));
                }
                body {
                    main { (self.main) }
                }
            }
        };
        document.into_string()
    }
}

/// Which request a form is about, so that it comes back with it.
fn request(named: Named<'_>) -> Markup {
    html! {
        input type="hidden" name="interaction" value=(named.handle);
        @if let Some(code) = named.code {
            input type="hidden" name="typed" value=(code.sealed());
        }
    }
}

/// What went wrong, where a screen reader says it first.
fn alert(problem: Option<Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem {
            div.problem #problem role="alert" {
                p {
                    @match problem {
                        Problem::Wrong => "The name or the password is not right.",
                        Problem::Paused(wait) => {
                            "There were too many attempts. Try again in " (in_words(wait)) "."
                        }
                        Problem::NoSuchCode => {
                            "No device waits with this code. Compare it, or let the device begin again."
                        }
                        Problem::NothingChosen => {
                            "Nothing is chosen. Choose what to allow, or deny all of it."
                        }
                    }
                }
            }
        }
    }
}

/// Whole seconds, none too early, and one at least: whoever comes back at once is too early.
pub(crate) fn whole_secs(wait: Duration) -> u64 {
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    secs.max(1)
}

/// Seconds or minutes.
fn in_words(wait: Duration) -> String {
    let secs = whole_secs(wait);
    match secs {
        1 => "a second".to_owned(),
        2..=90 => format!("{secs} seconds"),
        _ => format!("{} minutes", secs.div_ceil(60)),
    }
}

/// Since when, roughly: no page knows the time zone of who reads it.
fn ago(age: Duration) -> String {
    match age.as_secs() / 60 {
        0 | 1 => "just now".to_owned(),
        minutes @ 2..=119 => format!("{minutes} minutes ago"),
        minutes => format!("{} hours ago", minutes / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_words() {
        for (secs, words) in [
            (0, "just now"),
            (119, "just now"),
            (120, "2 minutes ago"),
            (7_199, "119 minutes ago"),
            (7_200, "2 hours ago"),
            (43_200, "12 hours ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(secs)), words);
        }
    }

    #[test]
    fn each_application_of_a_host_has_a_cookie_of_its_own() {
        let name = |url: &str| {
            let url = Url::parse(url).unwrap();
            Place::at(&url).cookie_name
        };
        let ours = name("https://id.example/a/login");
        assert_eq!(name("https://id.example/a/login/"), ours);
        for other in [
            "https://id.example/b/login",
            "https://id.example/login",
            "https://id.example:8443/a/login",
            "https://www.example/a/login",
        ] {
            assert_ne!(name(other), ours, "{other}");
        }
    }

    #[test]
    fn waits_are_told_in_words() {
        for (millis, words) in [
            (1, "a second"),
            (1_000, "a second"),
            (1_001, "2 seconds"),
            (90_000, "90 seconds"),
            (90_001, "2 minutes"),
            (300_000, "5 minutes"),
        ] {
            assert_eq!(in_words(Duration::from_millis(millis)), words);
        }
    }
}
