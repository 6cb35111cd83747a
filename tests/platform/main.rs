//! Tests of the whole platform: the tree, and the binary as a child process
//! beside real tools.
//!
//! A test that needs a tool which `tests/tools/install.sh` installs is listed
//! with it. Without the tool it is reported as *ignored*, loudly; where
//! `COUNTERSIGN_REQUIRE_PARTS` is set it fails.

mod documents;
mod durability;
mod grpcurl;
mod invariants;
mod jaeger;
mod orders;
mod parts;
mod secrets;
mod service;
mod setup;
mod traces;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

fn trials() -> Vec<Trial> {
    vec![
        plain("invariants::hold", invariants::hold),
        plain(
            "invariants::a_planted_breach_is_found",
            invariants::a_planted_breach_is_found,
        ),
        plain(
            "invariants::comments_strings_and_tests_are_no_breach",
            invariants::comments_strings_and_tests_are_no_breach,
        ),
        plain(
            "documents::errors_md_lists_each_reason",
            documents::errors_md_lists_each_reason,
        ),
        plain(
            "secrets::every_message_with_a_secret_is_redacted",
            secrets::every_message_with_a_secret_is_redacted,
        ),
        plain(
            "secrets::debug_prints_no_secret",
            secrets::debug_prints_no_secret,
        ),
    ]
}

/// A test that needs nothing but the tree and the binary.
fn plain(name: &str, run: fn() -> Result<(), String>) -> Trial {
    Trial::test(name, move || run().map_err(Into::into))
}
