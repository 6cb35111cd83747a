//! A client of `interop/` as a child process.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::service::unconfigured;

/// How one ended, and what it said.
pub(crate) struct Ended {
    pub(crate) succeeded: bool,
    /// Standard output.
    pub(crate) lines: Vec<String>,
    /// Standard error.
    pub(crate) complaints: String,
}

/// Runs the client of `language` with the launcher that was installed for it.
///
/// # Errors
/// It cannot be started.
pub(crate) fn run(
    launcher: &Path,
    language: &str,
    words: &[&str],
    secret: &str,
) -> Result<Ended, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("interop")
        .join(language);
    let mut command = Command::new(launcher);
    command.arg(folder).args(words).stdin(Stdio::null());
    // Not an argument, which everybody on the machine may read.
    command.env("CLIENT_SECRET", secret);
    let output = unconfigured(&mut command)
        .output()
        .map_err(|error| format!("{}: {error}", launcher.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(Ended {
        succeeded: output.status.success(),
        lines: said.lines().map(str::to_owned).collect(),
        complaints: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

impl Ended {
    /// The lines of a client that ended well.
    pub(crate) fn well(self) -> Result<Vec<String>, String> {
        if self.succeeded {
            Ok(self.lines)
        } else {
            Err(format!("{}\n{}", self.lines.join("\n"), self.complaints))
        }
    }
}

/// What differs, line by line.
pub(crate) fn compare(said: &[String], wanted: &[String]) -> Result<(), String> {
    if said == wanted {
        return Ok(());
    }
    let lacking = wanted.iter().filter(|line| !said.contains(line));
    let odd = said.iter().filter(|line| !wanted.contains(line));
    Err(lacking
        .map(|line| format!("lacks: {line}\n"))
        .chain(odd.map(|line| format!("says:  {line}\n")))
        .chain([format!("all:\n{}", said.join("\n"))])
        .collect())
}
