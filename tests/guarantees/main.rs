//! The promises of `docs/guarantees.md` about state, shown on the real binary,
//! the real store and real sockets.
//!
//! ```text
//! cargo test --test guarantees              # a short form, as in `cargo test --workspace`
//! cargo test --test guarantees -- --full    # the full counts
//! ```
//!
//! `--seed N` draws the same random numbers again. What they decide is when
//! something happens and in which order; what must hold then never depends on it.
//! At the end there is a table of what was counted.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test binary of its own: what it prints is its report"
)]

mod backup;
mod clocks;
mod counts;
mod dice;
mod disk;
mod failpoints;
mod kill;
mod naive;
mod offline;
mod over_http;
mod pushed;
mod races;
mod scale;
mod shim;
mod stage;
mod synced;
mod traffic;

use countersign_testkit::parts;
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_iter(scale::taken_from(std::env::args()));
    let conclusion = libtest_mimic::run(&arguments, trials());
    counts::print();
    if conclusion.has_failed() {
        eprintln!("the random numbers were those of --seed {}", scale::seed());
    }
    conclusion.exit();
}

/// A test under the name of its function: one that needs nothing but the
/// binary, or one that needs a tool.
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
        trial!(kill::what_was_acknowledged_survives_kill_at_any_instant),
        trial!(over_http::what_was_used_stays_used_after_a_kill),
        trial!(failpoints::killed_between_two_steps_it_keeps_its_word, needs "cc"),
        trial!(disk::nothing_is_acknowledged_after_a_failed_write, needs "cc"),
        disk::full(),
        trial!(synced::each_kind_of_write_is_synced_before_its_answer, needs "strace"),
        trial!(races::one_key_twice_at_once_gets_one_successor),
        trial!(races::of_two_keys_at_once_one_wins),
        trial!(races::a_revoked_family_stays_dead),
        trial!(races::of_many_copies_of_a_proof_one_is_accepted),
        trial!(races::a_code_is_redeemed_once),
        trial!(races::an_assertion_is_spent_once),
        trial!(races::a_restart_between_two_uses_changes_nothing),
        trial!(backup::an_older_refresh_token_does_not_come_back_with_a_backup),
        trial!(offline::a_restoration_killed_at_a_step_is_whole_or_none, needs "cc"),
        trial!(offline::a_restoration_killed_at_any_instant_is_whole_or_none),
        trial!(offline::a_recovery_killed_at_a_step_is_done_or_goes_on, needs "cc"),
        trial!(offline::a_recovery_killed_at_any_instant_is_done_or_goes_on),
        trial!(offline::a_look_at_a_loss_killed_at_a_step_changes_nothing, needs "cc"),
        trial!(offline::a_look_at_a_loss_killed_at_any_instant_changes_nothing),
        trial!(offline::a_first_start_killed_at_a_step_begins_the_epoch, needs "cc"),
        trial!(offline::a_first_start_killed_at_any_instant_begins_the_epoch),
        trial!(offline::a_founding_killed_at_a_step_goes_on, needs "cc"),
        trial!(offline::a_founding_killed_at_any_instant_goes_on),
        trial!(offline::an_upgrade_killed_at_a_step_goes_on, needs "cc"),
        trial!(offline::an_upgrade_killed_at_any_instant_goes_on),
        trial!(clocks::a_jump_brings_nothing_back),
        trial!(pushed::a_revoked_token_is_refused_everywhere_within_a_second),
        trial!(pushed::nothing_is_left_of_streams_that_are_gone),
    ]
}
