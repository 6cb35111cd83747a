//! The laws for both backends, and what each promises beyond them.

#![expect(clippy::unwrap_used, reason = "what fails in a test fails the test")]

mod backup;
mod child;
mod close;
mod damage;
mod faults;
mod groups;
mod kill;
mod large;
mod model;
mod place;
mod recovering;
mod refused;
mod sweeps;
mod trims;

use place::{DirectoryPlace, MemoryPlace};

countersign_store::store_laws!(memory, MemoryPlace::default());
countersign_store::store_laws!(embedded, DirectoryPlace::default());
countersign_store::store_laws!(embedded_large, DirectoryPlace::large());

/// Every law is in the macro, and stands behind a sentence of the trait's documentation.
#[test]
fn every_law_is_run_and_documented() {
    let listed = include_str!("../../src/laws.rs");
    let written = [
        include_str!("../../src/laws/commits.rs"),
        include_str!("../../src/laws/logs.rs"),
        include_str!("../../src/laws/records.rs"),
    ];
    let documentation = include_str!("../../src/store.rs");
    let names: Vec<_> = written
        .iter()
        .flat_map(|laws| laws.split("pub async fn ").skip(1))
        .map(|law| law.split('(').next().expect("a name"))
        .collect();
    assert!(names.len() >= 25);
    for name in names {
        assert!(
            listed.lines().any(|line| line.trim() == name),
            "{name} is not run"
        );
        assert!(
            documentation.contains(&format!("`{name}`")),
            "{name} is not documented"
        );
    }
}
