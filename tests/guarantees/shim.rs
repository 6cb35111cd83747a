//! `shim.c`: fail points in the binary as it is, by what it asks of the C library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_testkit::service::{Terms, run};
use tempfile::TempDir;

/// The shim, compiled, and where its orders go.
pub(crate) struct Shim {
    folder: TempDir,
}

/// One thing that was done.
pub(crate) struct Done {
    /// When, in milliseconds since the Unix epoch.
    pub(crate) at_millis: u64,
}

impl Shim {
    pub(crate) fn compile(cc: &Path) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let source = folder.path().join("shim.c");
        fs::write(&source, include_str!("shim.c")).map_err(|error| error.to_string())?;
        let mut compile = Command::new(cc);
        compile.args(["-shared", "-fPIC", "-O1", "-o"]);
        run(compile.arg(folder.path().join("shim.so")).arg(&source))?;
        Ok(Self { folder })
    }

    /// A service that the shim stands in front of.
    pub(crate) fn terms(&self, configuration: &str) -> Terms {
        let path = |path: PathBuf| path.display().to_string();
        Terms {
            configuration: configuration.to_owned(),
            environment: vec![
                (
                    "LD_PRELOAD".to_owned(),
                    path(self.folder.path().join("shim.so")),
                ),
                ("SHIM_ORDERS".to_owned(), path(self.orders())),
            ],
            ..Terms::default()
        }
    }

    /// From now on these orders hold.
    pub(crate) fn order(&self, orders: &str) -> Result<(), String> {
        // Whole or not there: it is looked for at every call.
        let new = self.folder.path().join("new");
        fs::write(&new, orders)
            .and_then(|()| fs::rename(&new, self.orders()))
            .map_err(|error| error.to_string())
    }

    /// No orders any more, and what was done by the last ones.
    pub(crate) fn done(&self) -> Result<Vec<Done>, String> {
        let told = self.folder.path().join("orders.done");
        let text = fs::read_to_string(&told).unwrap_or_default();
        // Nothing may have been done: then there is no such file.
        let _ = fs::remove_file(self.orders());
        let _ = fs::remove_file(told);
        text.lines()
            .map(|line| {
                let millis = line
                    .split(' ')
                    .next()
                    .and_then(|millis| millis.parse().ok());
                let at_millis = millis.ok_or_else(|| format!("the shim said {line}"))?;
                Ok(Done { at_millis })
            })
            .collect()
    }

    fn orders(&self) -> PathBuf {
        self.folder.path().join("orders")
    }
}
