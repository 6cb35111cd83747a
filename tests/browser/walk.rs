//! A walk through pages, as a child process.

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_testkit::service::unconfigured;
use serde_json::Value;

/// How large the screen is, how bright, and whether pages are looked over by axe or are as people
/// get them, without script.
#[derive(Copy, Clone)]
pub(crate) struct Screen {
    pub(crate) size: &'static str,
    pub(crate) scheme: &'static str,
    pub(crate) audit: bool,
}

/// A phone, looked over.
pub(crate) const PHONE: Screen = Screen {
    size: "phone",
    scheme: "light",
    audit: true,
};

/// A desktop in the dark, without script and under the pages' own policy.
pub(crate) const DESKTOP: Screen = Screen {
    size: "desktop",
    scheme: "dark",
    audit: false,
};

/// Plays the scene. What came of it.
///
/// # Errors
/// It did not come to its end.
pub(crate) fn walk(
    launcher: &Path,
    scene: &str,
    screen: Screen,
    mut parameters: Value,
) -> Result<Value, String> {
    parameters["size"] = screen.size.into();
    parameters["scheme"] = screen.scheme.into();
    parameters["audit"] = screen.audit.into();
    parameters["pictures"] = env::var("COUNTERSIGN_PICTURES").ok().into();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let mut command = Command::new(launcher);
    command
        .arg(folder)
        .arg(scene)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", launcher.display());
    let mut child = unconfigured(&mut command)
        .spawn()
        .map_err(|error| failed(&error))?;
    // Not an argument, which everybody on the machine may read. Dropped, so that it ends.
    let mut stdin = child.stdin.take().ok_or_else(|| failed(&"no pipe"))?;
    stdin
        .write_all(parameters.to_string().as_bytes())
        .map_err(|error| failed(&error))?;
    drop(stdin);
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    if !output.status.success() {
        return Err(format!(
            "{scene}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failed(&error))
}
