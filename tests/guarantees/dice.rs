//! Random numbers that can be drawn again.

use crate::scale;

/// SplitMix64: one number decides all the others.
pub(crate) struct Dice(u64);

impl Dice {
    /// Those of the run's seed, other ones for each `use_of_them`.
    pub(crate) fn new(use_of_them: &str) -> Self {
        let name = use_of_them.bytes().fold(0_u64, |name, byte| {
            name.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Self(scale::seed() ^ name.rotate_left(32))
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        least + z % (most - least + 1)
    }
}
