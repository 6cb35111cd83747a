//! Every published vector in every language.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{compare, run};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grpc-dpop-vectors.json");

/// The tables, in the order in which the clients run them, and a member of each whose change must
/// be noticed.
const TABLES: &[(&str, &str)] = &[
    ("vectors", "outcome"),
    ("targets", "target"),
    ("origin_uris", "origin"),
    ("paths", "target"),
    ("minted", "nonce"),
    ("proofs", "claims"),
    ("presentations", "outcome"),
    ("answers", "then"),
    ("errors", "reason"),
];

pub(crate) fn in_go(launcher: &Path) -> Result<(), String> {
    every_one(launcher, "go")
}

pub(crate) fn in_python(launcher: &Path) -> Result<(), String> {
    every_one(launcher, "python")
}

pub(crate) fn in_typescript(launcher: &Path) -> Result<(), String> {
    every_one(launcher, "typescript")
}

fn every_one(launcher: &Path, language: &str) -> Result<(), String> {
    let text = fs::read_to_string(VECTORS).map_err(|error| error.to_string())?;
    let document: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let counts = counts(&document)?;
    let said = run(launcher, language, &["vectors", VECTORS], "")?.well()?;
    let wanted: Vec<String> = counts
        .iter()
        .map(|(name, rows)| format!("{name}: {rows} run, {rows} passed, 0 not applicable"))
        .collect();
    compare(&said, &wanted)?;
    println!("{language}: {}", said.join("; "));

    // A client that believes what it reads would pass all the same.
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let wrong = folder.path().join("wrong.json");
    fs::write(&wrong, with_one_lie_a_table(document)?.to_string())
        .map_err(|error| error.to_string())?;
    let told = run(
        launcher,
        language,
        &["vectors", &wrong.display().to_string()],
        "",
    )?;
    if told.succeeded {
        return Err("wrong vectors passed".to_owned());
    }
    for (name, rows) in counts {
        let passed = rows - 1;
        let line = format!("{name}: {rows} run, {passed} passed, 0 not applicable");
        if !told.lines.contains(&line) {
            return Err(format!("not said: {line}, in\n{}", told.lines.join("\n")));
        }
    }
    Ok(())
}

fn counts(document: &Value) -> Result<Vec<(&'static str, usize)>, String> {
    let tables = document
        .as_object()
        .ok_or("no object")?
        .iter()
        .filter(|(name, value)| value.is_array() && *name != "origins");
    if tables.count() != TABLES.len() {
        return Err("the file has tables that this test does not know".to_owned());
    }
    TABLES
        .iter()
        .map(|(name, _)| {
            let rows = document[name].as_array().ok_or(format!("no {name}"))?;
            Ok((*name, rows.len()))
        })
        .collect()
}

/// In the first row of each table, something else.
fn with_one_lie_a_table(mut document: Value) -> Result<Value, String> {
    for (name, member) in TABLES {
        let told = &mut document[name][0][member];
        match told {
            Value::String(text) => text.push('x'),
            Value::Object(members) => {
                let first = members.values_mut().next().ok_or("nothing to change")?;
                *first = match first {
                    Value::Number(_) => json!(3),
                    _ => json!("x"),
                };
            }
            other => return Err(format!("{name}: {member} is {other}")),
        }
    }
    Ok(document)
}
