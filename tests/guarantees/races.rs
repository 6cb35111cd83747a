//! Races over real sockets and the real store. Each check is run a second time
//! on a service that is naive on purpose, and must find fault with it.

mod control;
mod once;
mod restart;
mod tokens;

pub(crate) use once::{
    a_code_is_redeemed_once, an_assertion_is_spent_once, of_many_copies_of_a_proof_one_is_accepted,
};
pub(crate) use restart::a_restart_between_two_uses_changes_nothing;
pub(crate) use tokens::{
    a_revoked_family_stays_dead, of_two_keys_at_once_one_wins,
    one_key_twice_at_once_gets_one_successor,
};
