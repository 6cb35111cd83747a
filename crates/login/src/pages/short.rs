//! Pages that say one thing.

use maud::{Markup, html};

use super::{Page, Place};
use crate::account::Account;

/// A form that no page of ours sent, or a browser without cookies.
pub(crate) fn forged(place: &Place) -> Page {
    told(
        "This form cannot be taken",
        &html! {
            p { "It was not sent from a page of this site, the page is from before you logged in or out, or your browser keeps no cookies." }
            p { a href=(place.path("")) { "Begin again" } }
        },
    )
}

/// A request that no page of ours makes.
pub(crate) fn malformed(place: &Place) -> Page {
    told(
        "This request cannot be understood",
        &html! { p { a href=(place.path("")) { "Begin again" } } },
    )
}

/// The rest of a form did not come.
pub(crate) fn late(place: &Place) -> Page {
    told(
        "The form did not arrive",
        &html! {
            p { "The connection was too slow, or broke off." }
            p { a href=(place.path("")) { "Begin again" } }
        },
    )
}

pub(crate) fn no_such_page(place: &Place) -> Page {
    told(
        "There is no such page",
        &html! { p { a href=(place.path("")) { "To the first page" } } },
    )
}

/// No authorization request of that name waits.
pub(crate) fn gone() -> Page {
    told(
        "This request is over",
        &html! {
            p { "It was decided already, or it took too long. Go back to where you came from, and begin there again." }
        },
    )
}

pub(crate) fn busy() -> Page {
    told(
        "Not now",
        &html! { p { "The service has too much to do, or cannot be reached. Try again in a moment." } },
    )
}

pub(crate) fn fault() -> Page {
    told(
        "Something went wrong",
        &html! { p { "It is not your fault, and it was noted." } },
    )
}

pub(crate) fn device_allowed(place: &Place) -> Page {
    told(
        "The device may go on",
        &html! {
            p { "You can close this page. The device goes on in a few seconds." }
            p { a href=(place.path("account")) { "Your account" } }
        },
    )
}

pub(crate) fn device_denied(place: &Place) -> Page {
    told(
        "Nothing was allowed",
        &html! {
            p { "The device was refused. You can close this page." }
            p { a href=(place.path("account")) { "Your account" } }
        },
    )
}

pub(crate) fn logged_out(place: &Place) -> Page {
    told(
        "You are logged out",
        &html! { p { a href=(place.path("")) { "Log in" } } },
    )
}

/// On to where the request came from. Browsers hold the whole chain of redirects that follows a form
/// against the page's `form-action`, and nobody knows where a client's own redirects lead: a page
/// ends the chain. The link is for browsers that do not go on by themselves.
pub(crate) fn going_on(to: &str) -> Page {
    let main = html! {
        h1 { "Going back" }
        p { "You are on your way back to where you came from." }
        p { a #onward href=(to) rel="noreferrer" autofocus { "Continue" } }
    };
    Page::new("Going back", main).leading_to(to)
}

/// Asks before it logs out.
pub(crate) fn leave(place: &Place, token: &str, account: &Account) -> Page {
    let main = html! {
        h1 { "Log out?" }
        p { "You are logged in as " strong { bdi { (account.called()) } } "." }
        form method="post" action=(place.path("logout")) {
            input type="hidden" name="token" value=(token);
            div.buttons { button type="submit" { "Log out" } }
        }
    };
    Page::new("Log out?", main)
}

fn told(title: &'static str, text: &Markup) -> Page {
    Page::new(title, html! { h1 { (title) } (text) })
}
