//! The login form.

use maud::{Markup, html};

use super::{Page, Place, Problem, alert, asked, request};
use crate::account::Account;
use crate::named::Named;
use crate::token_service::Asked;

/// What the form is for.
pub(crate) struct LoggingIn<'a> {
    /// The form token of the browser.
    token: &'a str,
    request: Option<(Named<'a>, &'a Asked)>,
    /// Who has to give the password once more.
    again: Option<&'a Account>,
    /// The name that was typed.
    typed: &'a str,
    problem: Option<Problem>,
}

impl<'a> LoggingIn<'a> {
    /// Nobody asks for anything.
    pub(crate) fn alone(token: &'a str) -> Self {
        Self {
            token,
            request: None,
            again: None,
            typed: "",
            problem: None,
        }
    }

    /// A client asks for something.
    pub(crate) fn to_go_on(token: &'a str, named: Named<'a>, asked: &'a Asked) -> Self {
        Self {
            request: Some((named, asked)),
            ..Self::alone(token)
        }
    }

    /// What was typed is not taken.
    pub(crate) fn after(self, typed: &'a str, problem: Problem) -> Self {
        Self {
            typed,
            problem: Some(problem),
            ..self
        }
    }

    /// A client wants to be sure who it is.
    pub(crate) fn once_more(
        token: &'a str,
        named: Named<'a>,
        asked: &'a Asked,
        account: &'a Account,
    ) -> Self {
        Self {
            again: Some(account),
            typed: account.name.as_str(),
            ..Self::to_go_on(token, named, asked)
        }
    }
}

impl LoggingIn<'_> {
    fn title(&self) -> &'static str {
        match (self.again, self.request) {
            (Some(_), Some((_, asked))) if asked.name_again => "Choose an account",
            (Some(_), _) => "Confirm that it is you",
            (None, _) => "Log in",
        }
    }
}

/// The page.
pub(crate) fn login(place: &Place, form: &LoggingIn<'_>) -> Page {
    let wrong = form.problem.is_some();
    let title = form.title();
    let main = html! {
        h1 { (title) }
        (why(form))
        (alert(form.problem))
        form method="post" action=(place.path("password")) {
            input type="hidden" name="token" value=(form.token);
            @if let Some((named, _)) = form.request { (request(named)) }
            label for="name" { "Name" }
            input #name type="text" name="name" value=(form.typed) required
                autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64"
                autofocus[form.typed.is_empty()]
                aria-invalid=[wrong.then_some("true")]
                aria-describedby=[wrong.then_some("problem")];
            label for="password" { "Password" }
            input #password type="password" name="password" required
                autocomplete="current-password" maxlength="256"
                autofocus[!form.typed.is_empty()]
                aria-invalid=[wrong.then_some("true")]
                aria-describedby=[wrong.then_some("problem")];
            div.buttons { button type="submit" { "Log in" } }
        }
        @if let Some((named, _)) = form.request {
            form.aside method="post" action=(place.path("decision")) {
                input type="hidden" name="token" value=(form.token);
                (request(named))
                button.quiet type="submit" name="decision" value="deny" {
                    "Cancel and go back"
                }
            }
        }
    };
    Page::new(title, main)
}

fn why(form: &LoggingIn<'_>) -> Markup {
    html! {
        @match (form.request, form.again) {
            (Some((_, asked)), Some(account)) if asked.name_again => p {
                (asked::client(asked)) " asks which account to go on with. You are logged in as "
                strong { bdi { (account.called()) } } "."
            },
            (Some((_, asked)), Some(account)) => p {
                (asked::client(asked)) " asks for your password again, "
                strong { bdi { (account.called()) } } ", although you are logged in."
            },
            (Some((_, asked)), None) => p {
                "to go on with " strong { (asked::client(asked)) }
            },
            (None, _) => {}
        }
    }
}
