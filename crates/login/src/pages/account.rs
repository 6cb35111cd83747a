//! What a person sees of themselves.

use maud::{Markup, html};

use countersign_jose::UnixTime;

use super::{Page, Place, ago, asked};
use crate::account::Account;
use crate::consent::Consent;
use crate::consents::Allowed;
use crate::sessions::{Elsewhere, LoggedIn, Others};

/// What the page shows.
pub(crate) struct Own<'a> {
    /// The form token of the browser.
    pub(crate) token: &'a str,
    pub(crate) who: &'a LoggedIn,
    pub(crate) allowed: &'a Allowed,
    /// The sessions in other browsers.
    pub(crate) elsewhere: &'a Others,
    pub(crate) now: UnixTime,
}

/// The page.
pub(crate) fn account(place: &Place, own: &Own<'_>) -> Page {
    let &Own {
        token,
        who,
        allowed,
        elsewhere,
        now,
    } = own;
    let main = html! {
        h1 { "Your account" }
        (name(&who.account))
        h2 { "What you need not be asked again" }
        @if allowed.found.is_empty() {
            p { "Nothing: you are asked every time." }
        }
        ul.consents {
            @for consent in &allowed.found { li { (remembered(place, token, consent)) } }
        }
        @if let Some(last) = allowed.more_behind {
            p {
                a #more href={ (place.path("account")) "?behind=" (last.text()) } {
                    "Show more of this"
                }
            }
        }
        h2 { "Where else you are logged in" }
        @if elsewhere.found.is_empty() && !elsewhere.may_be_more {
            p { "Nowhere." }
        }
        @if elsewhere.may_be_more {
            p { "There are more logins than can be shown. If you are not sure of one, log out everywhere." }
        }
        ul.consents {
            @for it in &elsewhere.found { li { (session(place, token, it, now)) } }
        }
        h2 { "Leave" }
        form method="post" action=(place.path("logout")) {
            input type="hidden" name="token" value=(token);
            div.buttons {
                button type="submit" { "Log out" }
                button.quiet type="submit" name="everywhere" value="yes" {
                    "Log out everywhere"
                }
            }
        }
    };
    Page::new("Your account", main)
}

fn name(account: &Account) -> Markup {
    html! {
        p {
            "You are logged in as " strong { bdi { (account.called()) } }
            @if !account.display_name.is_empty() { " (" (account.name) ")" }
            "."
        }
    }
}

fn remembered(place: &Place, token: &str, consent: &Consent) -> Markup {
    let id = consent.about.id().text();
    html! {
        h3 id={ "c-" (id) } { (asked::named(&consent.client_display_name, &consent.about.client_id)) }
        p {
            @for (index, scope) in consent.scopes.iter().enumerate() {
                @if index > 0 { ", " }
                bdi { (scope) }
            }
        }
        ul { @for resource in &consent.about.resources { li { bdi { (resource) } } } }
        p { (asked::onward(&consent.about.redirect_uri)) }
        form method="post" action=(place.path("forget")) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="consent" value=(id);
            button.quiet type="submit" aria-describedby={ "c-" (id) } { "Ask me again" }
        }
    }
}

fn session(place: &Place, token: &str, it: &Elsewhere, now: UnixTime) -> Markup {
    let id = it.name.text();
    let browser = match it.session.browser.as_str() {
        "" => "A browser that does not say what it is",
        name => name,
    };
    html! {
        h3 id={ "s-" (id) } { bdi { (browser) } }
        p {
            "Logged in " (ago(now.since(it.session.authenticated_at)))
            ", last used " (ago(now.since(it.session.used_at))) "."
        }
        form method="post" action=(place.path("end-session")) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="session" value=(id);
            button.quiet type="submit" aria-describedby={ "s-" (id) } { "Log out there" }
        }
    }
}
