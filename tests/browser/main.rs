//! A person at a real browser: the login application as the service serves it, from the request of
//! a client to the token that comes of it.
//!
//! Each test needs Chromium and what `tests/tools/install.sh` installs to drive it. Without them it
//! is reported as *ignored*, loudly; where `COUNTERSIGN_REQUIRE_PARTS` is set it fails.
//!
//! `COUNTERSIGN_PICTURES=FOLDER` keeps a picture of each page there.

mod scenes;
mod walk;

use countersign_testkit::parts;
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

fn trials() -> Vec<Trial> {
    const PART: &str = "browser";
    vec![
        parts::needing(
            PART,
            "login_and_consent_on_a_phone",
            scenes::login_on_a_phone,
        ),
        parts::needing(
            PART,
            "login_and_consent_on_a_desktop",
            scenes::login_on_a_desktop,
        ),
        parts::needing(PART, "login_by_keyboard_alone", scenes::login_by_keyboard),
        parts::needing(PART, "denial_on_a_phone", scenes::denial_on_a_phone),
        parts::needing(PART, "denial_on_a_desktop", scenes::denial_on_a_desktop),
        parts::needing(PART, "step_up_on_a_phone", scenes::step_up_on_a_phone),
        parts::needing(PART, "step_up_on_a_desktop", scenes::step_up_on_a_desktop),
        parts::needing(
            PART,
            "device_code_entry_on_a_phone",
            scenes::device_on_a_phone,
        ),
        parts::needing(
            PART,
            "device_code_entry_on_a_desktop",
            scenes::device_on_a_desktop,
        ),
        parts::needing(PART, "error_page_on_a_phone", scenes::error_on_a_phone),
        parts::needing(PART, "error_page_on_a_desktop", scenes::error_on_a_desktop),
        parts::needing(
            PART,
            "consent_remembered_and_taken_back_on_a_phone",
            scenes::account_on_a_phone,
        ),
        parts::needing(
            PART,
            "consent_remembered_and_taken_back_on_a_desktop",
            scenes::account_on_a_desktop,
        ),
    ]
}
