//! The invariants of `ARCHITECTURE.md`, read off the tree.
//!
//! Each rule is one row: what it is called, what it looks for, and where that
//! may stand. Source is looked at as Rust tokens, so comments and strings do
//! not count, and code under `#[cfg(test)]` is left out.

mod constant_time;
mod crates;
mod rules;
mod source;
mod tree;

use std::fs;
use std::path::Path;

use self::crates::dependency_breaches;
use self::rules::INVARIANTS;
use self::source::Source;
use self::tree::{copy_of_the_tree, repository, sources};

/// A breach of each invariant: a file, and what is written into it.
const PLANTED: &[(&str, &str)] = &[
    (
        "crates/issuer/src/planted_1.rs",
        "fn now() { tokio::spawn(async {}); }",
    ),
    ("crates/dpop/src/planted_2.rs", "use rand::rngs::OsRng;"),
    (
        "crates/server/src/planted_3.rs",
        "const C: tonic::Code = tonic::Code::Internal;",
    ),
    (
        "crates/server/src/http/planted.rs",
        "fn f() -> StatusCode { StatusCode::FORBIDDEN }",
    ),
    (
        "crates/guard/src/planted_http.rs",
        "fn f() -> StatusCode { StatusCode::UNAUTHORIZED }",
    ),
    (
        "crates/guard/src/planted_4.rs",
        "fn f() -> Status { Status::unauthenticated(\"\") }",
    ),
    (
        "crates/server/src/planted_5.rs",
        "fn f() { let _ = sled::open(\"x\"); }",
    ),
    (
        "crates/guard/src/planted_6.rs",
        "fn f() { std::time::SystemTime::now(); }",
    ),
    (
        "crates/server/src/planted_7.rs",
        "fn f() { tracing::info_span!(\"issue\"); }",
    ),
    (
        "crates/client/src/planted_8.rs",
        "const N: &str = \"countersign.refusal.why\";",
    ),
    (
        "crates/server/src/planted_9.rs",
        "use countersign::storage::v1::FamilyRecord;",
    ),
    (
        "crates/client/src/planted_10.rs",
        "#[derive(Clone, PartialEq, Eq)] struct Held(Zeroizing<String>);",
    ),
    (
        "crates/issuer/src/planted_11.rs",
        "#[derive(Hash)] struct SecretHash([u8; 32]);",
    ),
    (
        "crates/issuer/src/planted_12.rs",
        "impl PartialEq for SecretHash { fn eq(&self, o: &Self) -> bool { self.0 == o.0 } }",
    ),
    (
        "crates/server/src/planted_13.rs",
        "fn f(a: &Form, b: &Form) -> bool { a.client_secret.as_str() == b.text }",
    ),
    (
        "crates/issuer/src/planted_14.rs",
        "impl Key { fn f(&self, mac: &[u8]) -> bool { if self.mac(b\"\").as_ref() != mac { return false } true } }",
    ),
    (
        "crates/guard/src/planted_15.rs",
        "fn f(t: &Token, held: Option<&str>) -> bool { held == Some(&t.reveal()) }",
    ),
    (
        "crates/jose/Cargo.toml",
        "[package]\nname = \"countersign-jose\"\n[dependencies]\ncountersign-store.workspace = true\n",
    ),
];

/// The tree keeps every invariant.
pub(crate) fn hold() -> Result<(), String> {
    report(&breaches(&repository())?)
}

/// A breach of each invariant, planted in a copy of the tree, is found; so the
/// check above can fail.
pub(crate) fn a_planted_breach_is_found() -> Result<(), String> {
    let copy = copy_of_the_tree()?;
    for (path, text) in PLANTED {
        fs::write(copy.path().join(path), text).map_err(|error| error.to_string())?;
    }
    let found = breaches(copy.path())?;
    for (path, text) in PLANTED {
        if !found.iter().any(|line| line.starts_with(path)) {
            return Err(format!("planted in {path} and not found: {text}"));
        }
    }
    // Nothing else is found: the copy is as clean as the tree.
    let innocent = found
        .iter()
        .filter(|line| !PLANTED.iter().any(|(path, _)| line.starts_with(path)));
    report(&innocent.cloned().collect::<Vec<_>>())
}

/// A file outside the listed ones may talk about anything in comments, strings
/// and tests.
pub(crate) fn comments_strings_and_tests_are_no_breach() -> Result<(), String> {
    let text = r#"
        //! Never call tokio::spawn or SystemTime::now here.
        const WHY: &str = "tonic::Code::Internal";
        fn public(a: &Answer, jkt: Thumbprint) -> bool { a.token_type == "DPoP" && a.jkt != jkt }
        #[cfg(test)]
        mod tests { use tokio::spawn; fn f() { assert!(a.secret == b.secret); } }
    "#;
    let source = Source::read("crates/issuer/src/planted.rs", text)?;
    report(&source.breaches().collect::<Vec<_>>())
}

fn report(found: &[String]) -> Result<(), String> {
    if found.is_empty() {
        Ok(())
    } else {
        Err(found.join("\n"))
    }
}

/// All breaches below `root`, one line each.
fn breaches(root: &Path) -> Result<Vec<String>, String> {
    let mut found = dependency_breaches(root)?;
    for path in sources(root) {
        let name = path
            .strip_prefix(root)
            .map_err(|error| error.to_string())?
            .display()
            .to_string();
        let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
        found.extend(Source::read(&name, &text)?.breaches());
    }
    Ok(found)
}

impl Source {
    fn breaches(&self) -> impl Iterator<Item = String> {
        INVARIANTS
            .iter()
            .filter(|rule| (rule.applies)(&self.path) && !rule.except.contains(&&*self.path))
            .filter_map(|rule| {
                let found = (rule.finds)(self)?;
                Some(format!("{}: {found}, but {}", self.path, rule.says))
            })
    }
}
