//! Tools that are not ours, and tests that need them.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

/// Where the tools are installed, as in `tests/tools/install.sh`.
fn tools() -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    named("COUNTERSIGN_TOOLS")
        .map(PathBuf::from)
        .or_else(|| {
            named("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| named("HOME").map(|home| Path::new(&home).join(".cache")))
                .map(|cache| cache.join("countersign").join("tools"))
        })
        .map(|folder| folder.join("bin"))
}

/// The program called `name`: the installed one, or whatever the path has.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    tools()
        .into_iter()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A test that needs the program `part`, which it is handed.
///
/// Without the program the test is reported as ignored, with the reason on
/// standard error, or fails where `COUNTERSIGN_REQUIRE_PARTS` is set.
pub fn needing(
    part: &'static str,
    name: &str,
    run: impl FnOnce(&Path) -> Result<(), String> + Send + 'static,
) -> Trial {
    match find(part) {
        Some(program) => Trial::test(name, move || run(&program).map_err(Into::into)),
        None => {
            let missing = format!("{part} is not installed; tests/tools/install.sh installs it");
            without(part, name, missing)
        }
    }
}

/// The same for a part that is `missing` for another reason than that it is not
/// installed.
#[expect(
    clippy::print_stderr,
    reason = "a test that is not run says so where people look"
)]
pub fn without(part: &str, name: &str, missing: String) -> Trial {
    if required(env::var_os("COUNTERSIGN_REQUIRE_PARTS").as_deref()) {
        return Trial::test(name, move || Err(missing.into()));
    }
    eprintln!("NOT RUN: {name}: {missing}");
    // Fails where ignored tests are asked for: it cannot have passed.
    Trial::test(name, || Err(missing.into()))
        .with_ignored_flag(true)
        .with_kind(format!("needs {part}"))
}

fn required(setting: Option<&OsStr>) -> bool {
    setting.is_some_and(|value| !value.is_empty() && value != "0")
}
