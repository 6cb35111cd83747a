//! Tests of the whole platform: the tree, and the binary as a child process
//! beside real tools.
//!
//! A test that needs a tool which `tests/tools/install.sh` installs is listed
//! with it. Without the tool it is reported as *ignored*, loudly; where
//! `COUNTERSIGN_REQUIRE_PARTS` is set it fails.

#![expect(
    clippy::print_stdout,
    reason = "a test binary of its own: what it prints is its report"
)]

mod attacks;
mod documents;
mod durability;
mod examples;
mod grpcurl;
mod invariants;
mod jaeger;
mod key_program;
mod measured;
mod mtls_page;
mod orders;
mod packages;
mod releases;
mod rotation;
mod secrets;
mod sweep;
mod traces;

use countersign_testkit::{parts, service, setup, work};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

/// A test under the name of its function: one that needs nothing but the tree
/// and the binary, or one that needs a tool.
macro_rules! trial {
    ($run:path) => {
        Trial::test(stringify!($run), || $run().map_err(Into::into))
    };
    ($run:path, needs $part:literal) => {
        parts::needing($part, stringify!($run), $run)
    };
}

fn trials() -> Vec<Trial> {
    vec![
        trial!(invariants::hold),
        trial!(invariants::a_planted_breach_is_found),
        trial!(invariants::comments_strings_and_tests_are_no_breach),
        trial!(secrets::every_message_with_a_secret_is_redacted),
        trial!(secrets::debug_prints_no_secret),
        trial!(sweep::a_planted_secret_is_found),
        trial!(sweep::no_secret_is_told),
        trial!(attacks::each_has_its_row),
        trial!(attacks::none_is_missing),
        trial!(attacks::a_wrong_entry_is_found),
        trial!(documents::errors_md_lists_each_reason),
        trial!(documents::vectors_agree_with_errors_md),
        trial!(documents::audit_md_lists_each_event),
        trial!(documents::this_release_is_named_in_changelog_and_upgrading),
        trial!(documents::architecture_md_names_files_that_are_there),
        trial!(documents::guarantees_md_names_tests_that_are_there),
        trial!(documents::conformance_md_names_tests_that_are_there),
        trial!(examples::each_runs_to_its_end),
        trial!(examples::each_is_in_the_readme),
        trial!(packages::each_library_can_be_packed),
        trial!(releases::stores_of_earlier_releases_open),
        trial!(measured::operators_see_rate_errors_and_duration_of_both_edges),
        trial!(rotation::a_lost_answer_is_given_again_for_ten_seconds),
        trial!(rotation::an_idle_family_ends),
        trial!(durability::an_acknowledged_rotation_survives_kill),
        trial!(durability::a_rotation_is_synced_before_its_answer, needs "strace"),
        trial!(key_program::the_example_has_the_key, needs "python3"),
        trial!(mtls_page::its_commands_do_what_it_says, needs "openssl"),
        trial!(grpcurl::looks_around, needs "grpcurl"),
        trial!(grpcurl::issues_and_calls, needs "grpcurl"),
        trial!(traces::one_trace_tells_the_whole_call, needs "jaeger"),
    ]
}
