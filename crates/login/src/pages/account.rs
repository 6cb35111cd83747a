//! What a person sees of themselves.

use maud::{Markup, html};

use super::{Page, Place, asked};
use crate::account::Account;
use crate::consent::Consent;
use crate::sessions::LoggedIn;

/// The page.
pub(crate) fn account(place: &Place, token: &str, who: &LoggedIn, consents: &[Consent]) -> Page {
    let main = html! {
        h1 { "Your account" }
        (name(&who.account))
        h2 { "What you need not be asked again" }
        @if consents.is_empty() {
            p { "Nothing: you are asked every time." }
        }
        ul.consents {
            @for consent in consents { li { (remembered(place, token, consent)) } }
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
    let id = consent.id().text();
    html! {
        h3 id={ "c-" (id) } { (asked::named(&consent.client_display_name, &consent.client_id)) }
        p {
            @for (index, scope) in consent.scopes.iter().enumerate() {
                @if index > 0 { ", " }
                bdi { (scope) }
            }
        }
        ul { @for resource in &consent.resources { li { bdi { (resource) } } } }
        form method="post" action=(place.path("forget")) {
            input type="hidden" name="token" value=(token);
            input type="hidden" name="consent" value=(id);
            button.quiet type="submit" aria-describedby={ "c-" (id) } { "Ask me again" }
        }
    }
}
