//! The committed counts.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::counting::Counts;

/// Where they stand, from the root of the tree.
pub(crate) const FILE: &str = "tests/instructions.toml";

const TITLE: &str = "\
# How many instructions each operation takes, counted by valgrind. Compared by .ci/run where the
# programs are the same, and written by `cargo test --test instructions -- --write`.

";

/// Counts, and what they were made with.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    #[serde(rename = "counted_with")]
    pub(crate) conditions: Conditions,
    #[serde(rename = "instructions")]
    pub(crate) counts: Counts,
}

impl Baseline {
    pub(crate) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(file()).map_err(|error| format!("{FILE}: {error}"))?;
        toml::from_str(&text).map_err(|error| format!("{FILE}: {error}"))
    }

    pub(crate) fn write(&self) -> Result<(), String> {
        let text = toml::to_string(self).map_err(|error| error.to_string())?;
        fs::write(file(), format!("{TITLE}{text}")).map_err(|error| format!("{FILE}: {error}"))
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}
