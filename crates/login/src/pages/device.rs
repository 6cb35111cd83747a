//! Where somebody types the code that their device shows.

use maud::html;

use super::{Page, Place, Problem, alert};

/// The page. `typed` is what was typed before, or what the link has.
pub(crate) fn device(place: &Place, token: &str, typed: &str, problem: Option<Problem>) -> Page {
    let wrong = problem.is_some();
    let main = html! {
        h1 { "Connect a device" }
        p { "Type the code that your device shows. Type none that somebody sent you." }
        (alert(problem))
        form method="post" action=(place.path("device")) {
            input type="hidden" name="token" value=(token);
            label for="user_code" { "Code" }
            input #user_code.code type="text" name="user_code" value=(typed) required autofocus
                autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="64"
                placeholder="XXXX-XXXX"
                aria-invalid=[wrong.then_some("true")]
                aria-describedby=[wrong.then_some("problem")];
            div.buttons { button type="submit" { "Continue" } }
        }
    };
    Page::new("Connect a device", main)
}
