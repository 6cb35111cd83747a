//! The table: every row is checked as it is written down, and kept for publishing.

mod claims;
mod form;
mod keys;
mod nonce;

use countersign_dpop::{Refusal, VerifiedProof};

use crate::case::Case;

/// A row that was checked.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) proof: String,
    pub(crate) case: Case,
    pub(crate) outcome: Result<VerifiedProof, Refusal>,
}

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Table {
    pub(crate) fn whole() -> Self {
        let mut table = Self::default();
        form::rows(&mut table);
        keys::rows(&mut table);
        claims::rows(&mut table);
        nonce::rows(&mut table);
        table
    }

    #[track_caller]
    pub(crate) fn check(&mut self, name: &str, case: Case, expected: Result<(), Refusal>) {
        let proof = case.build();
        let outcome = case.situation.verify(&proof);
        assert_eq!(
            outcome.map(|_| ()),
            expected,
            "{name}: {}",
            case.payload_json()
        );
        assert!(
            self.rows.iter().all(|row| row.name != name),
            "two rows are called {name:?}"
        );
        self.rows.push(Row {
            name: name.into(),
            proof,
            case,
            outcome,
        });
    }
}

#[test]
fn form() {
    form::rows(&mut Table::default());
}

#[test]
fn keys() {
    keys::rows(&mut Table::default());
}

#[test]
fn claims() {
    claims::rows(&mut Table::default());
}

#[test]
fn nonce() {
    nonce::rows(&mut Table::default());
}
