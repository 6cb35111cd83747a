//! Documents that are checked against the code.

use std::fs;
use std::path::Path;

use countersign::error::v1::Reason;
use countersign::storage::v1::AuditEvent;
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
