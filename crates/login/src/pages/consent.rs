//! What somebody asks for, and what the person allows of it.

use maud::{Markup, html};

use super::{Page, Place, Problem, alert, asked, request};
use crate::account::Account;
use crate::named::Named;
use crate::token_service::Asked;

/// What the page shows.
pub(crate) struct Consenting<'a> {
    /// The form token of the browser.
    pub(crate) token: &'a str,
    pub(crate) named: Named<'a>,
    pub(crate) asked: &'a Asked,
    pub(crate) account: &'a Account,
    pub(crate) can_be_remembered: bool,
    pub(crate) problem: Option<Problem>,
}

/// The page.
pub(crate) fn consent(place: &Place, of: &Consenting<'_>) -> Page {
    let asked = of.asked;
    let main = html! {
        h1 { "Allow access?" }
        p {
            strong { (asked::client(asked)) }
            @if !asked.client_display_name.is_empty() {
                " (" bdi { (asked.client_id) } ")"
            }
            " asks to act in your name."
        }
        @if let Some(code) = of.named.code && asked.device {
            p.code { "Your device shows " strong { (code.code()) } ". If it does not, deny: it is somebody else's." }
        }
        (alert(of.problem))
        form method="post" action=(place.path("decision")) {
            input type="hidden" name="token" value=(of.token);
            (request(of.named))
            (scopes(of))
            @if !asked.resources.is_empty() {
                h2 { "Where" }
                ul { @for resource in &asked.resources { li { bdi { (resource) } } } }
            }
            @if !asked.details.is_empty() {
                h2 { "In detail" }
                (asked::details(&asked.details))
            }
            p { (asked::destination(asked)) }
            @if of.can_be_remembered {
                label.choice {
                    input type="checkbox" name="remember" value="yes";
                    span { "Do not ask again for this" }
                }
            }
            div.buttons {
                // The first is what the Enter key does.
                button.quiet type="submit" name="decision" value="deny" { "Deny" }
                button type="submit" name="decision" value="allow" { "Allow" }
            }
        }
        (whose(place, of))
    };
    Page::new("Allow access?", main)
}

fn scopes(of: &Consenting<'_>) -> Markup {
    let wrong = of.problem.map(|_| "problem");
    html! {
        @if !of.asked.scopes.is_empty() {
            fieldset aria-describedby=[wrong] {
                legend { "It would be allowed" }
                @for scope in &of.asked.scopes {
                    label.choice {
                        input type="checkbox" name="scope" value=(scope) checked;
                        span { (asked::scope(of.asked, scope)) }
                    }
                }
            }
        }
    }
}

fn whose(place: &Place, of: &Consenting<'_>) -> Markup {
    html! {
        form.aside method="post" action=(place.path("logout")) {
            input type="hidden" name="token" value=(of.token);
            (request(of.named))
            p {
                "You are logged in as " strong { bdi { (of.account.called()) } } ". "
                button.link type="submit" { "Somebody else?" }
            }
        }
    }
}
