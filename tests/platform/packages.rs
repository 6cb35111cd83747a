//! The libraries, packed as they would be published: `countersign-testkit` and all that it
//! stands on.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_testkit::service;
use toml::{Table, Value};

/// The one that stands on all others.
const TOPMOST: &str = "countersign-testkit";

/// Each can be packed, with its licence and its front page. What it needs of ours has a
/// version and is packed as well, or Cargo would not do it.
pub(crate) fn each_library_can_be_packed() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args([
        "package",
        "--no-verify",
        "--allow-dirty",
        "--locked",
        "--offline",
        "--target-dir",
    ]);
    command.arg(folder.path());
    let names = published(root)?;
    if !names.iter().any(|name| name == TOPMOST) {
        return Err(format!("{TOPMOST} is not to be published"));
    }
    for name in &names {
        command.args(["--package", name]);
    }
    service::run(&mut command)?;
    Ok(())
}

/// The packages of this workspace that may be published.
fn published(root: &Path) -> Result<Vec<String>, String> {
    let crates = fs::read_dir(root.join("crates")).map_err(|error| error.to_string())?;
    let folders = crates.filter_map(Result::ok).map(|entry| entry.path());
    let mut names = Vec::new();
    for folder in folders.chain([root.to_owned()]) {
        let path = folder.join("Cargo.toml");
        let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let manifest: Table = text.parse().map_err(|error| wrong(&error))?;
        let package = manifest
            .get("package")
            .ok_or_else(|| wrong(&"no package"))?;
        if package.get("publish") == Some(&Value::Boolean(false)) {
            continue;
        }
        let name = package.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| wrong(&"no name"))?;
        for said in ["description", "license"] {
            package
                .get(said)
                .ok_or_else(|| wrong(&format!("no {said}")))?;
        }
        fs::metadata(folder.join("LICENSE")).map_err(|error| wrong(&error))?;
        if let Some(page) = package.get("readme").and_then(Value::as_str) {
            fs::metadata(folder.join(page)).map_err(|error| wrong(&error))?;
        }
        names.push(name.to_owned());
    }
    Ok(names)
}
