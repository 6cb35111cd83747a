//! The adversarial corpus: what is wrong with a proof, a token, a nonce, the way they are
//! presented or the bytes that carry them, made by the thousand and sent through a real channel to
//! a guarded service.
//!
//! ```text
//! cargo test --test corpus              # every so-manieth case, as in `cargo test --workspace`
//! cargo test --test corpus -- --full    # all of them
//! ```
//!
//! Every case is sent twice. It is refused for a reason of its class, for the same one both times,
//! with one `ErrorInfo`; or `model.rs`, which reads the same bytes with other parsers, says that
//! nothing that counts was changed, and then it is accepted once, and spent the second time. The
//! handler runs as often as something was accepted, nothing of the server panics, and the second
//! time takes no memory. All this against a unary method; and a fair part of each group once more
//! against a stream of the server's, one of the client's, and one in both directions. What is to be
//! refused sends the head of its call and no message: the refusal waits for none. At the end there
//! is a table of what was counted.

#![expect(
    clippy::print_stdout,
    reason = "a test binary of its own: what it prints is its report"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod blocks;
mod case;
#[path = "../guarantees/counts.rs"]
mod counts;
#[path = "../../crates/guard/tests/guard/http_stand.rs"]
#[expect(dead_code, reason = "the guard's own tests use more of it")]
mod http_stand;
mod json;
mod list;
mod memory;
mod method;
mod model;
mod mutation;
mod nonces;
#[path = "../../crates/guard/tests/guard/orders.rs"]
mod orders;
mod pairs;
mod pipe;
mod presented;
mod range;
mod references;
#[path = "../guarantees/scale.rs"]
#[expect(dead_code, reason = "no random numbers are drawn here")]
mod scale;
mod sizes;
#[path = "../../crates/guard/tests/guard/stand.rs"]
#[expect(dead_code, reason = "the guard's own tests use more of it")]
mod stand;
mod texts;
#[path = "../../crates/guard/tests/guard/vectors.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the guard's own tests use more of it"
)]
mod vectors;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let mut arguments = Arguments::from_iter(scale::taken_from(std::env::args()));
    // One after the other: each measures the memory of the process.
    arguments.test_threads = Some(1);
    range::hear_panics();
    let conclusion = libtest_mimic::run(&arguments, trials());
    counts::print();
    conclusion.exit();
}

/// A class, by the name of the function that makes it.
macro_rules! class {
    ($class:path) => {
        (stringify!($class), $class)
    };
}

type Named = (&'static str, fn() -> case::Class);

const CLASSES: &[Named] = &[
    class!(texts::each_byte_of_a_proof),
    class!(texts::each_byte_of_a_token),
    class!(texts::each_byte_of_a_token_behind_a_proof),
    class!(json::each_byte_of_what_a_proof_says),
    class!(json::each_byte_of_what_a_token_says),
    class!(references::each_byte_of_a_reference),
    class!(references::each_byte_of_a_reference_behind_a_proof),
    class!(pairs::any_two_fields_of_a_proof),
    class!(pairs::any_two_fields_of_a_token),
    class!(pairs::any_field_twice),
    class!(presented::any_scheme_token_and_proof),
    class!(nonces::each_byte_of_a_nonce),
    class!(blocks::each_byte_of_a_header_block),
    class!(sizes::metadata_of_any_size),
];

macro_rules! trial {
    ($run:path) => {
        Trial::test(stringify!($run), || $run().map_err(Into::into))
    };
}

fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial!(list::every_published_vector),
        trial!(the_long_form_is_long),
    ];
    trials.extend(
        CLASSES
            .iter()
            .map(|(name, class)| Trial::test(*name, || case::hold(&class()).map_err(Into::into))),
    );
    trials.extend([
        trial!(memory::what_keeps_memory_is_found),
        trial!(range::a_panic_is_heard),
    ]);
    trials
}

fn the_long_form_is_long() -> Result<(), String> {
    case::there_are_enough(CLASSES.iter().map(|(_, class)| class()))
}
