//! How much of everything: a short form for every change, the full counts by
//! `--full`.

use std::sync::OnceLock;

use countersign_client::clock::{Clock as _, SystemClock};

struct Scale {
    full: bool,
    seed: u64,
}

static SCALE: OnceLock<Scale> = OnceLock::new();

/// Takes `--full` and `--seed N`, which are ours, out of the arguments.
pub(crate) fn taken_from(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut arguments: Vec<String> = arguments.collect();
    let all = arguments.len();
    arguments.retain(|argument| argument != "--full");
    let full = arguments.len() < all;
    let at = arguments.iter().position(|argument| argument == "--seed");
    let seed = at.and_then(|at| arguments.drain(at..).take(2).nth(1)?.parse().ok());
    SCALE.get_or_init(|| Scale {
        full,
        seed: seed.unwrap_or_else(|| SystemClock.now().as_millis()),
    });
    arguments
}

/// The first of the two in the short form, the second in the full one.
pub(crate) fn of(short: usize, full: usize) -> usize {
    match SCALE.get() {
        Some(scale) if scale.full => full,
        _ => short,
    }
}

/// What random numbers begin with.
pub(crate) fn seed() -> u64 {
    SCALE.get().map_or(0, |scale| scale.seed)
}
