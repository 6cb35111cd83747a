//! Documents that are checked against the code.

use std::fs;
use std::path::Path;

use countersign::error::v1::Reason;
use countersign::storage::v1::AuditEvent;
use countersign_store::{EmbeddedStore, Options};
use walkdir::WalkDir;

/// `docs/errors.md` has one row for each reason, and no others.
pub(crate) fn errors_md_lists_each_reason() -> Result<(), String> {
    let page = include_str!("../../docs/errors.md");
    let rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `REASON_"))
        .filter_map(|line| line.split('`').next())
        .collect();
    // The enumerators are numbered without a gap, 0 being the unspecified one.
    let reasons: Vec<&str> = (1..)
        .map_while(|number| Reason::try_from(number).ok())
        .map(|reason| reason.as_str_name().trim_start_matches("REASON_"))
        .collect();
    if reasons == rows {
        Ok(())
    } else {
        Err(format!("the contract has {reasons:?}, the page {rows:?}"))
    }
}

/// The rows of `errors` in the published vectors are those of `docs/errors.md`: the same reasons,
/// each with the same code and the same OAuth error.
pub(crate) fn vectors_agree_with_errors_md() -> Result<(), String> {
    let vectors = include_str!("../../docs/grpc-dpop-vectors.json");
    let vectors: serde_json::Value =
        serde_json::from_str(vectors).map_err(|error| error.to_string())?;
    let mut published: Vec<String> = vectors["errors"]
        .as_array()
        .ok_or("no errors")?
        .iter()
        .filter_map(|row| {
            let error = row["oauth_error"].as_str().unwrap_or_default();
            Some(format!(
                "{} {} {error}",
                row["reason"].as_str()?,
                code(row)?
            ))
        })
        .collect();
    let mut listed: Vec<String> = include_str!("../../docs/errors.md")
        .lines()
        .filter(|line| line.starts_with("| `REASON_"))
        .map(|line| {
            let cells: Vec<&str> = line
                .split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect();
            format!("{} {} {}", cells[1], cells[2], cells[3])
        })
        .collect();
    published.sort_unstable();
    listed.sort_unstable();
    let odd: Vec<&String> = published
        .iter()
        .filter(|row| !listed.contains(row))
        .chain(listed.iter().filter(|row| !published.contains(row)))
        .collect();
    if odd.is_empty() && published.len() == listed.len() {
        Ok(())
    } else {
        Err(format!(
            "only in the vectors (crates/dpop/tests/dpop/exchanges/errors.rs) or only on the page: {odd:?}"
        ))
    }
}

/// The name of a row's gRPC code.
fn code(row: &serde_json::Value) -> Option<&'static str> {
    Some(match row["code"].as_u64()? {
        3 => "INVALID_ARGUMENT",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND",
        6 => "ALREADY_EXISTS",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        9 => "FAILED_PRECONDITION",
        10 => "ABORTED",
        11 => "OUT_OF_RANGE",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        16 => "UNAUTHENTICATED",
        _ => return None,
    })
}

/// `docs/audit.md` has one row for each event, and no others.
pub(crate) fn audit_md_lists_each_event() -> Result<(), String> {
    let page = include_str!("../../docs/audit.md");
    let mut rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .filter(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    // Parts of the enumeration have numbers of their own.
    let mut events: Vec<&str> = (1..=255)
        .filter_map(|number| AuditEvent::try_from(number).ok())
        .map(|event| event.as_str_name().trim_start_matches("AUDIT_EVENT_"))
        .collect();
    rows.sort_unstable();
    events.sort_unstable();
    if events == rows {
        Ok(())
    } else {
        Err(format!("the records have {events:?}, the page {rows:?}"))
    }
}

/// This release has a section of its own at the top of the changelog, and stands with the format of
/// its stores in `docs/upgrading.md`: as the newest one, and nowhere with another.
pub(crate) fn this_release_is_named_in_changelog_and_upgrading() -> Result<(), String> {
    let version = env!("CARGO_PKG_VERSION");
    let changes = include_str!("../../CHANGELOG.md");
    let top = changes.lines().find_map(|line| line.strip_prefix("## ["));
    if top.and_then(|top| top.split(']').next()) != Some(version) {
        return Err(format!(
            "the changelog begins with {top:?}, not with {version}"
        ));
    }
    let store = tempfile::tempdir().map_err(|error| error.to_string())?;
    let store = store.path().join("store");
    EmbeddedStore::open(&store, Options::default()).map_err(|error| error.to_string())?;
    let marker = fs::read_to_string(store.join("store")).map_err(|error| error.to_string())?;
    let format = marker.trim_end().rsplit(' ').next().unwrap_or_default();
    let page = include_str!("../../docs/upgrading.md");
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("| 0.") || line.starts_with(&format!("| {version} ")))
        .collect();
    let row = format!("| {version} | {format} |");
    match rows.last() {
        Some(last) if last.starts_with(&row) => Ok(()),
        _ => Err(format!("the last row is not {row}: {rows:?}")),
    }
}

/// Every file that `ARCHITECTURE.md` names is there.
pub(crate) fn architecture_md_names_files_that_are_there() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = include_str!("../../ARCHITECTURE.md");
    let named: Vec<&str> = quoted(page)
        .filter(|text| text.contains('/') && (text.ends_with(".rs") || text.ends_with(".md")))
        .collect();
    // The page is a map: few names would mean that the search is broken.
    if named.len() < 15 {
        return Err(format!("only {} files are named", named.len()));
    }
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|name| !root.join(name).exists() && !root.join("crates").join(name).exists())
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("not there: {missing:?}"))
    }
}

/// Every test that `docs/guarantees.md` names is there, and no promise is
/// without a test or a mutation.
pub(crate) fn guarantees_md_names_tests_that_are_there() -> Result<(), String> {
    let page = include_str!("../../docs/guarantees.md");
    let functions = test_functions()?;
    let rows = page.lines().filter(|line| {
        line.starts_with("| ") && !line.starts_with("| promise") && !line.starts_with("| ---")
    });
    let mut promises = 0;
    for row in rows {
        promises += 1;
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let &[_, promise, tests, mutation, _] = columns.as_slice() else {
            return Err(format!("not three columns: {row}"));
        };
        let named: Vec<&str> = quoted(tests)
            .filter(|text| !text.contains('/'))
            .map(|text| text.rsplit("::").next().unwrap_or(text))
            .collect();
        if named.is_empty() || mutation.len() < 10 {
            return Err(format!("no test or no mutation: {promise}"));
        }
        if let Some(name) = named
            .iter()
            .find(|name| !functions.contains(&format!("fn {name}(")))
        {
            return Err(format!("there is no test {name}: {promise}"));
        }
    }
    if promises < 15 {
        return Err(format!("only {promises} promises were found"));
    }
    Ok(())
}

/// Every test that `docs/conformance.md` names is in the file that it names, and what names no test
/// says that it is not met, not offered or not ours. Rows are in the order of their specification.
pub(crate) fn conformance_md_names_tests_that_are_there() -> Result<(), String> {
    let page = include_str!("../../docs/conformance.md");
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut shown = 0;
    let mut last = Vec::new();
    for row in page.lines() {
        if row.starts_with("## ") {
            last.clear();
        }
        let Some(section) = row.strip_prefix("| §") else {
            continue;
        };
        let section = numbers(section);
        if section < last {
            return Err(format!("after a later section: {row}"));
        }
        last = section;
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let &[_, _, _, met, tests, _] = columns.as_slice() else {
            return Err(format!("not four columns: {row}"));
        };
        if (tests == "–") != met.starts_with("Not ") {
            return Err(format!("no test, or one of what is not met: {row}"));
        }
        for name in quoted(tests) {
            let there = name.split_once("::").is_some_and(|(file, function)| {
                fs::read_to_string(crates.join(file)).is_ok_and(|text| is_test(&text, function))
            });
            if !there {
                return Err(format!("there is no test {name}: {row}"));
            }
            shown += 1;
        }
    }
    if shown < 150 {
        return Err(format!("only {shown} tests were found"));
    }
    Ok(())
}

/// The numbers of `4.1.2, §7.5`: those of the first section.
fn numbers(section: &str) -> Vec<u32> {
    let end = section.find(|c: char| c != '.' && !c.is_ascii_digit());
    let first = &section[..end.unwrap_or(section.len())];
    first.split('.').filter_map(|n| n.parse().ok()).collect()
}

/// A function that the harness runs, not one that a test makes use of.
fn is_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let named = format!("fn {function}(");
    let at = lines.iter().position(|line| {
        let begins = line.strip_prefix("async ").unwrap_or(line);
        begins.starts_with(&named)
    });
    // Attributes and comments stand right above, after the end of what is before.
    let above = lines[..at.unwrap_or(0)].iter().rev();
    above
        .take_while(|line| !line.is_empty() && !line.ends_with('}'))
        .any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
}

/// What stands between backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// The text of every file that holds tests or laws.
fn test_functions() -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for folder in ["crates", "tests"] {
        for entry in WalkDir::new(root.join(folder))
            .into_iter()
            .filter_map(Result::ok)
        {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                text += &fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(text)
}
