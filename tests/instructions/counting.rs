//! Running the benches under valgrind, and reading what they counted.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Instructions by operation: `crate::function::case`, and the same without what the cryptographic
/// library takes for a signature. That is up to nineteen parts of twenty, and would hide a doubling
/// of the rest.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The crates with a bench `instructions`.
const CRATES: [&str; 5] = ["jose", "dpop", "issuer", "telemetry", "guard"];

/// Builds the benches as released code is built, and runs them.
pub(crate) fn count() -> Result<Counts, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--locked", "--bench", "instructions"]);
    for name in CRATES {
        command.args(["--package", &format!("countersign-{name}")]);
    }
    let output = command
        // Simulated caches would take longer and be compared with nothing.
        .args([
            "--",
            "--output-format=json",
            "--callgrind-args=--cache-sim=no",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo bench: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo bench failed: {}", output.status));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    let summaries = lines.lines().filter(|line| line.starts_with('{'));
    let counts: Vec<Counts> = summaries.map(read).collect::<Result<_, _>>()?;
    let counts: Counts = counts.into_iter().flatten().collect();
    if counts.is_empty() {
        return Err("the benches counted nothing".to_owned());
    }
    Ok(counts)
}

/// The path with the installed tools first.
pub(crate) fn path() -> OsString {
    let paths = env::var_os("PATH").unwrap_or_default();
    let tools = tools().into_iter().chain(env::split_paths(&paths));
    env::join_paths(tools).unwrap_or(paths)
}

/// As in `tests/tools/install.sh`.
fn tools() -> Option<PathBuf> {
    let folder = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    folder("COUNTERSIGN_TOOLS")
        .or_else(|| {
            folder("XDG_CACHE_HOME")
                .or_else(|| folder("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("countersign/tools"))
        })
        .map(|tools| tools.join("bin"))
}

/// One operation, from the line that the runner printed of it.
fn read(line: &str) -> Result<Counts, String> {
    let summary: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let named = |member: &str| summary[member].as_str().unwrap_or_default();
    let package = Path::new(named("package_dir")).file_name();
    let package = package.unwrap_or_default().to_string_lossy();
    let (function, case) = (named("function_name"), named("id"));
    let all = summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"]
        .as_u64()
        .ok_or_else(|| format!("no count of instructions in {line}"))?;

    let folder = Path::new(named("project_root")).join(named("output_dir"));
    let profiles = profiles(&folder, &format!("callgrind.{function}.{case}."))?;
    let signatures: u64 = profiles.iter().map(|profile| signatures(profile)).sum();

    let operation = format!("{package}::{function}::{case}");
    let mut counts = Counts::new();
    if signatures > 0 {
        counts.insert(format!("{operation} without signatures"), all - signatures);
    }
    counts.insert(operation, all);
    Ok(counts)
}

/// The profiles of one operation: one for each thread, where it has several.
fn profiles(folder: &Path, prefix: &str) -> Result<Vec<String>, String> {
    let of_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(prefix) && name.ends_with(".out")
    };
    let unreadable = |error| format!("{}: {error}", folder.display());
    let files = fs::read_dir(folder).map_err(unreadable)?;
    let paths = files.flatten().map(|file| file.path()).filter(of_it);
    let profiles: Vec<String> = paths
        .map(|path| fs::read_to_string(path).map_err(unreadable))
        .collect::<Result<_, _>>()?;
    if profiles.is_empty() {
        return Err(format!("{}: no profile {prefix}…", folder.display()));
    }
    Ok(profiles)
}

/// What calls of the library's signature functions took, with all that they call. In callgrind's
/// profile (its manual, "Callgrind Format Specification") a call is the line `cfn=` with the
/// function, then `calls=`, then the call's line and inclusive cost.
pub(crate) fn signatures(profile: &str) -> u64 {
    let lines: Vec<&str> = profile.lines().collect();
    lines
        .windows(3)
        .filter(|call| call[0].starts_with("cfn=") && call[1].starts_with("calls="))
        .filter(|call| SIGNATURES.iter().any(|name| call[0].ends_with(name)))
        .filter_map(|call| call[2].rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Their names begin with the library's version.
const SIGNATURES: [&str; 2] = ["_EVP_DigestVerify", "_EVP_DigestSign"];
