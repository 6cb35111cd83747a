//! The list of attacks, `tests/attacks.toml`, against the tests that hold their rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// How many attacks each section has: the list may grow, and never loses one by accident.
const SECTIONS: [(&str, usize); 12] = [
    ("Proof, form", 67),
    ("Proof, claims", 38),
    ("Presentation", 18),
    ("Nonce", 6),
    ("Access token", 51),
    ("Refresh", 8),
    ("Introspection, revocation", 10),
    ("Client assertion", 12),
    ("PKCE, code, PAR", 20),
    ("Device", 18),
    ("Mutual TLS", 28),
    ("Resources", 10),
];

/// Where rows go through a public edge. The published vectors are rows too: the guard's tests and
/// the token service's send each of them over a socket.
const EDGES: [&str; 5] = [
    "crates/client/tests/",
    "crates/guard/tests/",
    "crates/server/tests/",
    VECTORS,
    "tests/platform/",
];

/// Where the tests of the token service are.
const SERVICE: &str = "crates/server/tests/server/";

/// Where, of these, rows are that go to its HTTP endpoints: there alone, or by both protocols.
const OVER_HTTP: [&str; 3] = ["http/", "edges/", "mtls"];

/// The published vectors, which go by both protocols as well.
const VECTORS: &str = "docs/grpc-dpop-vectors.json";

/// Sections of what nobody presents at the endpoints of the token service: tokens of its own are
/// asked about there, and not used.
const ELSEWHERE: [&str; 1] = ["Access token"];

/// What sends the published vectors.
const DRIVERS: [(&str, &str); 3] = [
    (
        "crates/guard/tests/guard/vectors.rs",
        "every_published_vector_through_a_guarded_channel",
    ),
    (
        "crates/server/tests/server/vectors.rs",
        "every_published_vector_through_the_token_service",
    ),
    (
        "crates/server/tests/server/vectors.rs",
        "every_published_vector_through_the_token_endpoint",
    ),
];

/// How many attacks are in which state.
#[derive(Debug, Default)]
struct Counts {
    rows: usize,
    over_http: usize,
    not_in_http: usize,
    not_yet: usize,
    cannot_be_said: usize,
}

/// Every entry has its row, or says why there is none.
pub(crate) fn each_has_its_row() -> Result<(), String> {
    let mut files = BTreeMap::new();
    let mut faults = Vec::new();
    let mut counts = Counts::default();
    for (section, attacks) in sections()? {
        let mut known = BTreeSet::new();
        for attack in attacks {
            let sent = text(&attack, "sent").unwrap_or_default();
            if !known.insert(sent.to_owned()) {
                faults.push(format!("{section}: {sent:?} is there twice"));
            }
            if let Err(fault) = check(&section, &attack, &mut files, &mut counts) {
                faults.push(format!("{section}: {sent:?}: {fault}"));
            }
        }
    }
    for (file, test) in DRIVERS {
        if let Err(fault) = found(file, test, &mut files) {
            faults.push(fault);
        }
    }
    say(&counts);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

/// No section has lost an attack.
pub(crate) fn none_is_missing() -> Result<(), String> {
    let found: Vec<(String, usize)> = sections()?
        .into_iter()
        .map(|(name, attacks)| (name, attacks.len()))
        .collect();
    let expected = SECTIONS.map(|(name, count)| (name.to_owned(), count));
    if found == expected {
        Ok(())
    } else {
        Err(format!("the list has {found:?}, expected {expected:?}"))
    }
}

/// A wrong entry is told from a right one.
pub(crate) fn a_wrong_entry_is_found() -> Result<(), String> {
    let row = "row = \"docs/grpc-dpop-vectors.json\"";
    let find = "find = '\"name\":\"alg none\"'";
    let http = "http = \"presentation.rs\"";
    let of_guard =
        "row = \"crates/guard/tests/guard/attacks.rs\"\nfind = '\"RS256 with an EC key\"'";
    let rows = [
        (format!("comes = \"P\"\n{row}\n{find}"), true),
        (
            format!("comes = \"P\"\n{row}\n{find}\n{http}\nhttp_find = '\"no proof\"'"),
            true,
        ),
        (
            format!("comes = \"P\"\n{row}\n{find}\n{http}\nhttp_find = \"no such row\""),
            false,
        ),
        (format!("comes = \"P\"\n{row}\n{find}\n{http}"), false),
        ("comes = \"P\"\nnot_yet = \"an edge\"".to_owned(), true),
        (format!("{row}\n{find}"), false),
        ("comes = \"P\"".to_owned(), false),
        ("comes = \"P\"\nnot_yet = \"\"".to_owned(), false),
        (format!("comes = \"P\"\n{row}"), false),
        (
            format!("comes = \"P\"\n{row}\nfind = \"no such row\""),
            false,
        ),
        (
            format!("comes = \"P\"\n{row}\n{find}\nnot_yet = \"an edge\""),
            false,
        ),
        (
            "comes = \"P\"\nrow = \"crates/guard/tests/gone.rs\"\nfind = \"x\"".to_owned(),
            false,
        ),
        (
            "comes = \"P\"\nrow = \"crates/dpop/src/lib.rs\"\nfind = \"verify\"".to_owned(),
            false,
        ),
        (
            format!("comes = \"P\"\n{row}\n{find}\nskipped = \"x\""),
            false,
        ),
        (
            format!("comes = \"P\"\n{row}\n{find}\nhttp_none = \"it is sent\""),
            false,
        ),
        (format!("comes = \"P\"\n{of_guard}"), false),
        (
            format!("comes = \"P\"\n{of_guard}\nhttp_none = \"no words\""),
            true,
        ),
        (
            format!("comes = \"P\"\n{of_guard}\nhttp_none = \"\""),
            false,
        ),
        (
            format!("comes = \"P\"\n{of_guard}\n{http}\nhttp_find = '\"no proof\"'"),
            true,
        ),
    ];
    for (entry, right) in rows {
        let entry = format!("sent = \"x\"\n{entry}");
        let attack: Table = entry.parse().map_err(|error| format!("{error}"))?;
        let checked = check(
            "Proof, form",
            &attack,
            &mut BTreeMap::new(),
            &mut Counts::default(),
        );
        if checked.is_ok() != right {
            return Err(format!("{checked:?}: {entry}"));
        }
    }
    Ok(())
}

fn sections() -> Result<Vec<(String, Vec<Table>)>, String> {
    let list: Table = include_str!("../attacks.toml")
        .parse()
        .map_err(|error| format!("tests/attacks.toml: {error}"))?;
    let sections = list.get("section").and_then(Value::as_array);
    let section = |value: &Value| {
        let name = value.get("name")?.as_str()?.to_owned();
        let attacks = value.get("attacks")?.as_array()?;
        let attacks: Option<Vec<Table>> = attacks
            .iter()
            .map(|attack| attack.as_table().cloned())
            .collect();
        Some((name, attacks?))
    };
    sections
        .and_then(|sections| sections.iter().map(section).collect())
        .ok_or_else(|| "tests/attacks.toml: a section has no name or no attacks".to_owned())
}

fn check(
    section: &str,
    attack: &Table,
    files: &mut BTreeMap<String, String>,
    counts: &mut Counts,
) -> Result<(), String> {
    let mut names: Vec<&str> = attack.keys().map(String::as_str).collect();
    names.sort_unstable();
    match names[..] {
        ["comes", "find", "row", "sent"] => {
            let row = text(attack, "row")?;
            found(row, text(attack, "find")?, files)?;
            counts.rows += 1;
            if goes_over_http(row) {
                counts.over_http += 1;
            } else if !ELSEWHERE.contains(&section) {
                return Err(
                    "goes to no HTTP endpoint; want http and http_find, or http_none with the \
                     reason"
                        .to_owned(),
                );
            }
        }
        ["comes", "find", "http", "http_find", "row", "sent"] => {
            found(text(attack, "row")?, text(attack, "find")?, files)?;
            let http = text(attack, "http")?;
            let folder = match http.starts_with("edges/") {
                true => SERVICE.to_owned(),
                false => format!("{SERVICE}http/"),
            };
            found(
                &format!("{folder}{http}"),
                text(attack, "http_find")?,
                files,
            )?;
            counts.rows += 1;
            counts.over_http += 1;
        }
        ["comes", "find", "http_none", "row", "sent"] => {
            let row = text(attack, "row")?;
            found(row, text(attack, "find")?, files)?;
            text(attack, "http_none")?;
            if goes_over_http(row) {
                return Err("says why it is not sent over HTTP, and is sent".to_owned());
            }
            counts.rows += 1;
            counts.not_in_http += 1;
        }
        ["comes", "not_yet", "sent"] => {
            text(attack, "not_yet")?;
            counts.not_yet += 1;
        }
        ["cannot_be_said", "comes", "sent"] => {
            text(attack, "cannot_be_said")?;
            counts.cannot_be_said += 1;
        }
        _ => {
            return Err(format!(
                "has {names:?}; want sent, comes, and either row with find (and http with \
                 http_find, or http_none), not_yet or cannot_be_said"
            ));
        }
    }
    text(attack, "sent").and(text(attack, "comes")).map(|_| ())
}

/// Whether what drives this row sends it to an HTTP endpoint.
fn goes_over_http(row: &str) -> bool {
    let over_http = |of_service: &str| OVER_HTTP.iter().any(|it| of_service.starts_with(it));
    row == VECTORS || row.strip_prefix(SERVICE).is_some_and(over_http)
}

/// Whether the row is where the entry says.
fn found(file: &str, find: &str, files: &mut BTreeMap<String, String>) -> Result<(), String> {
    if !EDGES.iter().any(|edge| file.starts_with(edge)) {
        return Err(format!(
            "{file} holds no rows that go through a public edge"
        ));
    }
    if !files.contains_key(file) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let held = fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
        files.insert(file.to_owned(), held);
    }
    if files[file].contains(find) {
        Ok(())
    } else {
        Err(format!("{file} has no row with {find:?}"))
    }
}

fn text<'a>(attack: &'a Table, name: &str) -> Result<&'a str, String> {
    let text = attack.get(name).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| format!("{name} must be a text"))
}

#[expect(
    clippy::print_stdout,
    reason = "the counts are for whoever runs the tests"
)]
fn say(counts: &Counts) {
    println!(
        "attacks: {} with a row, {} of them one that goes to an HTTP endpoint, {} with nothing \
         like it there, {} not yet, {} that cannot be said",
        counts.rows, counts.over_http, counts.not_in_http, counts.not_yet, counts.cannot_be_said
    );
}
