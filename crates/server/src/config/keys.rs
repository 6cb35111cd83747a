//! Every key of the configuration: its name, its default, what it means, and how it is set.

mod places;
mod running;
mod tokens;

use super::value::Value;
use super::{Config, VARIABLE_PREFIX};

/// One key of the configuration.
pub struct Key {
    /// Its name in the file: `section.key`.
    pub name: &'static str,
    /// What holds when it is not said, as the documentation writes it.
    pub default: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// When a changed value holds.
    pub takes_effect: TakesEffect,
    pub(super) set: fn(&mut Config, &Value<'_>) -> Result<(), String>,
    /// Gives the first configuration what the second says.
    pub(super) copy: fn(&mut Config, &Config),
}

/// When a changed value of a key holds.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TakesEffect {
    /// When the configuration is read again.
    Reload,
    /// When the service is started again.
    Restart,
}

impl TakesEffect {
    /// The word of the documentation.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Restart => "restart",
        }
    }
}

impl Key {
    /// The variable that sets it: `COUNTERSIGN_`, then its name in upper case with `_` for `.`.
    pub fn variable(&self) -> String {
        format!(
            "{VARIABLE_PREFIX}{}",
            self.name.replace('.', "_").to_ascii_uppercase()
        )
    }
}

/// All keys, in the order of the documentation.
pub static KEYS: &[&Key] = &joined::<COUNT>(SECTIONS);

const SECTIONS: &[&[Key]] = &[places::KEYS, tokens::KEYS, running::KEYS];

const COUNT: usize = places::KEYS.len() + tokens::KEYS.len() + running::KEYS.len();

/// One after the other. That they are `N` is checked when this is compiled.
const fn joined<const N: usize>(sections: &[&'static [Key]]) -> [&'static Key; N] {
    let mut all = [&places::KEYS[0]; N];
    let mut filled = 0;
    let mut section = 0;
    while section < sections.len() {
        let mut key = 0;
        while key < sections[section].len() {
            all[filled] = &sections[section][key];
            filled += 1;
            key += 1;
        }
        section += 1;
    }
    assert!(filled == N, "a section is missing from the count");
    all
}
