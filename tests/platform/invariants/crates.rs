//! Which crate may use which.

use std::fs;
use std::path::Path;

/// Which of our crates a crate may use; the order is that of the
/// architecture's table, lowest first.
pub(super) const MAY_USE: &[(&str, &[&str])] = &[
    ("jose", &[]),
    ("dpop", &["jose"]),
    ("store", &[]),
    ("telemetry", &[]),
    ("form", &[]),
    ("issuer", &["jose", "dpop", "store"]),
    ("client", &["jose", "dpop", "contracts", "telemetry"]),
    (
        "guard",
        &["client", "jose", "dpop", "contracts", "telemetry"],
    ),
    ("login", &["client", "form", "jose", "store", "contracts"]),
    (
        "server",
        &[
            "login",
            "form",
            "issuer",
            "store",
            "guard",
            "telemetry",
            "contracts",
            "client",
            "jose",
            "dpop",
        ],
    ),
    (
        "bench",
        &[
            "server",
            "client",
            "guard",
            "issuer",
            "store",
            "telemetry",
            "contracts",
            "jose",
            "dpop",
        ],
    ),
    (
        "cli",
        &[
            "login",
            "bench",
            "server",
            "client",
            "guard",
            "issuer",
            "store",
            "telemetry",
            "contracts",
            "jose",
            "dpop",
        ],
    ),
];

/// Each dependency that should not be, one line each.
pub(super) fn dependency_breaches(root: &Path) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for (name, may_use) in MAY_USE {
        let path = root.join("crates").join(name).join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let manifest: toml::Table = text.parse().map_err(|error| format!("{name}: {error}"))?;
        let used = manifest
            .get("dependencies")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flat_map(|table| table.keys());
        for dependency in used {
            let Some(ours) = dependency.strip_prefix("countersign") else {
                continue;
            };
            let ours = ours.strip_prefix('-').unwrap_or("contracts");
            if !may_use.contains(&ours) {
                found.push(format!(
                    "crates/{name}/Cargo.toml: {name} may not use {ours} (a crate uses only what stands below it)"
                ));
            }
        }
    }
    Ok(found)
}
