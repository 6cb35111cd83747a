//! The edge where random bytes are drawn. Decisions get them as arguments.

use aws_lc_rs::rand;

/// `N` random bytes from the system's generator, fit for keys and identifiers.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the generator is seeded when the process starts, or aborts it");
    bytes
}
